/** Does KVM really run guests here? That the device can be opened does not say so. */
import { spawnSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { findTool, runTool } from './tools.js';
import { systemQemu } from './qemu-version.js';

export interface KvmState {
  works: boolean;
  /** In words, why or why not. */
  reason: string;
}

const device = '/dev/kvm';
const startMillis = 10_000;
const bootMillis = 20_000;
let known: KvmState | null = null;

/** Has QEMU start a machine with KVM, without a guest, once in a process. */
export function kvmState(): KvmState {
  known ??= probe();
  return known;
}

/** Arguments of the smallest machine with KVM. */
function machine(mebibytes: number): string[] {
  const size = ['-cpu', 'host', '-m', String(mebibytes)];
  return ['-M', 'q35', '-accel', 'kvm', ...size, '-nodefaults', '-display', 'none'];
}

function probe(): KvmState {
  try {
    accessSync(device, constants.R_OK | constants.W_OK);
  } catch (error) {
    return { works: false, reason: `${device}: ${(error as NodeJS.ErrnoException).code ?? 'error'}` };
  }
  const program = findTool(systemQemu);
  if (program === null) return { works: false, reason: `${systemQemu} is not installed` };
  // It must not outlive us, should it hang.
  const guarded = ['--pdeathsig', 'KILL', program];
  const { status, stderr, error } = spawnSync(
    'setpriv',
    [...guarded, ...machine(64), '-S', '-qmp', 'stdio'],
    {
      input: '{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n',
      encoding: 'utf8',
      timeout: startMillis,
      killSignal: 'SIGKILL',
    },
  );
  if (status === 0) return { works: true, reason: 'QEMU starts machines with it' };
  if (error !== undefined && 'code' in error && error.code === 'ETIMEDOUT') {
    return { works: false, reason: 'QEMU hangs with it' };
  }
  const said = stderr.trim().split('\n')[0] ?? '';
  return { works: false, reason: `${device} is there, but QEMU fails: ${said}` };
}

/** Boots a kernel with KVM as far as the initrd's first line: some hosts start machines that run no guest. */
export async function kvmBoots(program: string, kernel: string, initrd: string): Promise<boolean> {
  if (!kvmState().works) return false;
  return boots([program, ...machine(256)], kernel, initrd);
}

/** Does this machine boot the kernel as far as the initrd's first line? @param machine program and arguments */
export async function boots(
  machine: readonly string[],
  kernel: string,
  initrd: string,
  millis = bootMillis,
): Promise<boolean> {
  const what = ['-no-reboot', '-serial', 'stdio', '-kernel', kernel, '-initrd', initrd];
  const words = ['-append', 'console=ttyS0 quiet panic=-1 plugpull.probe=1'];
  try {
    return (await runTool([...machine, ...what, ...words], { millis })).includes('plugpull: kernel ');
  } catch {
    return false; // it failed, or took too long
  }
}
