/** How a worker process is started: as this one was, or from compiled code where that is of today's sources. */
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../core/version.js';

export interface WorkerCommand {
  argv: string[];
  entry: string;
}

/** What a worker imports from. */
const folders = ['harness', 'workloads', 'native'];
const main = path.join('harness', 'worker', 'main');

let known: WorkerCommand | null = null;

/** Compiled code starts four times as quickly, which is felt where tests, which run the sources, start thousands. */
export function workerCommand(): WorkerCommand {
  const compiled = import.meta.url.endsWith('.js');
  known ??=
    compiled || upToDate(projectRoot)
      ? { argv: [], entry: path.join(projectRoot, 'dist', `${main}.js`) }
      : { argv: ['--import', 'tsx'], entry: path.join(projectRoot, `${main}.ts`) };
  return known;
}

/** Is everything in `root`/dist newer than its source? True where there are no sources. */
export function upToDate(root: string): boolean {
  const dist = path.join(root, 'dist');
  if (modified(path.join(dist, `${main}.js`)) === null) return false;
  return folders.every((folder) =>
    sources(path.join(root, folder)).every((name) => {
      const compiled = modified(path.join(dist, folder, name.replace(/ts$/, 'js')));
      const source = modified(path.join(root, folder, name));
      return compiled !== null && (source === null || source <= compiled);
    }),
  );
}

function sources(folder: string): string[] {
  try {
    const all = readdirSync(folder, { recursive: true, encoding: 'utf8' });
    return all.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'));
  } catch {
    return [];
  }
}

function modified(file: string): number | null {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? null;
}
