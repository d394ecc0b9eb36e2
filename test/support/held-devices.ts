/** Block devices that processes of the crash disk hold, told by the names under which they hold them. */
import { execaSync } from 'execa';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { processesNaming } from './cli.js';

/** Those of one run, told by the folder it works in; runs that others make at the same time are not ours. */
export function devicesOf(folder: string): string[] {
  const ours = new Set(processesNaming(folder));
  const named = execaSync('losetup', ['-a']).stdout.split('\n');
  return [
    ...heldDevices((owner) => ours.has(owner) || !existsSync(`/proc/${owner}`)),
    ...named.filter((line) => line.includes(folder)),
  ];
}

/** @param held says whether a process, told by its number, is one of those that are asked for */
export function heldDevices(held: (owner: number) => boolean): string[] {
  const isHeld = (file: string | null): boolean => {
    const owner = /plugpull-disk-(\d+)-/.exec(file ?? '')?.[1];
    return owner !== undefined && held(Number(owner));
  };
  const loops = readdirSync('/sys/block').filter((name) =>
    isHeld(text(`/sys/block/${name}/loop/backing_file`)),
  );
  return [
    ...loops,
    ...noted()
      .filter(({ owner }) => isHeld(owner))
      .map(({ name }) => name),
  ];
}

function noted(): { name: string; owner: string }[] {
  return readdirSync('/run')
    .filter((owner) => owner.startsWith('plugpull-disk-'))
    .map((owner) => {
      const [number, sequence] = text(path.join('/run', owner))?.trim().split(' ') ?? [];
      return { name: `zram${number ?? ''}`, owner, sequence };
    })
    .filter(({ name, sequence }) => text(`/sys/block/${name}/diskseq`)?.trim() === sequence);
}

/** Null: there is no such file. */
function text(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
