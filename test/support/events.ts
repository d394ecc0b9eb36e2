/** Event streams as campaigns write them, made from a seed: the same seed gives the same events. */
import { deriveSeed, random, trialSeed, type Random } from '../../harness/core/seed.js';
import { addCounts, noCounts, type Counts } from '../../harness/core/counts.js';
import {
  eventSchema,
  type CrashPlan,
  type FaultName,
  type FindingEvent,
  type RunEnded,
  type RunEvent,
  type RunStarted,
  type TargetSummary,
  type TimelineEntry,
  type TrialEnded,
} from '../../harness/core/events.js';
import { isViolation, type CampaignVerdict, type Verdict } from '../../harness/core/verdict.js';
import { protocol, timelineFixture } from './event-parts.js';

export { hostile, hostileText, timelineFixture } from './event-parts.js';

export interface CampaignShape {
  seed?: number;
  workloads?: string[];
  backends?: string[];
  /** Random trials of each target. */
  trials?: number;
  /** Sweep every step? */
  sweep?: boolean;
  /** Targets that are wrong on purpose. */
  controls?: string[];
  /** Controls that are not caught. */
  missedControls?: string[];
  /** Targets that should hold and do not, with the share of their trials that break, in per cent. */
  violated?: Record<string, number>;
  /** Explore crash states on the disk rig under these file systems. */
  fs?: string[];
  skipped?: boolean;
  /** Every free text of the stream: used to smuggle hostile strings in. */
  text?: (plain: string) => string;
  /** Leave out the end of the run. */
  unfinished?: boolean;
}

const machine = {
  os: 'Debian GNU/Linux 12 (bookworm)',
  kernel: '6.18.5 x86_64',
  cpu: '2 × Intel Xeon',
  memory: '7.8 GiB',
  node: 'v20.20.2',
  'file system': 'ext4 (rw,relatime)',
};

export function runStarted(seed = 7): RunStarted {
  return {
    type: 'run-started',
    schema: eventSchema,
    at: '2026-03-14T09:26:53.000Z',
    run: `20260314-092653-${seed}`,
    version: '0.1.0',
    argv: ['run', '--seed', String(seed)],
    seed,
    shard: { index: 1, of: 1 },
    machine,
    config: { flags: { seed }, targets: ['redo/bank'] },
  };
}

class Stream {
  readonly counts = noCounts();
  index = 0;
  findings = 0;
  caught = new Set<string>();
  targets = new Map<TargetSummary, Counts>();
  readonly draw: Random;

  constructor(
    readonly seed: number,
    readonly text: (plain: string) => string,
  ) {
    this.draw = random(deriveSeed(seed, 'fixture'));
  }
}

/** The whole stream of a campaign. */
export function* campaignEvents(shape: CampaignShape = {}): Generator<RunEvent> {
  const stream = new Stream(shape.seed ?? 7, shape.text ?? ((plain) => plain));
  yield runStarted(stream.seed);
  if (shape.skipped ?? true) yield* skippedEvents(stream);
  const targets = targetsOf(shape);
  for (const target of targets) {
    stream.targets.set(target, noCounts());
    yield { type: 'target-started', target };
  }
  if (shape.sweep ?? true) for (const target of targets) yield* sweep(stream, target, shape);
  for (let round = 0; round < (shape.trials ?? 40); round++) {
    for (const target of targets) {
      if (target.expect === 'caught' && stream.caught.has(target.id)) continue;
      yield* randomTrial(stream, target, shape);
    }
  }
  for (const target of targets) {
    const steps = target.steps ?? [];
    const missed = steps.filter((step): boolean => step === 'redo.commit.log-switched');
    yield {
      type: 'target-ended',
      target: target.id,
      fault: target.fault,
      rig: target.rig,
      counts: stream.targets.get(target) ?? noCounts(),
      coverage: { hit: steps.filter((step) => !missed.includes(step)), missed },
    };
  }
  for (const fs of shape.fs ?? []) yield* explored(stream, fs, shape);
  if (shape.unfinished !== true) yield runEnded(stream, shape);
}

function* skippedEvents(stream: Stream): Generator<RunEvent> {
  yield {
    type: 'skipped',
    what: stream.text('snap under kill'),
    reason: stream.text('this folder cannot clone files, and mounting an image needs root'),
    remedy: stream.text('name a folder on XFS or btrfs with --dir, or run as root'),
  };
  yield { type: 'skipped', what: 'cut on disk', reason: '/dev/fuse is missing', remedy: 'modprobe fuse' };
  yield {
    type: 'note',
    level: 'warning',
    text: stream.text('PAGEMAP_SCAN is not there; pages are found by mprotect'),
  };
}

function targetsOf(shape: CampaignShape): TargetSummary[] {
  const backends = shape.backends ?? ['redo', 'journal', 'copy'];
  const workloads = shape.workloads ?? ['bank', 'kv', 'queue'];
  const common = { kind: 'backend', fault: 'kill', rig: 'folder' } as const;
  const correct = backends.flatMap((backend) =>
    workloads.map((workload): TargetSummary => {
      const id = `${backend}/${workload}`;
      return { ...common, id, backend, workload, expect: 'hold', steps: protocol[backend] ?? [] };
    }),
  );
  const controls = [...(shape.controls ?? []), ...(shape.missedControls ?? [])].map((name): TargetSummary => {
    const [backend = 'plain', planted] = name.split('+bug:');
    const wrong = {
      ...common,
      backend,
      workload: 'bank',
      expect: 'caught',
      steps: protocol[backend] ?? [],
    } as const;
    return { ...wrong, id: `${name}/bank`, ...(planted === undefined ? {} : { planted }) };
  });
  return [...correct, ...controls];
}

function* sweep(stream: Stream, target: TargetSummary, shape: CampaignShape): Generator<RunEvent> {
  for (const [i, step] of (target.steps ?? []).entries()) {
    if (step === 'redo.commit.log-switched' || stream.caught.has(target.id)) continue;
    const phase = step.includes('.create.') ? 'create' : 'run';
    yield* trial(stream, target, shape, { mode: 'step', phase, step: i + 1 }, step);
  }
}

function* randomTrial(stream: Stream, target: TargetSummary, shape: CampaignShape): Generator<RunEvent> {
  const { draw } = stream;
  const steps = (target.steps ?? []).filter(
    (step) => step.includes('.commit.') || step.includes('.checkpoint.'),
  );
  const open = steps.filter((step) => step !== 'redo.commit.log-switched');
  const step = open[Math.min(draw.int(0, open.length - 1), draw.int(0, open.length - 1))];
  const plan: CrashPlan = {
    mode: 'time',
    phase: 'run',
    afterCommit: draw.int(0, 24),
    delayMicros: draw.int(1, 3000),
  };
  if (draw.int(1, 4) === 1) plan.then = { mode: 'time', phase: 'recover', delayMicros: draw.int(1, 1500) };
  yield* trial(stream, target, shape, plan, step);
}

function* trial(
  stream: Stream,
  target: TargetSummary,
  shape: CampaignShape,
  plan: CrashPlan,
  step: string | undefined,
): Generator<RunEvent> {
  const { draw, text } = stream;
  const index = stream.index++;
  const verdict = verdictFor(stream, target, shape);
  const acked = plan.phase === 'create' ? 0 : (plan.afterCommit ?? 3);
  const slow = target.backend === 'copy' ? 4 : 1;
  const recover = (draw.int(30, 90) / 100) * slow * 2 ** (draw.int(0, 100) / 30);
  const reason = reasonFor(verdict, Math.max(0, acked));
  const event: TrialEnded = {
    type: 'trial',
    index,
    target: target.id,
    fault: target.fault,
    rig: target.rig,
    seed: trialSeed(stream.seed, index),
    plan,
    verdict,
    ...(reason === null ? {} : { reason: text(reason) }),
    acked,
    recovered: verdict === 'unrecoverable' ? null : Math.max(0, acked),
    ...(step === undefined ? {} : { step }),
    millis: { run: draw.int(4, 30), recover, total: 38 },
  };
  const counts = stream.targets.get(target);
  if (counts !== undefined) counts[verdict]++;
  if (target.expect === 'hold') stream.counts[verdict]++;
  yield event;
  if (!isViolation(verdict)) return;
  if (target.expect === 'caught') stream.caught.add(target.id);
  yield finding(stream, target, event);
}

function verdictFor({ draw }: Stream, target: TargetSummary, shape: CampaignShape): Verdict {
  if (draw.int(1, 100) <= 2) return 'not-measured';
  const wrong = ['torn', 'torn', 'lost', 'broken', 'unrecoverable'] as const;
  const share =
    target.expect === 'caught'
      ? (shape.missedControls ?? []).some((name) => target.id.startsWith(`${name}/`))
        ? 0
        : 30
      : (shape.violated?.[target.id] ?? 0);
  return draw.int(1, 100) <= share ? (wrong[draw.int(0, wrong.length - 1)] ?? 'torn') : 'held';
}

/** A reason as the oracle and the workloads give it. */
function reasonFor(verdict: Verdict, acked: number): string | null {
  switch (verdict) {
    case 'held':
      return null;
    case 'torn':
      return `the data are those of no commit: account 17 holds 93, commit ${acked} gave it 100, commit ${acked + 1} 86`;
    case 'lost':
      return `commit ${acked} was acked, and nothing was there after recovery`;
    case 'broken':
      return 'page 12: block 3 is allocated and not reachable';
    case 'unrecoverable':
      return 'recovery died by signal 11';
    case 'not-measured':
      return 'nothing was in flight when it died';
    default:
      return verdict;
  }
}

function finding(
  stream: Stream,
  target: TargetSummary,
  event: TrialEnded,
  timeline?: TimelineEntry[],
): FindingEvent {
  const number = ++stream.findings;
  const folder = `findings/${String(number).padStart(4, '0')}`;
  return {
    type: 'finding',
    number,
    trial: event.index,
    target: target.id,
    verdict: event.verdict,
    fault: target.fault,
    rig: target.rig,
    ...(target.fs === undefined ? {} : { fs: target.fs }),
    seed: event.seed,
    plan: event.plan,
    acked: event.acked,
    recovered: event.recovered,
    explanation: stream.text(
      `${event.verdict}: crashed right after ${event.step ?? '?'}; ${event.reason ?? ''}`,
    ),
    folder,
    bundle: timeline === undefined ? null : `${folder}/bundle.plugpull`,
    replay: stream.text(`plugpull replay .plugpull/runs/20260314-092653-${stream.seed}/${folder}`),
    expected: target.expect === 'caught',
    ...(timeline === undefined ? {} : { timeline }),
  };
}

function* explored(stream: Stream, fs: string, shape: CampaignShape): Generator<RunEvent> {
  for (const backend of shape.backends ?? ['redo', 'journal', 'copy']) {
    const fault: FaultName = 'cut';
    const id = `${backend}/bank`;
    const broken = shape.violated?.[`${id}@${fs}`] !== undefined;
    const target: TargetSummary = {
      id,
      kind: 'backend',
      backend,
      workload: 'bank',
      expect: 'hold',
      fault,
      rig: 'disk',
      fs,
      steps: protocol[backend] ?? [],
    };
    yield { type: 'target-started', target };
    const states = stream.draw.int(800, 2400);
    const lost = broken ? stream.draw.int(20, 60) : 0;
    const counts = { held: states - lost, lost };
    const bySteps: Record<string, number> = {};
    for (const step of target.steps ?? []) {
      if (!step.includes('.recover.')) bySteps[step] = stream.draw.int(20, 300);
    }
    addCounts(stream.counts, counts);
    const exhaustive = backend === 'copy';
    const of = exhaustive ? states : states * stream.draw.int(2, 40);
    yield {
      type: 'states',
      target: id,
      fault,
      rig: 'disk',
      fs,
      counts,
      states,
      of,
      exhaustive,
      bySteps,
      millis: 4100,
    };
    if (broken) {
      const event: TrialEnded = {
        type: 'trial',
        index: stream.index++,
        target: id,
        fault,
        rig: 'disk',
        fs,
        seed: trialSeed(stream.seed, stream.index),
        plan: { mode: 'state', phase: 'run', choices: '2:lost,5:kept,6:torn@3' },
        verdict: 'lost',
        reason: 'commit 5 was acked, but recovery gave commit 4; lost: 1 write, page 17 of heap.db',
        acked: 5,
        recovered: 4,
        step: `${backend}.commit.journal-synced`,
        millis: { run: 0, recover: 3.1, total: 6 },
      };
      yield finding(stream, target, event, timelineFixture(stream.text));
    }
  }
}

function runEnded(stream: Stream, shape: CampaignShape): RunEnded {
  const violated = Object.entries(stream.counts).some(
    ([verdict, n]) => isViolation(verdict as Verdict) && n > 0,
  );
  const missed = (shape.missedControls ?? []).length > 0;
  const verdict: CampaignVerdict = violated ? 'violation' : missed ? 'harness-broken' : 'held';
  const exitCode = violated ? 1 : missed ? 70 : 0;
  return {
    type: 'run-ended',
    at: '2026-03-14T09:27:53.000Z',
    verdict,
    exitCode,
    interrupted: false,
    counts: { ...stream.counts },
    caveats: [
      ...(missed
        ? [
            stream.text(
              `${shape.missedControls?.join(', ') ?? ''} is wrong on purpose and was not caught: do not trust this run.`,
            ),
          ]
        : []),
      ...((shape.fs ?? []).length === 0
        ? [
            'Only processes were killed: the page cache survived every crash, so a missing flush could not be seen.',
          ]
        : []),
    ],
    millis: 60_000,
  };
}

/** A held campaign with six planted bugs and the negative control. */
export const heldShape: CampaignShape = {
  trials: 60,
  controls: [
    'plain',
    'redo+bug:redo.log-without-checksum',
    'journal+bug:journal.in-place-first',
    'copy+bug:copy.rename-first',
  ],
};

/** A campaign in which a backend breaks under kills and another one under power cuts. */
export const violatedShape: CampaignShape = {
  trials: 60,
  controls: ['plain', 'redo+bug:redo.log-without-checksum'],
  violated: { 'journal/kv': 6, 'journal/bank@xfs': 1 },
  fs: ['ext4', 'xfs', 'btrfs'],
};
