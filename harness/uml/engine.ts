/** Fault `cut` on rig `disk` without root: the disk's part of a campaign inside user-mode Linux, one machine for each core. */
import os from 'node:os';
import type { DiskOptions } from '../campaign/disk-engine.js';
import { ToldBefore } from '../campaign/told-before.js';
import type { Budget, CampaignContext, Engine, NewFinding } from '../campaign/context.js';
import { noCounts, type Counts } from '../core/counts.js';
import { UnavailableError } from '../core/errors.js';
import type { RunEvent, TargetEnded } from '../core/events.js';
import { summarize, type Target } from '../core/target.js';
import { diskProgram } from '../disk/line-process.js';
import { parseFileSystem } from '../disk/file-systems.js';
import { userModeLinux } from '../rigs/uml.js';
import { confirmCrash } from './crash.js';
import { GuestDied, guestBytes, Machine, requireUml } from './machine.js';
import { machinesThatFit, memoryFolder } from './memory-folder.js';
import type { Answer } from './protocol.js';
import { cpusFor } from './cpus.js';
import { mergeEnds } from './merge-ends.js';

/** A guest that was told to stop may take so long: it may be in the middle of a recording. */
const graceMillis = 60_000;

/** A target on a file system. With fewer of them than machines, each machine takes a share of its crash states. */
interface Job {
  target: Target;
  /** As given to --fs. */
  fs: string;
  index: number;
  shares: number;
  /** Shares that have not ended yet. */
  open: number;
  ends: TargetEnded[];
  told: Set<string>;
  before: ToldBefore;
}

interface Task {
  job: Job;
  /** 0-based. */
  share: number;
  /** What it found before it told of its states: all that is left of it where its machine dies. */
  found: NewFinding[];
}

export class UmlDiskEngine implements Engine {
  readonly fault = 'cut';
  readonly rig = 'disk';

  constructor(
    private readonly targets: readonly Target[],
    private readonly options: DiskOptions,
  ) {
    options.fileSystems.map(parseFileSystem); // a name that is wrong is told before anything begins
  }

  facts(): Record<string, string> {
    const uml = userModeLinux();
    return uml === null ? {} : { 'kernel of rig disk': `user-mode Linux ${uml.release}` };
  }

  async run(context: CampaignContext, budget: Budget, firstIndex: number): Promise<number> {
    requireUml();
    diskProgram();
    const fit = machinesThatFit(memoryFolder(guestBytes), guestBytes);
    const lanes = Math.max(1, Math.min(context.jobs, os.availableParallelism(), fit));
    const jobs = this.jobs(context, firstIndex, lanes);
    await new Lanes(context, this.options, budget, jobs, lanes).run();
    return firstIndex + this.targets.length * this.options.fileSystems.length;
  }

  /**
   * Jobs that all lanes cannot share evenly are cut into shares, so that no lane is idle at the end; but not where all states
   * of one run are asked for, since each share records its own. What an earlier part of a resumed run has done is left out.
   */
  private jobs(context: CampaignContext, firstIndex: number, lanes: number): Job[] {
    const { tally } = context;
    const { fault, rig } = this;
    const all = this.targets
      .flatMap((target) => this.options.fileSystems.map((fs) => ({ target, fs })))
      .map((one, number) => ({ ...one, index: firstIndex + number }))
      .filter(({ target, fs }) => tally.find(target.id, fault, rig, fs)?.ended !== true);
    const whole = this.options.exhaustive ? all.length : all.length - (all.length % lanes);
    return all.map((one, number) => ({
      ...one,
      shares: number < whole ? 1 : lanes,
      open: number < whole ? 1 : lanes,
      ends: [],
      told: new Set(),
      before: new ToldBefore(tally, { target: one.target.id, fault, rig, fs: one.fs }),
    }));
  }
}

/** Machines that take tasks from one queue. */
class Lanes {
  private readonly tasks: Task[];
  private readonly deadline: number;
  private readonly running = new Set<{ jobs: number; from: number; until: number }>();
  private statesLeft: number | null;
  private failure: unknown = null;
  private booted = false;

  constructor(
    private readonly context: CampaignContext,
    private readonly options: DiskOptions,
    budget: Budget,
    jobs: readonly Job[],
    private readonly lanes: number,
  ) {
    this.tasks = jobs.flatMap((job) =>
      Array.from({ length: job.shares }, (_, share) => ({ job, share, found: [] })),
    );
    this.deadline = budget.millis === null ? Infinity : performance.now() + budget.millis;
    this.statesLeft = budget.trials;
  }

  /** Throws what the first lane threw. */
  async run(): Promise<void> {
    const cpus = await cpusFor(Math.min(this.lanes, this.tasks.length));
    await Promise.all(
      cpus.map((cpu) =>
        this.lane(cpu).catch((error: unknown) => {
          this.failure ??= error;
        }),
      ),
    );
    if (this.failure !== null) throw this.failure as Error;
  }

  private stopping(): boolean {
    return this.failure !== null || this.context.stopping();
  }

  private async lane(cpu: number | null): Promise<void> {
    let machine: Machine | null = null;
    try {
      while (!this.stopping() && this.tasks.length > 0) {
        machine ??= await this.boot(cpu);
        const left = this.work();
        const task = this.tasks.shift();
        if (task === undefined) break;
        try {
          await this.task(machine, task, left);
        } catch (error) {
          if (!(error instanceof GuestDied)) throw error;
          if (!this.context.stopping()) await this.died(task, error, machine, cpu);
          await machine.close();
          machine = null;
        }
        this.end(task);
      }
    } finally {
      await machine?.close();
    }
  }

  private async boot(cpu: number | null): Promise<Machine> {
    const { scratchFolder } = this.context;
    try {
      const machine = await Machine.boot({ folder: scratchFolder, cpu });
      this.booted = true;
      return machine;
    } catch (error) {
      // What has worked once is not missing on this machine.
      if (this.booted && error instanceof UnavailableError) throw new Error(error.message, { cause: error });
      throw error;
    }
  }

  /** What is left to do, in whole jobs, what the other lanes still have under way included. */
  private work(): number {
    const now = performance.now();
    const running = [...this.running].map(
      ({ jobs, from, until }) => jobs * (until === Infinity ? 1 : Math.max(0, until - now) / (until - from)),
    );
    return [...running, ...this.tasks.map(({ job }) => 1 / job.shares)].reduce((sum, one) => sum + one, 0);
  }

  private async task(machine: Machine, task: Task, left: number): Promise<void> {
    const { job, share } = task;
    const { context } = this;
    const time = this.deadline - performance.now();
    const millis = Math.max(0, Math.min(time, (time * this.lanes) / job.shares / left));
    const states = this.statesLeft === null ? null : Math.ceil(this.statesLeft / left / job.shares);
    const most = this.options.states;
    const from = performance.now();
    const running = { jobs: 1 / job.shares, from, until: from + Math.max(1, millis) };
    task.found.length = 0;
    this.running.add(running);
    let explored = 0;
    if (this.statesLeft !== null) this.statesLeft -= states ?? 0;
    const { index, of } = context.shard;
    try {
      await machine.work(
        {
          kind: 'explore',
          target: job.target,
          options: {
            ...this.options,
            fileSystems: [job.fs],
            states: most === null ? null : Math.ceil(most / job.shares),
          },
          seed: context.seed,
          shard: { index: index + of * share, of: of * job.shares },
          index: job.index,
          millis: millis === Infinity ? null : millis,
          states,
        },
        (answer) => {
          if (answer.type === 'finding') task.found.push(answer.finding);
          explored += this.heard(job, answer);
        },
        () => this.stopping(),
        graceMillis,
      );
    } finally {
      this.running.delete(running);
      // What it left over is for the others.
      if (this.statesLeft !== null) this.statesLeft += Math.max(0, (states ?? 0) - explored);
    }
  }

  /** Passes an answer on as the campaign's own; gives the number of states that it tells of. */
  private heard(job: Job, answer: Answer): number {
    if (answer.type === 'finding') this.context.addFinding(answer.finding);
    if (answer.type !== 'event') return 0;
    const { event } = answer;
    if (event.type === 'target-ended') {
      job.ends.push(event);
      return 0;
    }
    // Every share begins, and skips, the same target: once is enough.
    const once = event.type === 'target-started' || event.type === 'skipped';
    const text = JSON.stringify(event);
    if (once && job.told.has(text)) return 0;
    if (once) job.told.add(text);
    this.context.emit(event.type === 'states' ? job.before.beyond(event) : event);
    return event.type === 'states' ? event.states : 0;
  }

  /** The kernel of a machine crashed, or it was ended: a state that does that again is a finding. */
  private async died(
    { job, found }: Task,
    death: GuestDied,
    machine: Machine,
    cpu: number | null,
  ): Promise<void> {
    const { target } = job;
    const fs = parseFileSystem(job.fs).name;
    const { fault, rig } = diskNames;
    const { scratchFolder: base } = this.context;
    const stopping = (): boolean => this.stopping();
    const { folder } = machine;
    let finding: NewFinding | null = null;
    let doubt = '';
    try {
      if (death.panicked) {
        finding = await confirmCrash({ folder, death, index: job.index, base, cpu, stopping, graceMillis });
      }
    } catch (error) {
      doubt = `; no fresh kernel could be shown its state: ${(error as Error).message}`;
    }
    const started: RunEvent = { type: 'target-started', target: { ...summarize(target, fault, rig), fs } };
    this.heard(job, { type: 'event', event: started });
    if (finding === null) {
      const said = death.console === '' ? '' : `; its console ended with:\n${death.console}`;
      const text = `${target.id} on ${fs}: ${death.message}${doubt}${said}`;
      this.context.emit({ type: 'note', level: 'warning', text });
    } else {
      this.context.addFinding(finding);
    }
    const all = finding === null ? found : [...found, finding];
    const told: Partial<Counts> = finding === null ? { 'harness-broken': 1 } : {};
    for (const { verdict } of all.filter((one) => one.target.id === target.id)) {
      told[verdict] = (told[verdict] ?? 0) + 1;
    }
    const states = all.length;
    this.context.emit({
      ...{ type: 'states', target: target.id, fault, rig, fs, counts: told },
      ...{ states, of: null, exhaustive: false, millis: 0 },
    });
    const counts = { ...noCounts(), ...told };
    job.ends.push({ type: 'target-ended', target: target.id, fault, rig, fs, counts });
  }

  private end({ job }: Task): void {
    job.open--;
    // What was broken off is begun again when the run goes on.
    const merged = job.open === 0 && !this.stopping() ? mergeEnds(job.ends) : null;
    if (merged !== null) this.context.emit(merged);
  }
}

const diskNames = { fault: 'cut', rig: 'disk' } as const;
