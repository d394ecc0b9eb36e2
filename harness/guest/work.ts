/** Targets on the agent's machine: the same subjects as everywhere, with marks. */
import { native } from '../../native/index.js';
import type { CrashPlan } from '../core/events.js';
import type { Target } from '../core/target.js';
import { BuiltinSubject, commitsInTrial } from '../subjects/builtin.js';
import { createSubject } from '../subjects/create.js';
import type { Subject, SubjectCheck, SubjectRun } from '../subjects/subject.js';
import { Zygote } from '../subjects/zygote.js';
import type { MarkPlaces } from '../worker/job.js';
import { Gate } from './gate.js';
import { object, path, text, whole, type Params, ParamsError } from './params.js';
import type { Marks } from './protocol.js';

/** Longest run: how long the power stays on is the controller's business. */
const runMillis = 3600 * 1000;

export class Work {
  readonly zygote = new Zygote();
  /** A zygote takes one job at a time. */
  private turn: Promise<unknown> = Promise.resolve();
  private subject: { key: string; subject: Subject } | null = null;

  /** @param confirm tells the controller of a mark, and resolves when it has taken note of it */
  constructor(private readonly confirm: (text: string) => Promise<void>) {}

  async warm(): Promise<void> {
    await this.zygote.run({
      op: 'warm',
      limits: { timeMs: 60_000, rssBytes: 0, outputBytes: 0 },
    });
  }

  setup(params: Params): Promise<SubjectRun> {
    return this.inTurn(async () => {
      const target = targetOf(params);
      if (target.kind === 'backend') return this.runBackend(params, target, 0, true);
      const marks = marksOf(params);
      const made = await (await this.subjectFor(target)).setup(path(params, 'dir'), whole(params, 'seed'));
      if (made.acked === 0) await this.withMarks(marks, (mark) => mark('ack 0'));
      return made;
    });
  }

  run(params: Params): Promise<SubjectRun> {
    return this.inTurn(async () => {
      const target = targetOf(params);
      const commits = whole(params, 'commits');
      const create = params.create === true;
      return target.kind === 'backend'
        ? this.runBackend(params, target, commits, create)
        : this.runCommand(params, target, commits, create);
    });
  }

  check(params: Params): Promise<SubjectCheck> {
    return this.inTurn(async () => {
      const target = targetOf(params);
      const subject =
        target.kind === 'backend' ? new BuiltinSubject(target, this.zygote) : await this.subjectFor(target);
      const acked = params.acked;
      if (!Number.isSafeInteger(acked)) throw new ParamsError('acked: a whole number is needed');
      return subject.check(path(params, 'dir'), whole(params, 'seed'), acked as number);
    });
  }

  async close(): Promise<void> {
    await this.subject?.subject.close();
    this.subject = null;
    await this.zygote.close();
  }

  private async runBackend(
    params: Params,
    target: Extract<Target, { kind: 'backend' }>,
    commits: number,
    create: boolean,
  ): Promise<SubjectRun> {
    const marks = marksOf(params);
    const gate = marks.confirm === true ? await Gate.open(this.confirm) : null;
    const places: MarkPlaces = {
      ...(gate === null
        ? marks.port === undefined
          ? {}
          : { port: marks.port }
        : { port: gate.port, gate: gate.gate }),
      ...(marks.disk === undefined ? {} : { disk: marks.disk }),
      steps: marks.steps !== false,
    };
    try {
      const subject = new BuiltinSubject(target, this.zygote, { places, timeMs: runMillis });
      const dir = path(params, 'dir');
      const seed = whole(params, 'seed');
      if (create) await subject.setup(dir, seed);
      return await subject.run(dir, seed, planOf(params), {
        commits: Math.min(commits, commitsInTrial * 100),
      });
    } finally {
      gate?.close();
    }
  }

  private async runCommand(
    params: Params,
    target: Target,
    commits: number,
    create: boolean,
  ): Promise<SubjectRun> {
    const dir = path(params, 'dir');
    const seed = whole(params, 'seed');
    const subject = await this.subjectFor(target);
    if (create) {
      const made = await subject.setup(dir, seed);
      if (made.end !== 'exited' || made.exit !== 0) return { ...made, acked: -1 };
    }
    return this.withMarks(marksOf(params), async (mark) => {
      await mark('begin');
      if (create) await mark('ack 0');
      const ran = await subject.run(dir, seed, planOf(params), {
        commits,
        millis: runMillis,
        // Out before the program is answered.
        onCommit: (commit) => mark(`ack ${commit}`),
      });
      if (ran.end !== 'crashed') await mark(`done ${ran.acked}`);
      return ran;
    });
  }

  /** For work that this process itself marks. */
  private async withMarks<T>(
    { port, disk, confirm }: Marks,
    body: (mark: (text: string) => Promise<void>) => Promise<T>,
  ): Promise<T> {
    native.openMarks({ ...(port === undefined ? {} : { port }), ...disk });
    try {
      return await body(async (text) => {
        native.mark(text);
        if (confirm === true) await this.confirm(text);
      });
    } finally {
      native.openMarks({});
    }
  }

  private async subjectFor(target: Target): Promise<Subject> {
    const key = JSON.stringify(target);
    if (this.subject?.key !== key) {
      await this.subject?.subject.close();
      this.subject = null;
      this.subject = { key, subject: createSubject(target, this.zygote) };
    }
    return this.subject.subject;
  }

  private inTurn<T>(body: () => Promise<T>): Promise<T> {
    const done = this.turn.then(body, body);
    this.turn = done.catch(() => undefined);
    return done;
  }
}

export function targetOf(params: Params): Target {
  const target = object(params.target, 'target');
  if (target.kind === 'backend') {
    for (const name of ['backend', 'workload']) text(target, name);
  } else if (target.kind === 'command') {
    for (const name of ['setup', 'run', 'check']) text(target, name);
    object(target.limits, 'target.limits');
  } else {
    throw new ParamsError('target.kind: backend or command is needed');
  }
  return target as unknown as Target;
}

function marksOf(params: Params): Marks {
  const marks = object(params.marks ?? {}, 'marks');
  if (marks.port !== undefined) path(marks, 'port');
  if (marks.disk !== undefined) {
    const disk = object(marks.disk, 'marks.disk');
    path(disk, 'device');
    if (whole(disk, 'offset') % 512 !== 0)
      throw new ParamsError('marks.disk.offset: a multiple of 512 is needed');
  }
  return marks;
}

function planOf(params: Params): CrashPlan | undefined {
  if (params.plan === null || params.plan === undefined) return undefined;
  return object(params.plan, 'plan') as unknown as CrashPlan;
}
