/**
 * Is the machine the one that the user knows? Reads OpenSSH's `known_hosts`: plain, hashed and bracketed names, patterns
 * with `*`, `?` and `!`, and `@revoked`. Certificate authorities are not followed.
 */
import { createHash, createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { UsageError } from '../core/errors.js';
import { HostError } from './error.js';

export interface KnownKey {
  type: string;
  /** The key's blob, base64. */
  key: string;
  revoked: boolean;
  /** 1-based. */
  line: number;
}

/** Name under which OpenSSH files a machine: with the port in brackets where it is not 22. */
export function knownName(host: string, port: number): string {
  const name = host.toLowerCase();
  return port === 22 ? name : `[${name}]:${port}`;
}

/** The keys that a `known_hosts` text gives for a machine. Lines that make no sense are left out, as OpenSSH does. */
export function knownKeys(text: string, host: string, port: number): KnownKey[] {
  const name = knownName(host, port);
  const found: KnownKey[] = [];
  for (const [index, raw] of text.split('\n').entries()) {
    const words = raw.trim().split(/\s+/);
    const marker = words[0]?.startsWith('@') === true ? words.shift() : undefined;
    const [names = '', type = '', key = ''] = words;
    if (names === '' || names.startsWith('#') || key === '') continue;
    if (marker !== undefined && marker !== '@revoked') continue;
    if (!matches(names, name)) continue;
    found.push({ type, key, revoked: marker === '@revoked', line: index + 1 });
  }
  return found;
}

function matches(patterns: string, name: string): boolean {
  if (patterns.startsWith('|1|')) return matchesHash(patterns, name);
  let matched = false;
  for (const pattern of patterns.toLowerCase().split(',')) {
    const not = pattern.startsWith('!');
    if (!globMatches(not ? pattern.slice(1) : pattern, name)) continue;
    if (not) return false;
    matched = true;
  }
  return matched;
}

/** `|1|SALT|HMAC-SHA1 of the name|`, both base64. */
function matchesHash(entry: string, name: string): boolean {
  const [, , salt = '', hash = ''] = entry.split('|');
  const made = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest('base64');
  return hash !== '' && made === hash;
}

function globMatches(pattern: string, name: string): boolean {
  if (!/[*?]/.test(pattern)) return pattern === name;
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`).test(name);
}

/** `SHA256:…`, as ssh-keygen -l shows it. */
export function fingerprint(key: Buffer): string {
  return `SHA256:${createHash('sha256').update(key).digest('base64').replace(/=+$/, '')}`;
}

/** Type of a key from its blob (a length and that many bytes). */
export function keyType(key: Buffer): string {
  if (key.length < 4) return 'unknown';
  const length = key.readUInt32BE(0);
  return length <= 64 && key.length >= 4 + length ? key.toString('latin1', 4, 4 + length) : 'unknown';
}

export class KnownHosts {
  private constructor(
    private readonly file: string,
    private readonly keys: KnownKey[],
    private readonly host: string,
    private readonly port: number,
  ) {}

  /** Throws a UsageError where the file cannot be read; a missing one knows nobody. */
  static read(file: string, host: string, port: number): KnownHosts {
    let text = '';
    try {
      text = readFileSync(file, 'utf8');
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      if (code !== 'ENOENT') {
        throw new UsageError(`cannot read ${file}: ${code}`, 'name the file of known hosts by --known-hosts');
      }
    }
    return new KnownHosts(file, knownKeys(text, host, port), host, port);
  }

  /** Types of the keys that are known, so that the machine is asked for one of those. */
  get types(): string[] {
    return [...new Set(this.keys.filter(({ revoked }) => !revoked).map(({ type }) => type))];
  }

  /** What is wrong with the key that a machine showed; null: it is known. */
  objection(key: Buffer): HostError | null {
    const { file, host, port } = this;
    const shown = `${keyType(key)} ${fingerprint(key)}`;
    const mine = this.keys.filter((known) => known.key === key.toString('base64'));
    const name = knownName(host, port);
    if (mine.some(({ revoked }) => revoked)) {
      return new HostError('key', `the host key of ${name} (${shown}) is revoked in ${file}`);
    }
    if (mine.length > 0) return null;
    const other = this.keys.find(({ revoked }) => !revoked);
    if (other !== undefined) {
      const known = fingerprint(Buffer.from(other.key, 'base64'));
      return new HostError(
        'key',
        `the host key of ${name} has changed: it shows ${shown}, but ${file} line ${other.line} knows ${other.type} ${known}`,
        `find out why; if the machine was set up anew: ssh-keygen -f ${file} -R '${name}', then connect once by ssh`,
      );
    }
    const option = port === 22 ? '' : `-p ${port} `;
    return new HostError(
      'key',
      `the host key of ${name} is not known: it shows ${shown}, and ${file} has no key for it`,
      `compare the fingerprint with the machine's own, then: ssh-keyscan ${option}${host} >> ${file}`,
    );
  }
}
