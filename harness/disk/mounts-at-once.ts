/** How many crash states of one recording a kernel can have mounted at once. */
import os from 'node:os';

/** Before this kernel, btrfs refused a second file system with the same identity (EEXIST). */
const btrfsTwins = [6, 7] as const;

/** @param release of the running kernel, such as 6.1.176 */
export function mountsAtOnce(fsType: string, release = os.release()): number {
  if (fsType !== 'btrfs') return Infinity;
  const [major = 0, minor = 0] = release.split('.').map((part) => Number.parseInt(part, 10));
  const [sinceMajor, sinceMinor] = btrfsTwins;
  return major > sinceMajor || (major === sinceMajor && minor >= sinceMinor) ? Infinity : 1;
}
