/** The address of a machine as people write it. */
import os from 'node:os';
import { UsageError } from '../core/errors.js';

export interface HostAddress {
  user: string;
  host: string;
  port: number;
}

const way = 'write it as root@machine, root@machine:2222 or root@[2001:db8::1]:2222';

/** `[user@]host[:port]`; an IPv6 address with a port stands in brackets. */
export function parseAddress(text: string): HostAddress {
  const at = text.lastIndexOf('@');
  const user = at < 0 ? os.userInfo().username : text.slice(0, at);
  const rest = text.slice(at + 1);
  const match = /^\[([0-9A-Fa-f:.%\w]+)\](?::(\d+))?$/.exec(rest) ?? /^([\w.-]+)(?::(\d+))?$/.exec(rest);
  const host = match?.[1] ?? (/^[0-9A-Fa-f:.]+$/.test(rest) && rest.includes('::') ? rest : undefined);
  const port = Number(match?.[2] ?? 22);
  if (host === undefined || host.startsWith('-') || !/^[\w.-]+$/.test(user)) {
    throw new UsageError(`"${text}" is not the address of a machine`, way);
  }
  if (port < 1 || port > 65535) throw new UsageError(`there is no port ${port}`, way);
  return { user, host, port };
}

export function addressText({ user, host, port }: HostAddress): string {
  const name = host.includes(':') ? `[${host}]` : host;
  return `${user}@${name}${port === 22 ? '' : `:${port}`}`;
}
