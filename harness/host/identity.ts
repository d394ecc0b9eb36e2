/** Who we are to the machine: a key from a file, or those of the ssh agent. Never a password. */
import { readFileSync } from 'node:fs';
import ssh2, { type AnyAuthMethod } from 'ssh2';
import { UsageError } from '../core/errors.js';

/**
 * How to log in: by the key in `file`, or, with null, by the agent at $SSH_AUTH_SOCK. Throws a UsageError for a key that
 * cannot be used.
 */
export function loginMethods(user: string, file: string | null, agent?: string): AnyAuthMethod[] {
  if (file !== null) return [{ type: 'publickey', username: user, key: readKey(file) }];
  if (agent === undefined || agent === '') {
    throw new UsageError(
      'there is no key to log in with: no --identity, and no ssh agent ($SSH_AUTH_SOCK is not set)',
      'name a private key by --identity, or start an agent: eval $(ssh-agent); ssh-add',
    );
  }
  return [{ type: 'agent', username: user, agent }];
}

function readKey(file: string): ssh2.ParsedKey {
  let content: Buffer;
  try {
    content = readFileSync(file);
  } catch (error) {
    const { code = 'error' } = error as NodeJS.ErrnoException;
    throw new UsageError(`cannot read the key ${file}: ${code}`, 'name a private key by --identity');
  }
  const parsed: unknown = ssh2.utils.parseKey(content);
  const key = (Array.isArray(parsed) ? parsed[0] : parsed) as ssh2.ParsedKey | Error;
  if (key instanceof Error) {
    if (/encrypted/i.test(key.message)) {
      throw new UsageError(
        `the key ${file} is encrypted`,
        `give it to the ssh agent and leave out --identity: ssh-add ${file}`,
      );
    }
    throw new UsageError(`${file} is not a private key that can be used: ${key.message}`);
  }
  if (!key.isPrivateKey()) {
    throw new UsageError(`${file} is a public key`, 'name the private one, without .pub');
  }
  return key;
}
