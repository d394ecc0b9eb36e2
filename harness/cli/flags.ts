/** What `plugpull run` can be told on the command line. */
import type { Shard } from '../campaign/context.js';
import type { Config } from '../config/schema.js';
import type { DurabilityPromise } from '../core/target.js';
import { UsageError } from '../core/errors.js';

export interface RunFlags {
  backend?: string[];
  workload?: string[];
  planted?: string[];
  tracker?: Config['tracker'];
  input?: string;
  target?: string[];
  name?: string;
  setup?: string;
  run?: string;
  check?: string;
  with?: string[];
  ignore?: string[];
  recoverTwice?: 'bytes' | 'state';
  promise?: DurabilityPromise;
  timeout?: number;
  fault?: string[];
  rig?: string[];
  fs?: string[];
  diskFault?: string[];
  uml?: boolean;
  kernel?: string[];
  powerOffMode?: string[];
  host?: string;
  identity?: string;
  knownHosts?: string;
  powerOff?: string;
  powerOn?: string;
  offFor?: number;
  afterBoot?: string;
  bootTimeout?: number;
  remoteDir?: string;
  remoteTools?: string;
  remotePlugpull?: string;
  recover?: string;
  profile?: string[];
  states?: number;
  exhaustive?: boolean;
  nested?: number;
  memory?: number;
  commits?: number;
  controls: boolean;
  sweep?: string;
  seed?: number;
  trials?: number;
  for?: number;
  jobs?: number;
  shard?: Shard;
  maxFailures?: number;
  gateUpperBound?: number;
  config?: string;
  out?: string;
  dir?: string;
  resume?: string;
  json?: boolean;
  quiet?: boolean;
  junit?: string;
  html?: string;
  markdown?: string;
  github?: boolean;
}

type Named = readonly (readonly [keyof RunFlags, string])[];

const programFlags: Named = [
  ['name', '--name'],
  ['with', '--with'],
  ['ignore', '--ignore'],
  ['recoverTwice', '--recover-twice'],
  ['promise', '--promise'],
  ['timeout', '--timeout'],
];
const heapFlags: Named = [
  ['backend', '--backend'],
  ['workload', '--workload'],
  ['planted', '--planted'],
  ['tracker', '--tracker'],
  ['input', '--input'],
  ['target', '--target'],
];

const hostFlags: Named = [
  ['identity', '--identity'],
  ['knownHosts', '--known-hosts'],
  ['powerOff', '--power-off'],
  ['powerOn', '--power-on'],
  ['offFor', '--off-for'],
  ['afterBoot', '--after-boot'],
  ['bootTimeout', '--boot-timeout'],
  ['remoteDir', '--remote-dir'],
  ['remoteTools', '--remote-tools'],
  ['remotePlugpull', '--remote-plugpull'],
];

export function requireTogether(flags: RunFlags): void {
  const alone = flags.host === undefined && hostFlags.find(([name]) => flags[name] !== undefined);
  if (alone) throw new UsageError(`${alone[1]} goes with --host`, 'see docs/real-machines.md');
  const given = (['setup', 'run', 'check'] as const).filter((name) => flags[name] !== undefined);
  if (given.length > 0 && given.length < 3) {
    throw new UsageError('--setup, --run and --check go together', 'see docs/your-own-program.md');
  }
  const own = given.length > 0;
  const stray = (own ? heapFlags : programFlags).find(([name]) => flags[name] !== undefined);
  if (stray !== undefined) {
    throw new UsageError(
      own
        ? `${stray[1]} is for heaps; it does not go with --setup, --run and --check`
        : `${stray[1]} goes with --setup, --run and --check`,
      'see docs/configuration.md',
    );
  }
}

/** What only some rigs take. */
const rigFlags: readonly (readonly [keyof RunFlags, string, readonly string[]])[] = [
  ['sweep', '--sweep', ['folder']],
  ['profile', '--profile', ['model']],
  ['memory', '--memory', ['model']],
  ['nested', '--nested', ['model', 'disk']],
  ['fs', '--fs', ['disk', 'vm']],
  ['diskFault', '--disk-fault', ['disk']],
  ['uml', '--uml and --no-uml', ['disk']],
  ['kernel', '--kernel', ['vm']],
  ['powerOffMode', '--power-off-mode', ['vm']],
  ['recover', '--recover', ['vm']],
  ['states', '--states', ['model', 'disk', 'vm']],
  ['exhaustive', '--exhaustive', ['model', 'disk', 'vm']],
  ['commits', '--commits', ['model', 'disk', 'vm', 'host']],
];

/** A flag that nothing in the run would heed is refused. @param used the rigs of the run */
export function requireHeeded(flags: RunFlags, used: readonly string[]): void {
  for (const [name, flag, takers] of rigFlags) {
    if (flags[name] === undefined || takers.some((rig) => used.includes(rig))) continue;
    throw new UsageError(
      `${flag}: this run uses rig ${used.join(' and ')}, and only rig ${takers.join(', ')} heeds it`,
      `add --rig ${takers[0] ?? ''}`,
    );
  }
}

/** What the command line leaves open, the configuration says. */
export function withConfig(flags: RunFlags, config: Config): RunFlags {
  const { fs, commits, states, exhaustive, diskFault, nested, profile } = config;
  const given = Object.entries({ fs, commits, states, exhaustive, diskFault, nested, profile });
  const lists = Object.entries({ fault: config.fault, rig: config.rig });
  return {
    ...Object.fromEntries(given.filter(([, value]) => value !== undefined)),
    ...Object.fromEntries(lists.filter(([, value]) => value.length > 0)),
    ...flags,
  };
}
