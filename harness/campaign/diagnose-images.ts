/** What this machine has for virtual machines. */
import { buildingTools } from '../images/build.js';
import { cacheRoot } from '../images/cache.js';
import { acceleratorFor, BrokenImageError, findImage, type VmImage } from '../images/image.js';
import { kvmState } from '../images/kvm.js';
import { installedQemu, noQemu } from '../images/qemu-version.js';
import { kernelNames } from '../images/recipe.js';
import { findTool, packagesOf } from '../images/tools.js';
import type { Finding } from './diagnose.js';

const needed = 'virtual machines';

export async function diagnoseImages(): Promise<Finding[]> {
  const what = 'guest images';
  if (process.arch !== 'x64') {
    return [
      { state: 'optional', what, detail: `they are built on x86-64 only, and this is ${process.arch}` },
    ];
  }
  const found: { finding: Finding; image: VmImage | null }[] = [];
  for (const kernel of kernelNames()) found.push(await imageFinding(kernel));
  const image = found.find((one) => one.image !== null)?.image ?? null;
  return [qemu(), await acceleration(image), builders(), ...found.map(({ finding }) => finding)];
}

function qemu(): Finding {
  const found = installedQemu();
  const what = 'qemu';
  if (found !== null) return { state: 'ok', what, detail: `version ${found.version}; ${needed}` };
  return {
    state: 'optional',
    what,
    detail: `not installed; needed for ${needed}`,
    remedy: noQemu.remedy,
  };
}

async function acceleration(image: VmImage | null): Promise<Finding> {
  const what = 'KVM';
  const { works, reason } = kvmState();
  const slow = 'processors of virtual machines are emulated, which is slower';
  const remedy = 'where there is a /dev/kvm, become a member of group kvm; a rented machine may have none';
  if (!works) return { state: 'optional', what, detail: `${reason}; ${slow}`, remedy };
  if (image === null)
    return { state: 'ok', what, detail: `${reason}; not tried with a guest, as there is no image` };
  return (await acceleratorFor(image)) === 'kvm'
    ? { state: 'ok', what, detail: `boots kernel ${image.release}` }
    : { state: 'optional', what, detail: `${reason}, but kernel ${image.release} does not boot; ${slow}` };
}

function builders(): Finding {
  const what = 'building guest images';
  const missing = buildingTools.filter((name) => findTool(name) === null);
  if (missing.length === 0) return { state: 'ok', what, detail: 'mmdebstrap and what it needs are there' };
  return {
    state: 'optional',
    what,
    detail: `not installed: ${missing.join(', ')}`,
    remedy: `apt-get install --no-install-recommends ${packagesOf(missing)}`,
  };
}

async function imageFinding(kernel: string): Promise<{ finding: Finding; image: VmImage | null }> {
  const what = `image of kernel ${kernel}`;
  const remedy = `plugpull image build ${kernel}`;
  try {
    const image = await findImage(kernel);
    if (image !== null) {
      return { image, finding: { state: 'ok', what, detail: `${image.id}, kernel ${image.release}` } };
    }
    return { image, finding: { state: 'optional', what, detail: `not built, in ${cacheRoot()}`, remedy } };
  } catch (error) {
    if (!(error instanceof BrokenImageError)) throw error;
    return {
      image: null,
      finding: { state: 'optional', what, detail: error.message, remedy: error.remedy ?? remedy },
    };
  }
}
