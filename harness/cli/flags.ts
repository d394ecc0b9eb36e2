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
