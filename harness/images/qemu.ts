/** The QEMU that runs an image, and how. */
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { cacheFolder } from './cache.js';
import { kvmBoots } from './kvm.js';
import { emulates, installedQemu, noQemu, qemuRule, systemQemu } from './qemu-version.js';
import type { VmImage } from './store.js';

export interface Qemu {
  program: string;
  /** To start it with. */
  env: NodeJS.ProcessEnv;
  /** E.g. `7.2.22`. */
  version: string;
}

/** As `vm/config.ts` has it. */
type Accelerator = 'kvm' | 'tcg';

/**
 * What came with the image, or the system's. Throws UnavailableError where there is none, or only one whose emulation
 * cannot be trusted with this kernel.
 */
export async function qemuFor(image: VmImage): Promise<Qemu> {
  const found = qemuAt(image);
  if (image.manifest.qemu === undefined) refuseEmulation(image, found, await acceleratorFor(image));
  return found;
}

function qemuAt(image: VmImage): Qemu {
  const own = image.manifest.qemu;
  if (own !== undefined) {
    return { program: path.join(image.folder, own.program), env: process.env, version: own.version };
  }
  const found = installedQemu();
  if (found !== null) return { ...found, env: process.env };
  throw new UnavailableError(noQemu.reason, noQemu.remedy);
}

/** Throws UnavailableError where this kernel would be emulated by a QEMU that damages its memory. */
export function refuseEmulation(
  { id, release, manifest }: Pick<VmImage, 'id' | 'release' | 'manifest'>,
  { version }: Pick<Qemu, 'version'>,
  accel: Accelerator,
): void {
  const rule = qemuRule();
  if (accel === 'kvm' || emulates(version, release, rule)) return;
  throw new UnavailableError(
    `kernel ${release} needs QEMU ${rule.atLeast} or newer where KVM does not boot it, and this is ${version}: ${rule.why}`,
    `build the image again, and it brings one along: plugpull image rm ${id}; plugpull image build ${manifest.recipe}`,
  );
}

const accelerators = new Map<string, Promise<Accelerator>>();

/** `kvm` only where it has booted this image's kernel; looked at once in a process. */
export function acceleratorFor(image: VmImage): Promise<Accelerator> {
  const { program } = qemuAt(image);
  const known = accelerators.get(image.kernel);
  if (known !== undefined) return known;
  const found = kvmBoots(program, image.kernel, image.initrd).then((boots) => (boots ? 'kvm' : 'tcg'));
  accelerators.set(image.kernel, found);
  return found;
}

/** Why no guest can run here, whatever its image; null: some can. */
export function whyNoQemu(): typeof noQemu | null {
  if (installedQemu() !== null) return null;
  const images = cacheFolder('images');
  const brought = readdirSync(images).some((id) => existsSync(path.join(images, id, 'qemu', systemQemu)));
  return brought ? null : noQemu;
}
