/** Who uses files of the cache: whoever has one open. What is used is not removed. */
import { closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';

/** Keeps files, and the folders that they lie in, from being removed while a run goes on, in which at times no machine has them open. */
export function holdFiles(files: readonly string[]): { release(): void } {
  const held: number[] = [];
  const release = (): void => held.splice(0).forEach((fd) => closeSync(fd));
  try {
    for (const file of files) held.push(openSync(file, 'r'));
  } catch (error) {
    release();
    throw error;
  }
  return { release };
}

/** Processes, as far as this user may see them, that have the file open, or one below the folder. */
export function usersOf(place: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readdirSync(`/proc/${pid}/fd`).some((fd) => opens(`/proc/${pid}/fd/${fd}`, place));
      } catch {
        return false; // gone, or another user's
      }
    })
    .map(Number);
}

function opens(link: string, place: string): boolean {
  try {
    const file = readlinkSync(link);
    return file === place || file.startsWith(`${place}/`);
  } catch {
    return false;
  }
}
