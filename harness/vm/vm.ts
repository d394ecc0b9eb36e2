/** A virtual machine that runs: booted, or restored from a template. */
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, statSync } from 'node:fs';
import path from 'node:path';
import { AgentClient, AgentError } from '../guest/client.js';
import { LineCutter } from '../guest/lines.js';
import { descriptors, machineArguments, type ExtraDisk, type MachineSpec } from './arguments.js';
import { maxExtraDisks } from './config.js';
import { VmError } from './error.js';
import { QemuProcess, type QemuProgram } from './process.js';
import { emptyFile, memoryFile, stateFile, type Template } from './template-files.js';

export interface RestoreOptions {
  /** Raw file of exactly `diskBytes` bytes: the data disk. Written through the host's page cache. */
  disk: string;
  /** Every write and flush of the data disk goes to this file too (blklogwrites, sectors of 512 bytes). It is made. */
  log?: string;
  /** Raw files of whole sectors for `extraDevices`, read-only; behind their end they read as zeros up to `extraBytes`. */
  extraDisks?: readonly string[];
  /** For tests: do not wait longer for what takes no time as a rule. */
  patienceMillis?: number;
}

/** Longest boot to the agent's first answer; some ten seconds as a rule, a minute on a very busy machine. */
const bootMillis = 300_000;
const restoreMillis = 60_000;
const maxMarkBytes = 4096;

export class Vm {
  /** The guest kernel's boot id, its own even among guests of one template. */
  bootId = '';
  /** From spawning QEMU to the answer to the first command. */
  startMillis = 0;
  readonly agent: AgentClient;
  /** Settles when QEMU is gone: null if we ended it, else why. The agent's `closed` settles too. */
  readonly ended: Promise<VmError | null>;
  private listener: ((text: string) => void) | null = null;

  /** Use `restore` or `boot`. */
  constructor(readonly process: QemuProcess) {
    this.agent = new AgentClient(process.control, 'the agent in the guest');
    this.ended = process.ended;
    // Nothing is read of the marks until somebody listens: the guest then waits, and nothing is lost.
    process.marks.pause();
    void process.ended.then(() => process.marks.resume());
  }

  /**
   * Loads the template with disks of its own and wakes it: its clock is right, its random state its own, `bootId` fresh.
   * Rejects with a VmError.
   */
  static async restore(template: Template, options: RestoreOptions): Promise<Vm> {
    const began = performance.now();
    const { disk, log, extraDisks = [], patienceMillis = restoreMillis } = options;
    if (extraDisks.length > maxExtraDisks) throw new Error(`more than ${maxExtraDisks} further disks`);
    const { diskBytes } = template.config;
    if (statSync(disk).size !== diskBytes) throw new Error(`${disk} does not have ${diskBytes} bytes`);
    if (log !== undefined) closeSync(openSync(log, 'w'));
    const spec: MachineSpec = {
      config: template.config,
      disks: {
        root: template.image.root,
        payload: template.payload,
        data: disk,
        ...(log === undefined ? {} : { log }),
        extra: extraFiles(template, extraDisks),
      },
      boot: null,
      memory: { file: path.join(template.folder, memoryFile), shared: false },
    };
    const state = openState(template);
    let vm: Vm;
    try {
      vm = new Vm(await QemuProcess.start(template.qemu, machineArguments(spec), state));
    } finally {
      closeSync(state);
    }
    return vm.begin('restore', patienceMillis, async () => {
      await vm.load(patienceMillis);
      const entropy = randomBytes(32).toString('base64');
      const wake = { epochMillis: Date.now(), entropy };
      vm.bootId = (await vm.agent.call('wake', wake, { timeoutMillis: patienceMillis })).bootId;
      vm.startMillis = performance.now() - began;
    });
  }

  /** Boots a machine and waits for its agent. Rejects with a VmError. */
  static async boot(qemu: QemuProgram, spec: MachineSpec, patienceMillis = bootMillis): Promise<Vm> {
    const began = performance.now();
    const vm = new Vm(await QemuProcess.start(qemu, machineArguments(spec)));
    return vm.begin('boot', patienceMillis, async () => {
      await vm.agent.hello({ timeoutMillis: patienceMillis });
      vm.startMillis = performance.now() - began;
    });
  }

  /** QEMU's process. */
  get pid(): number {
    return this.process.pid;
  }

  /** Lines of the marks port, in order, as they come; to be called once. The guest waits with its marks until then. */
  onMark(listener: (text: string) => void): void {
    if (this.listener !== null) throw new Error('marks have a listener already');
    this.listener = listener;
    const { marks } = this.process;
    const cutter = new LineCutter(maxMarkBytes, listener, () => marks.destroy());
    marks.on('data', (chunk: Buffer) => cutter.push(chunk));
    marks.resume();
  }

  /** The end of the serial console, bounded. */
  console(): string {
    return this.process.console();
  }

  alive(): boolean {
    return this.process.alive();
  }

  /** SIGKILL to the process group; resolves when it is gone, with all marks delivered. */
  async kill(): Promise<void> {
    await this.process.kill();
    this.agent.close();
  }

  /** Stops the guest and lets QEMU write out its log and end: for logged runs. */
  async stopAndQuit(): Promise<void> {
    await this.process.stopAndQuit();
    this.agent.close();
  }

  /** See QemuProcess.watchHost. */
  watchHost(): () => Promise<VmError | null> {
    return this.process.watchHost();
  }

  /** What stands behind a failed call of the agent: the machine's end, its kernel's panic, or a guest that hangs. */
  async explain(error: unknown): Promise<Error> {
    if (!(error instanceof AgentError) || error.kind === 'refused') return error as Error;
    return this.process.explain(error.kind === 'timeout' ? 'hung' : 'host', error);
  }

  /** Does what must be done before anybody may have the machine; without success it is gone. */
  private async begin(kind: 'boot' | 'restore', millis: number, body: () => Promise<void>): Promise<this> {
    try {
      await Promise.race([
        body(),
        this.ended.then((error) => Promise.reject(error ?? this.process.error('host', 'it was ended'))),
      ]);
      return this;
    } catch (error) {
      const why = await this.whyNot(kind, millis, error);
      await this.kill();
      throw why;
    }
  }

  private async whyNot(kind: 'boot' | 'restore', millis: number, error: unknown): Promise<VmError> {
    const why = await this.explain(error);
    if (why instanceof VmError && why.kind !== 'hung') {
      // QEMU ends where it cannot make sense of a state.
      return kind === 'restore' && why.kind === 'host' ? this.process.error(kind, why.what) : why;
    }
    if (error instanceof AgentError && error.kind === 'timeout') {
      const what = kind === 'boot' ? 'did not boot to its agent' : 'gave no sign of life after its restore';
      return this.process.error(kind === 'boot' ? 'boot' : 'hung', `the guest ${what} in ${millis / 1000} s`);
    }
    return this.process.error(kind, why instanceof VmError ? why.what : why.message);
  }

  private async load(timeoutMillis: number): Promise<void> {
    const { qmp } = this.process;
    const capabilities = ['x-ignore-shared', 'events'].map((capability) => ({ capability, state: true }));
    await this.process.tell('restore', 'migrate-set-capabilities', { capabilities });
    const loaded = qmp.waitFor('MIGRATION', ({ data }) => data.status === 'completed', { timeoutMillis });
    const failed = qmp.waitFor('MIGRATION', ({ data }) => data.status === 'failed', { timeoutMillis });
    for (const each of [loaded, failed]) each.catch(() => undefined);
    await this.process.tell('restore', 'migrate-incoming', { uri: `fd:${descriptors.state}` });
    try {
      await Promise.race([
        loaded,
        failed.then(() => Promise.reject(new Error('QEMU could not load the template'))),
      ]);
    } catch (error) {
      throw await this.process.explain('restore', error);
    }
    await this.process.tell('restore', 'cont');
  }
}

function openState(template: Template): number {
  const file = path.join(template.folder, stateFile);
  try {
    return openSync(file, 'r');
  } catch (error) {
    throw new VmError('restore', `the template cannot be read: ${(error as Error).message}`);
  }
}

function extraFiles(template: Template, files: readonly string[]): (ExtraDisk | null)[] {
  const empty = path.join(template.folder, emptyFile);
  return Array.from({ length: maxExtraDisks }, (_, i) => {
    const file = files[i];
    return file === undefined ? null : { file, empty };
  });
}
