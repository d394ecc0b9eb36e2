import { realpathSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from './version.js';

/** What to type for this program: `plugpull` where the shell finds it, else the path of its executable. */
export function programName(
  searchPath = process.env.PATH ?? '',
  folder = process.cwd(),
  root = projectRoot,
): string {
  const executable = path.join(root, 'bin', 'plugpull');
  const own = real(executable);
  for (const place of searchPath.split(path.delimiter)) {
    const found = place === '' ? null : real(path.join(place, 'plugpull'));
    if (found !== null) return found === own ? 'plugpull' : executable;
  }
  const relative = path.relative(folder, executable);
  return relative.startsWith('..') ? executable : relative;
}

function real(file: string): string | null {
  try {
    return realpathSync(file);
  } catch {
    return null;
  }
}
