/** Connections to a real ssh server. */
import { expect } from 'chai';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import ssh2 from 'ssh2';
import { parseAddress } from '../../harness/host/address.js';
import { HostConnection } from '../../harness/host/connection.js';
import { HostError, type HostErrorKind } from '../../harness/host/error.js';
import { readFacts, shell, unfit } from '../../harness/host/facts.js';
import { loginMethods } from '../../harness/host/identity.js';
import { fingerprint } from '../../harness/host/known-hosts.js';
import { Place } from '../../harness/host/place.js';
import { rejected } from '../support/rejected.js';
import { freePort, makeKey, Sshd, whyNoSshd } from '../support/sshd.js';

const why = whyNoSshd();

(why === null ? describe : describe.skip)(`an ssh connection${why === null ? '' : ` (${why})`}`, () => {
  let sshd: Sshd;
  before(async () => {
    sshd = await Sshd.start();
  });
  after(() => sshd.remove());

  interface Changes {
    key?: string;
    knownHosts?: string;
    address?: string;
    agent?: string;
  }
  const connect = (changes: Changes = {}): Promise<HostConnection> => {
    const address = parseAddress(changes.address ?? sshd.address);
    const key = changes.agent === undefined ? (changes.key ?? sshd.key) : null;
    return HostConnection.connect({
      address,
      login: loginMethods(address.user, key, changes.agent),
      knownHosts: changes.knownHosts ?? sshd.knownHosts,
      timeoutMillis: 15_000,
    });
  };
  const refused = async (changes: Changes, kind: HostErrorKind): Promise<HostError> => {
    try {
      (await connect(changes)).close();
    } catch (error) {
      expect(error).to.be.instanceOf(HostError);
      expect((error as HostError).kind).to.equal(kind);
      return error as HostError;
    }
    throw new Error('it was let in');
  };
  const hostKey = (): Buffer =>
    Buffer.from(readFileSync(`${sshd.hostKey}.pub`, 'utf8').split(' ')[1] ?? '', 'base64');

  it('runs commands, with their input, output, errors and exit', async () => {
    const connection = await connect();
    try {
      const done = await connection.exec('cat; echo no >&2; exit 3', { input: Readable.from(['yes']) });
      expect({ ...done, stdout: done.stdout.toString() }).to.deep.equal({
        exit: 3,
        signal: null,
        stdout: 'yes',
        stderr: 'no\n',
      });
      expect((await connection.exec('kill -TERM $$')).signal).to.equal('SIGTERM');
      const error = await connection
        .must('echo broken relay >&2; exit 4', 'it failed')
        .catch((e: unknown) => e);
      expect((error as Error).message).to.include('it failed (exit 4): broken relay');
    } finally {
      connection.close();
    }
  });

  it('bounds the time and the output of commands', async () => {
    const connection = await connect();
    try {
      const late = await connection.exec('sleep 60', { timeoutMillis: 300 }).catch((e: unknown) => e);
      expect((late as HostError).message).to.include('not done within 0.3 s');
      const much = await connection.exec('yes', { maxBytes: 100_000 }).catch((e: unknown) => e);
      expect((much as HostError).message).to.include('more than 100000 bytes');
      expect((await connection.exec('echo still here')).stdout.toString()).to.equal('still here\n');
    } finally {
      connection.close();
    }
  });

  it('refuses a key that the machine does not accept', async () => {
    const error = await refused({ key: makeKey(path.join(sshd.folder, 'stranger')) }, 'login');
    expect(error.message).to.include('does not accept the key');
    expect(error.exitCode).to.equal(69);
  });

  it('refuses a host key that nobody knows, and shows it', async () => {
    const error = await refused({ knownHosts: path.join(sshd.folder, 'nobody') }, 'key');
    expect(error.message).to.include('not known').and.include(fingerprint(hostKey()));
  });

  it('refuses a host key that has changed', async () => {
    const other = makeKey(path.join(sshd.folder, 'other-host'));
    const changed = path.join(sshd.folder, 'changed_hosts');
    const [type = '', key = ''] = readFileSync(`${other}.pub`, 'utf8').split(' ');
    writeFileSync(changed, `[127.0.0.1]:${sshd.port} ${type} ${key}\n`);
    const error = await refused({ knownHosts: changed }, 'key');
    expect(error.message).to.include('has changed').and.include(fingerprint(hostKey()));
  });

  it('knows a host from a hashed file', async () => {
    const hashed = path.join(sshd.folder, 'hashed_hosts');
    writeFileSync(hashed, readFileSync(sshd.knownHosts));
    expect(spawnSync('ssh-keygen', ['-q', '-H', '-f', hashed]).status).to.equal(0);
    expect(readFileSync(hashed, 'utf8')).to.match(/^\|1\|/);
    (await connect({ knownHosts: hashed })).close();
  });

  it('takes the keys of an ssh agent, and says when it gives none', async () => {
    const socket = path.join(sshd.folder, 'agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(agent.stdout, 'data');
      expect((await refused({ agent: socket }, 'login')).message).to.match(/key/);
      const added = spawnSync('ssh-add', ['-q', sshd.key], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
      });
      expect(added.status).to.equal(0);
      (await connect({ agent: socket })).close();
    } finally {
      agent.kill('SIGKILL');
    }
    expect((await refused({ agent: socket }, 'login')).message).to.match(/key/);
  });

  it('says that the machine listens to no more keys of an ssh agent', async () => {
    const socket = path.join(sshd.folder, 'full-agent');
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      await once(agent.stdout, 'data');
      const keys = Array.from({ length: 7 }, (_, number) =>
        makeKey(path.join(sshd.folder, `other-${number}`)),
      );
      const added = spawnSync('ssh-add', ['-q', ...keys, sshd.key], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
      });
      expect(added.status).to.equal(0);
      const error = await refused({ agent: socket }, 'login');
      expect(error.message).to.include('does not accept the first keys of the ssh agent');
      expect(error.remedy).to.include('--identity');
    } finally {
      agent.kill('SIGKILL');
    }
  });

  it('says that nobody answers', async () => {
    const error = await refused({ address: `root@127.0.0.1:${await freePort()}` }, 'unreachable');
    expect(error.message).to.include('ECONNREFUSED');
  });

  it('tells that it was lost, to all who wait', async () => {
    const connection = await connect();
    const waiting = connection.exec('sleep 60').catch((e: unknown) => e);
    await connection.exec('true');
    await sshd.stop();
    try {
      expect((await connection.lost).kind).to.equal('lost');
      expect(await waiting).to.have.property('kind', 'lost');
      const after = await connection.exec('true').catch((e: unknown) => e);
      expect(after).to.have.property('kind', 'lost');
    } finally {
      await sshd.start();
    }
  });

  it('bounds the start of a command on a machine that hangs', async () => {
    const server = new ssh2.Server({ hostKeys: [readFileSync(sshd.hostKey)] }, (client) => {
      client.on('error', () => undefined);
      client.on('authentication', (attempt) => attempt.accept());
      client.on('session', (accept) => {
        // Answers nothing.
        accept().on('exec', () => undefined);
      });
    });
    const port = await freePort();
    await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
    const knownHosts = path.join(sshd.folder, 'hanging_hosts');
    writeFileSync(knownHosts, readFileSync(sshd.knownHosts, 'utf8').replace(`:${sshd.port}`, `:${port}`));
    const connection = await connect({ address: `root@127.0.0.1:${port}`, knownHosts });
    try {
      const late = await connection.exec('true', { timeoutMillis: 300 }).catch((e: unknown) => e);
      expect((late as HostError).message).to.include('not done within 0.3 s');
    } finally {
      connection.close();
      server.close();
    }
  });

  it('says that the input of a command cannot be read', async () => {
    const connection = await connect();
    try {
      const input = createReadStream(path.join(sshd.folder, 'none'));
      const error = await connection.exec('cat', { input }).catch((e: unknown) => e);
      expect((error as HostError).message).to.match(/input cannot be read: ENOENT/);
    } finally {
      connection.close();
    }
  });

  it('empties and removes a folder of ours, and only what we made in it', async () => {
    const connection = await connect();
    const place = new Place(path.join(sshd.folder, "it's", 'plugpull'));
    try {
      await place.clear(connection);
      for (const name of ['data/old', 'unflushed', 'notes']) writeFileSync(path.join(place.root, name), '');
      await place.clear(connection);
      expect(readdirSync(place.root).sort()).to.deep.equal(['.plugpull-place', 'data', 'notes']);
      expect(readdirSync(place.data)).to.deep.equal([]);
      // As a disk that lies may leave it, in the middle of a run.
      rmSync(path.join(place.root, '.plugpull-place'));
      await place.clear(connection);
      rmSync(path.join(place.root, 'notes'));
      await place.remove(connection);
      expect(existsSync(place.root)).to.equal(false);
    } finally {
      connection.close();
    }
  });

  it("leaves a folder alone that is the user's own", async () => {
    const connection = await connect();
    try {
      const root = path.join(sshd.folder, 'plugpull');
      const mine = path.join(root, 'data');
      mkdirSync(mine, { recursive: true });
      writeFileSync(path.join(mine, 'thesis'), '');
      const error = await rejected(new Place(root).clear(connection), HostError);
      expect(error.kind).to.equal('unfit');
      expect(error.message).to.include('is there already, and no run of plugpull has made it');
      await new Place(root).remove(connection);
      expect(existsSync(path.join(mine, 'thesis'))).to.equal(true);
      // An empty one can be nobody's loss.
      rmSync(mine, { recursive: true });
      await new Place(root).clear(connection);
      expect(existsSync(mine)).to.equal(true);
    } finally {
      connection.close();
    }
  });

  it('asks a machine about itself and its folder', async () => {
    const connection = await connect();
    try {
      const { facts, folder } = await readFacts(connection, sshd.folder);
      expect(facts.bootId).to.equal(readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim());
      expect(facts.libc).to.match(/glibc \d/);
      expect(facts.mount.fs).not.to.equal('');
      expect(unfit('it', sshd.folder, folder, facts)).to.equal(null);
      const missing = await readFacts(connection, `${sshd.folder}/none's`);
      expect(unfit('it', 'none', missing.folder, missing.facts)?.message).to.include('no folder');
      const readOnly = await readFacts(connection, '/proc/sys');
      expect(unfit('it', '/proc/sys', readOnly.folder, readOnly.facts)?.message).to.include('cannot write');
    } finally {
      connection.close();
    }
  });

  it('runs scripts whatever is in them', async () => {
    const connection = await connect();
    try {
      const text = `it's "$HOME" \`x\` \\ done`;
      const script = `printf %s '${text.replaceAll("'", `'\\''`)}'`;
      expect(await connection.must(shell(script), 'it failed')).to.equal(text);
    } finally {
      connection.close();
    }
  });
});
