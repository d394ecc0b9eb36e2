/** A connection to a real machine over ssh: commands, and channels that an agent speaks over. */
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type AnyAuthMethod, type ClientChannel, type ServerHostKeyAlgorithm } from 'ssh2';
import { addressText, type HostAddress } from './address.js';
import { HostError } from './error.js';
import { KnownHosts } from './known-hosts.js';

export interface ConnectOptions {
  address: HostAddress;
  login: AnyAuthMethod[];
  /** File of known hosts. */
  knownHosts: string;
  /** For the whole way to a login. */
  timeoutMillis: number;
}

export interface ExecOptions {
  timeoutMillis?: number;
  /** Most bytes of stdout; a command that says more is refused. The end of stderr is kept. */
  maxBytes?: number;
  /** Its stdin; empty if left out. */
  input?: Readable;
}

export interface Executed {
  exit: number | null;
  signal: string | null;
  stdout: Buffer;
  stderr: string;
}

/** How a channel's program ended, where the machine told; nulls: the channel just closed, as when power fails. */
export interface ChannelEnd {
  exit: number | null;
  signal: string | null;
}

export interface OpenChannel {
  channel: ClientChannel;
  ended: Promise<ChannelEnd>;
  /** The end of its stderr so far. */
  stderr: () => string;
}

const execMillis = 60_000;
const lostMillis = 500;
const execBytes = 4 * 1024 ** 2;
const stderrBytes = 16 * 1024;
/** A dead connection is found out within interval × count; a slow machine must not look dead. */
const keepaliveMillis = 5000;
const keepaliveCount = 6;

/** Key types of known hosts, and the algorithms that prove such a key. */
const algorithmsOf: Record<string, ServerHostKeyAlgorithm[]> = {
  'ssh-rsa': ['rsa-sha2-512', 'rsa-sha2-256'],
};
const hostKeyAlgorithms: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

export class HostConnection {
  /** Settles once nothing more can be done over it, with the reason. */
  readonly lost: Promise<HostError>;

  private constructor(
    private readonly client: ssh2.Client,
    readonly name: string,
    state: { error: Error | null },
  ) {
    this.lost = new Promise((resolve) => {
      client.once('close', () => {
        const why = state.error === null ? '' : `: ${state.error.message}`;
        resolve(new HostError('lost', `the connection to ${name} was lost${why}`));
      });
    });
  }

  /** Logs in. Rejects with a HostError, or an UnavailableError that tells of the host key. */
  static async connect(options: ConnectOptions): Promise<HostConnection> {
    const { address, login } = options;
    const { host, port, user } = address;
    const name = addressText(address);
    const known = KnownHosts.read(options.knownHosts, host, port);
    const client = new ssh2.Client();
    const state: { error: Error | null; objection: HostError | null } = { error: null, objection: null };
    const ready = new Promise<void>((resolve, reject) => {
      client.on('error', (error) => {
        state.error = error;
        reject(error);
      });
      client.on('ready', resolve);
      client.on('close', () => reject(state.error ?? new Error('the connection was closed')));
    });
    // It is awaited only once the way there has begun.
    ready.catch(() => undefined);
    const timer = setTimeout(() => {
      state.error ??= new Error(`no login within ${options.timeoutMillis / 1000} s`);
      client.destroy();
    }, options.timeoutMillis);
    try {
      client.connect({
        host,
        port,
        username: user,
        readyTimeout: options.timeoutMillis,
        keepaliveInterval: keepaliveMillis,
        keepaliveCountMax: keepaliveCount,
        authHandler: login,
        algorithms: { serverHostKey: preferred(known.types) },
        hostVerifier: (key: Buffer) => {
          state.objection = known.objection(key);
          return state.objection === null;
        },
      });
      await ready;
    } catch (error) {
      client.destroy();
      throw state.objection ?? explain(error as Error & { level?: string }, address);
    } finally {
      clearTimeout(timer);
    }
    return new HostConnection(client, name, state);
  }

  /** Runs a command by the user's shell there. Its exit is the caller's business; rejects where it could not run to its end. */
  async exec(command: string, options: ExecOptions = {}): Promise<Executed> {
    const { timeoutMillis = execMillis, maxBytes = execBytes, input } = options;
    const out: Buffer[] = [];
    let bytes = 0;
    let refuse: (error: HostError) => void = () => undefined;
    const refused = new Promise<HostError>((resolve) => {
      refuse = resolve;
    });
    const because = (why: string): void =>
      refuse(new HostError('refused', `${this.name}: ${why}: ${command.slice(0, 200)}`));
    // From here: a machine that hangs may not even start it.
    const timer = setTimeout(
      () => because(`a command was not done within ${timeoutMillis / 1000} s`),
      timeoutMillis,
    );
    input?.once('error', (error) => because(`its input cannot be read: ${error.message}`));
    const opening = this.open(command);
    let channel: ClientChannel | null = null;
    try {
      const opened = await Promise.race([opening, refused]);
      if (opened instanceof HostError) throw opened;
      ({ channel } = opened);
      channel.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        if (bytes <= maxBytes) out.push(chunk);
        else because(`a command said more than ${maxBytes} bytes`);
      });
      if (input === undefined) channel.end();
      else input.pipe(channel);
      let end = await Promise.race([opened.ended, this.lost, refused]);
      if (!(end instanceof HostError) && end.exit === null && end.signal === null) {
        // The channels of a lost connection are closed first.
        end = await Promise.race([this.lost, sleep(lostMillis, end)]);
      }
      if (end instanceof HostError) throw end;
      return { ...end, stdout: Buffer.concat(out), stderr: opened.stderr() };
    } catch (error) {
      // One that opens late is nobody's.
      opening.then((late) => late.channel.destroy()).catch(() => undefined);
      throw error;
    } finally {
      clearTimeout(timer);
      if (channel !== null) input?.unpipe(channel);
    }
  }

  /** The same, for commands that must succeed; gives their stdout. */
  async must(command: string, what: string, options: ExecOptions = {}): Promise<string> {
    const { exit, signal, stdout, stderr } = await this.exec(command, options);
    if (exit === 0) return stdout.toString('utf8');
    const said = lastWords(stderr === '' ? stdout.toString('utf8') : stderr);
    const how = signal === null ? `exit ${exit ?? '?'}` : `signal ${signal}`;
    throw new HostError('refused', `${this.name}: ${what} (${how})${said === '' ? '' : `: ${said}`}`);
  }

  /** Starts a program and leaves its stdin and stdout to the caller, who must read. */
  async open(command: string): Promise<OpenChannel> {
    return await new Promise<OpenChannel>((resolve, reject) => {
      void this.lost.then(reject);
      const fail = (error: Error): void =>
        reject(new HostError('lost', `${this.name}: cannot run a command: ${error.message}`));
      try {
        this.client.exec(command, (error, channel) => (error ? fail(error) : resolve(watch(channel))));
      } catch (error) {
        fail(error as Error);
      }
    });
  }

  /** Ends it at once: the machine may not be there any more to say farewell. */
  close(): void {
    this.client.destroy();
  }
}

/** In the turn in which the channel comes: all that a quick program says may come in the same packet. */
function watch(channel: ClientChannel): OpenChannel {
  const end: ChannelEnd = { exit: null, signal: null };
  let errors = '';
  channel.stderr.setEncoding('utf8');
  channel.stderr.on('data', (text: string) => {
    errors = (errors + text).slice(-stderrBytes);
  });
  channel.on('exit', (code: number | null, signal?: string) => {
    end.exit = code;
    end.signal = signal ?? null;
  });
  // Its own errors come with the connection's end, which is told by `lost`.
  channel.on('error', () => undefined);
  const ended = new Promise<ChannelEnd>((resolve) => channel.once('close', () => resolve(end)));
  return { channel, ended, stderr: () => errors };
}

/** Algorithms for the key types that are known first, so that a machine with several keys shows one of those. */
function preferred(types: string[]): ServerHostKeyAlgorithm[] {
  const first = types.flatMap(
    (type) => algorithmsOf[type] ?? hostKeyAlgorithms.filter((algorithm) => algorithm === type),
  );
  return [...first, ...hostKeyAlgorithms.filter((algorithm) => !first.includes(algorithm))];
}

function explain(error: Error & { level?: string }, address: HostAddress): HostError {
  const name = addressText(address);
  if (/too many authentication failures/i.test(error.message)) {
    // It heard of the agent's other keys first.
    return new HostError(
      'login',
      `${name} does not accept the first keys of the ssh agent, and listens to no more: ${error.message}`,
      'name the private key by --identity',
    );
  }
  switch (error.level) {
    case 'client-authentication':
      return new HostError(
        'login',
        `${name} does not accept the key: permission denied`,
        `try: ssh ${address.port === 22 ? '' : `-p ${address.port} `}${address.user}@${address.host} true`,
      );
    case 'agent':
      return new HostError('login', `the ssh agent gave no key: ${error.message}`, 'try: ssh-add -l');
    case 'protocol':
    case 'handshake':
      return new HostError('unreachable', `${name} speaks no ssh that we understand: ${error.message}`);
    default:
      return new HostError(
        'unreachable',
        `${name} cannot be reached: ${error.message}`,
        'is it switched on, and is its ssh server running?',
      );
  }
}

export function lastWords(text: string): string {
  return text.trim().split('\n').slice(-3).join(' ').slice(-400);
}

/** A word for a POSIX shell. */
export function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}
