/** Which files a program of ours needs: what it imports, and what that imports. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import path from 'node:path';

/**
 * Compiled files that some programs need, and the packages that they import. Only imports of a fixed name are seen.
 * @param root folder of package.json
 * @param entries paths below it
 * @returns paths below `root`, and names of packages
 */
export function programFiles(
  root: string,
  entries: readonly string[],
): { own: string[]; packages: string[] } {
  const own = new Set<string>();
  const packages = new Set<string>();
  const queue = [...entries];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (own.has(file)) continue;
    own.add(file);
    for (const name of importsOf(readFileSync(path.join(root, file), 'utf8'))) {
      if (name.startsWith('.')) queue.push(path.join(path.dirname(file), name));
      else if (!isBuiltin(name)) packages.add(packageOf(name));
    }
  }
  return { own: [...own].sort(), packages: [...packages].sort() };
}

/** Names in `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')`. */
export function importsOf(code: string): string[] {
  const pattern =
    /^\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/gm;
  return [...code.matchAll(pattern)].map(([, from, bare, dynamic]) => from ?? bare ?? dynamic ?? '');
}

function isBuiltin(name: string): boolean {
  return name.startsWith('node:') || builtinModules.includes(name);
}

/** `execa/lib` is of execa, `@a/b/c` of @a/b. */
function packageOf(name: string): string {
  return name
    .split('/')
    .slice(0, name.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Kinds of files that no program reads. */
const unread = /\.(d\.[cm]?ts|map|md|markdown|ts|[cm]ts)$|^(license|changelog|readme)/i;

/**
 * Files of packages and of all that these depend on, as npm laid them out.
 * @returns paths below `root`. Throws Error for a package that is not installed
 */
export function packageFiles(root: string, names: readonly string[]): string[] {
  const folders = new Set<string>();
  const add = (name: string, from: string, optional: boolean) => {
    const folder = resolvePackage(root, name, from);
    if (folder === null) {
      if (optional) return;
      throw new Error(`package ${name}, which ${from} needs, is not installed`);
    }
    if (folders.has(folder)) return;
    folders.add(folder);
    const { dependencies = {}, optionalDependencies = {} } = JSON.parse(
      readFileSync(path.join(root, folder, 'package.json'), 'utf8'),
    ) as { dependencies?: Record<string, string>; optionalDependencies?: Record<string, string> };
    for (const needed of Object.keys(dependencies)) add(needed, folder, needed in optionalDependencies);
    for (const needed of Object.keys(optionalDependencies)) add(needed, folder, true);
  };
  for (const name of names) add(name, '.', false);
  return [...folders].flatMap((folder) => filesBelow(root, folder)).sort();
}

/** Node's search: `node_modules` beside the one who asks, then further up. */
function resolvePackage(root: string, name: string, from: string): string | null {
  for (let folder = from; ; folder = path.dirname(folder)) {
    const candidate = path.join(folder, 'node_modules', name);
    if (existsSync(path.join(root, candidate, 'package.json'))) return candidate;
    if (folder === '.') return null;
  }
}

/** All that Node may read of a package; packages inside it are packages of their own. */
function filesBelow(root: string, folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const name = path.join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(root, name);
    return entry.isFile() && !unread.test(entry.name) ? [name] : [];
  });
}
