/** From flags to the engine that cuts the power of a real machine. */
import os from 'node:os';
import path from 'node:path';
import { defaultHostCommits, HostEngine } from '../campaign/host-engine.js';
import { UsageError } from '../core/errors.js';
import type { Target } from '../core/target.js';
import { parseAddress } from '../host/address.js';
import { loginMethods } from '../host/identity.js';
import { hostDefaults } from '../host/options.js';
import { placeIn } from '../host/place.js';
import type { RunFlags } from './flags.js';

/** A machine loses its power only when it is named, or asked for. */
export function wantsHost(flags: RunFlags, asked: string[]): boolean {
  return flags.host !== undefined || asked.includes('power-command') || asked.includes('host');
}

export function hostEngine(flags: RunFlags, targets: Target[]): HostEngine {
  const need = (flag: string, value: string | undefined): string => {
    if (value !== undefined && value !== '') return value;
    throw new UsageError(`the fault power-command needs ${flag}`, 'see docs/real-machines.md');
  };
  const address = parseAddress(need('--host', flags.host));
  const powerOff = need('--power-off', flags.powerOff);
  const remoteDir = absolute('--remote-dir', need('--remote-dir', flags.remoteDir));
  const tools = (flag: string, folder: string): string => {
    const there = absolute(flag, folder);
    const place = placeIn(remoteDir);
    if (there !== place && !there.startsWith(`${place}/`)) return there;
    throw new UsageError(
      `${flag} ${there} lies in ${place}, where the targets live: each trial empties that folder`,
      `name another folder by ${flag} or --remote-dir`,
    );
  };
  return new HostEngine(
    targets,
    {
      address,
      login: loginMethods(address.user, flags.identity ?? null, process.env.SSH_AUTH_SOCK),
      knownHosts: flags.knownHosts ?? path.join(os.homedir(), '.ssh', 'known_hosts'),
      powerOff,
      powerOn: flags.powerOn ?? null,
      afterBoot: flags.afterBoot ?? null,
      remoteDir,
      remoteTools: tools('--remote-tools', flags.remoteTools ?? hostDefaults.remoteTools),
      remotePlugpull:
        flags.remotePlugpull === undefined ? null : tools('--remote-plugpull', flags.remotePlugpull),
      bootMillis: flags.bootTimeout ?? hostDefaults.bootMillis,
      offMillis: flags.offFor ?? hostDefaults.offMillis,
      commandMillis: hostDefaults.commandMillis,
    },
    flags.commits ?? defaultHostCommits,
  );
}

/** Folders of another machine cannot be found from here. */
function absolute(flag: string, folder: string): string {
  const normal = path.posix.normalize(folder);
  if (path.posix.isAbsolute(normal) && normal !== '/') return normal.replace(/\/$/, '');
  throw new UsageError(`${flag} ${folder}: the whole path of a folder is needed`, 'such as /mnt/test');
}
