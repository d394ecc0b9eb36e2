/** A real ssh server of our own on the loopback interface, with its own keys and files, gone with its test. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import os from 'node:os';
import path from 'node:path';

const program = '/usr/sbin/sshd';

/** Why there can be none here; null: there can. */
export function whyNoSshd(): string | null {
  if (!existsSync(program)) return 'openssh-server is not installed';
  if (!existsSync('/usr/bin/ssh-keygen')) return 'openssh-client is not installed';
  return null;
}

export function makeKey(file: string, type = 'ed25519', passphrase = ''): string {
  const made = spawnSync('ssh-keygen', ['-q', '-t', type, '-N', passphrase, '-C', 'test', '-f', file]);
  if (made.status !== 0) throw new Error(`ssh-keygen: ${made.stderr.toString()}`);
  return file;
}

export class Sshd {
  /** Private key that it accepts. */
  readonly key: string;
  readonly hostKey: string;
  /** Its host key is here. */
  readonly knownHosts: string;
  private child: ChildProcess | null = null;

  private constructor(
    readonly folder: string,
    readonly port: number,
  ) {
    this.key = makeKey(path.join(folder, 'id'));
    this.hostKey = makeKey(path.join(folder, 'host'));
    this.knownHosts = path.join(folder, 'known_hosts');
    this.trust();
    // Its folder for separated privileges is fixed when it is built.
    if (process.getuid?.() === 0) mkdirSync('/run/sshd', { recursive: true });
    writeFileSync(
      path.join(folder, 'config'),
      [
        `Port ${port}`,
        'ListenAddress 127.0.0.1',
        `HostKey ${this.hostKey}`,
        `AuthorizedKeysFile ${this.key}.pub`,
        `PidFile ${path.join(folder, 'pid')}`,
        'StrictModes no',
        'UsePAM no',
        'PasswordAuthentication no',
        'PermitRootLogin yes',
        'MaxStartups 100',
        // bash reads the user's .bashrc for ssh alone, and for no deeper shell: whatever is in it is not ours.
        `SetEnv SHLVL=3 PATH=${process.env.PATH ?? '/usr/bin:/bin'}`,
      ].join('\n'),
    );
  }

  static async start(): Promise<Sshd> {
    const sshd = new Sshd(mkdtempSync(path.join(os.tmpdir(), 'plugpull-sshd-')), await freePort());
    await sshd.start();
    return sshd;
  }

  get address(): string {
    return `${os.userInfo().username}@127.0.0.1:${this.port}`;
  }

  /** Knows its host key. */
  trust(): void {
    const [type = '', key = ''] = readFileSync(`${this.hostKey}.pub`, 'utf8').split(' ');
    writeFileSync(this.knownHosts, `[127.0.0.1]:${this.port} ${type} ${key}\n`);
  }

  async start(): Promise<void> {
    const config = path.join(this.folder, 'config');
    const child = spawn(program, ['-D', '-e', '-f', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString()).slice(-4096);
    });
    this.child = child;
    const deadline = performance.now() + 10_000;
    while (!(await accepts(this.port))) {
      if (child.exitCode !== null || performance.now() > deadline) throw new Error(`sshd: ${said}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Ends the listener and all its sessions, without a farewell. */
  async stop(): Promise<void> {
    const { child } = this;
    this.child = null;
    if (child?.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const closed = new Promise((resolve) => child.once('close', resolve));
    const all = [child.pid, ...descendants(child.pid)];
    // Else one could yet tell how another ended.
    for (const signal of ['SIGSTOP', 'SIGKILL'] as const) for (const pid of all) kill(pid, signal);
    await closed;
  }

  async remove(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

function kill(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

function descendants(pid: number): number[] {
  const file = `/proc/${pid}/task/${pid}/children`;
  if (!existsSync(file)) return [];
  const children = readFileSync(file, 'utf8')
    .split(' ')
    .filter((text) => text !== '')
    .map(Number);
  return children.flatMap((child) => [...descendants(child), child]);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  return await new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

async function accepts(port: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ port, host: '127.0.0.1' });
    socket.once('connect', () => resolve(true));
    socket.once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.destroy());
  });
}
