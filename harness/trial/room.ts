/** Is it the disk that is full? Then a failure says nothing about the target. */
import { statfsSync } from 'node:fs';

/** With less than this left, a failure for want of space is believed. */
const littleBytes = 32 * 1024 ** 2;
const words = /no space left on device|ENOSPC|disk quota exceeded|EDQUOT|database or disk is full/i;

/** @param reason what failed, in the words of whoever failed */
export function forWantOfSpace(folder: string, reason: string): boolean {
  if (!words.test(reason)) return false;
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize < littleBytes;
  } catch {
    return false;
  }
}

/** The reason of a failure, which names a full disk first where that is what failed. */
export function spaceNamed(folder: string, reason: string): string {
  return forWantOfSpace(folder, reason) ? `the disk is full: ${reason}` : reason;
}
