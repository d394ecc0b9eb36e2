/** What an image is built from: the files of vm-images/, a kernel, and this machine's Debian release. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { UnavailableError, UsageError } from '../core/errors.js';
import { projectRoot } from '../core/version.js';

/** Goes up when the code that builds changes what it builds, so that older images are not taken for new ones. */
const edition = '1';
/** The same for what is built from the kernel's package. */
const kernelEdition = '1';

export const recipeFolder = path.join(projectRoot, 'vm-images');

const kernelSchema = z.strictObject({
  /** Debian releases that have it, in the order of preference. */
  suites: z.array(z.string().regex(/^[a-z][a-z0-9-]*$/)).min(1),
  package: z.string(),
});

export interface Recipe {
  /** As the user names it: of a file in vm-images/, or of a package. */
  kernel: string;
  /** Releases to look for the kernel in, first to last. */
  suites: string[];
  package: string;
  /** The kernel's release must begin with this: `6.1.` Empty: any. */
  release: string;
  /** The release of the root file system. */
  suite: string;
  packages: string[];
  modules: { boot: string[]; network: string[] };
  /** Of what the root file system is made from. */
  rootDigest: string;
  /** Of all. */
  digest: string;
  id: string;
}

/** Names of the kernels that have a recipe. */
export function kernelNames(): string[] {
  return readdirSync(path.join(recipeFolder, 'kernels'))
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
}

/**
 * @param kernel `6.1`, or a Debian package such as `linux-image-cloud-amd64`
 * @param suite Debian release of this machine: what runs here must run in the guest
 * @throws UsageError for a name that is neither, UnavailableError on a machine without recipes
 */
export function readRecipe(kernel: string, suite: string): Recipe {
  if (process.arch !== 'x64') {
    throw new UnavailableError(`guest images are built on x86-64 only, and this is ${process.arch}`);
  }
  const source = kernelSource(kernel, suite);
  const packages = words('packages.txt');
  const modules = moduleLists(text('modules.txt'));
  const rootDigest = digestOf([
    edition,
    suite,
    ...packages,
    process.versions.node.split('.')[0] ?? '',
    ...filesOf('root').map((file) => `${file}\n${text(file)}`),
  ]);
  const digest = digestOf([
    rootDigest,
    kernelEdition,
    JSON.stringify([source, modules]),
    text('initrd/init'),
  ]);
  return {
    kernel,
    ...source,
    suite,
    packages,
    modules,
    rootDigest,
    digest,
    id: `${kernel}-${digest.slice(0, 10)}`,
  };
}

function kernelSource(kernel: string, suite: string): Pick<Recipe, 'suites' | 'package' | 'release'> {
  if (kernelNames().includes(kernel)) {
    const { suites, package: name } = kernelSchema.parse(JSON.parse(text(`kernels/${kernel}.json`)));
    return { suites, package: name, release: `${kernel}.` };
  }
  if (/^linux-image-[a-z0-9][a-z0-9.+-]*$/.test(kernel)) {
    return { suites: [suite, `${suite}-backports`], package: kernel, release: '' };
  }
  throw new UsageError(
    `there is no recipe for kernel "${kernel}"`,
    `there are: ${kernelNames().join(', ')}; or name a Debian package: linux-image-…`,
  );
}

/** The lists of vm-images/modules.txt. */
export function moduleLists(content: string): Recipe['modules'] {
  const lists = { boot: [] as string[], network: [] as string[] };
  let list = lists.boot;
  for (const line of linesOf(content)) {
    if (line === '[boot]') list = lists.boot;
    else if (line === '[network]') list = lists.network;
    else list.push(line);
  }
  return lists;
}

function words(name: string): string[] {
  return linesOf(text(name));
}

function linesOf(content: string): string[] {
  return content
    .split('\n')
    .map((line) => line.replace(/#.*/, '').trim())
    .filter((line) => line !== '');
}

function text(name: string): string {
  return readFileSync(path.join(recipeFolder, name), 'utf8');
}

function filesOf(folder: string): string[] {
  return readdirSync(path.join(recipeFolder, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(recipeFolder, path.join(entry.parentPath, entry.name)))
    .sort();
}

function digestOf(parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${Buffer.byteLength(part)}:${part}`);
  return hash.digest('hex');
}
