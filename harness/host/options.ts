import type { AnyAuthMethod } from 'ssh2';
import type { HostAddress } from './address.js';

/** A machine, the way to it, and its power switch. */
export interface HostOptions {
  address: HostAddress;
  login: AnyAuthMethod[];
  knownHosts: string;
  /** Shell commands that are run here. null: power comes back by itself. */
  powerOff: string;
  powerOn: string | null;
  /** Shell command that is run there after each boot, before the folder is looked for. */
  afterBoot: string | null;
  /** Folder there on the file system that is tortured. */
  remoteDir: string;
  /** Folder there for node and plugpull. */
  remoteTools: string;
  /** A checkout there that is built already, instead of what we would bring along. */
  remotePlugpull: string | null;
  /** For a boot, from power on to a login and the folder. */
  bootMillis: number;
  /** Between power off and on: capacitors keep a machine alive for a while. */
  offMillis: number;
  /** For each of the power commands. */
  commandMillis: number;
}

export const hostDefaults = {
  remoteTools: '/var/tmp/plugpull',
  bootMillis: 300_000,
  offMillis: 3000,
  commandMillis: 60_000,
} as const;
