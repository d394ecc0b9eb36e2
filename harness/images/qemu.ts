/** The QEMU that runs an image, and how. */
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { kvmBoots, kvmState } from './kvm.js';
import { emulates, installedQemu, qemuRule } from './qemu-version.js';
import type { VmImage } from './store.js';

export interface Qemu {
  program: string;
  /** To start it with. */
  env: NodeJS.ProcessEnv;
  /** E.g. `7.2.22`. */
  version: string;
}

/**
 * What came with the image, or the system's. Throws UnavailableError where there is none, or only one whose emulation
 * cannot be trusted with this kernel.
 */
export function qemuFor(image: VmImage): Qemu {
  const own = image.manifest.qemu;
  if (own !== undefined) {
    return { program: path.join(image.folder, own.program), env: process.env, version: own.version };
  }
  const found = installedQemu();
  if (found === null) {
    throw new UnavailableError(
      'QEMU is not installed',
      'apt-get install --no-install-recommends qemu-system-x86',
    );
  }
  const rule = qemuRule();
  if (!emulates(found.version, image.release, rule) && !kvmState().works) {
    throw new UnavailableError(
      `kernel ${image.release} needs QEMU ${rule.atLeast} or newer without KVM, and this is ${found.version}: ${rule.why}`,
      `build the image again, and it brings one along: plugpull image rm ${image.id}; plugpull image build ${image.manifest.recipe}`,
    );
  }
  return { ...found, env: process.env };
}

const accelerators = new Map<string, Promise<'kvm' | 'tcg'>>();

/** `kvm` only where it has booted this image's kernel; looked at once in a process. */
export function acceleratorFor(image: VmImage): Promise<'kvm' | 'tcg'> {
  const { program } = qemuFor(image);
  const known = accelerators.get(image.kernel);
  if (known !== undefined) return known;
  const found = kvmBoots(program, image.kernel, image.initrd).then((boots) => (boots ? 'kvm' : 'tcg'));
  accelerators.set(image.kernel, found);
  return found;
}
