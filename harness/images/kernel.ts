/** The kernel of an image and its initrd, from Debian's packages. */
import { chmod, copyFile, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlugpullError, UnavailableError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { AptBox, type Mirrors } from './apt.js';
import { writeBareKernel } from './bare-kernel.js';
import { loadOrder } from './modules.js';
import { recipeFolder, type Recipe } from './recipe.js';
import { runTool } from './tools.js';

export interface BuiltKernel {
  package: string;
  version: string;
  release: string;
}

/** Parts of the kernel package that no guest needs: most of its 400 MB, and of the time that depmod takes. */
const unneeded = [
  'sound',
  ...['bluetooth', 'netfilter', 'sched', 'wireless', 'mac80211', 'sunrpc', 'tipc', 'sctp', 'batman-adv'].map(
    (name) => `net/${name}`,
  ),
  ...[
    'gpu',
    'media',
    'net/wireless',
    'net/ethernet',
    'net/can',
    'net/phy',
    'net/usb',
    'usb',
    'iio',
    'hid',
  ].map((name) => `drivers/${name}`),
  ...['hwmon', 'input', 'infiniband', 'scsi', 'staging', 'mtd', 'isdn', 'video', 'target', 'platform'].map(
    (name) => `drivers/${name}`,
  ),
  ...['ata', 'mfd', 'power', 'rtc', 'leds', 'i2c', 'pinctrl', 'edac', 'comedi', 'mmc'].map(
    (name) => `drivers/${name}`,
  ),
];

/** Writes `vmlinuz`, `vmlinux` where that can be started, and `initrd` to `out`. Needs about 350 MB in `work`, which it leaves empty. */
export async function buildKernel(
  recipe: Recipe,
  mirrors: Mirrors,
  work: string,
  out: string,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<BuiltKernel> {
  await mkdir(work, { recursive: true });
  progress(`kernel ${recipe.kernel}: fetching package lists`);
  const { box, name } = await findKernel(recipe, mirrors, work, signal);
  const [kernel, busybox] = await box
    .download([name, 'busybox-static'])
    .then((all) => [
      all.find((one) => one.package === name),
      all.find((one) => one.package === 'busybox-static'),
    ]);
  if (kernel === undefined || busybox === undefined) {
    throw new PlugpullError(`apt-get download gave no ${name} or no busybox-static`, exitCodes.ownFailure);
  }
  progress(`kernel ${recipe.kernel}: unpacking ${kernel.package} ${kernel.version}`);
  const tree = path.join(work, 'tree');
  await mkdir(tree);
  const options = { signal, cwd: tree };
  const excluded = unneeded.map((folder) => `--exclude=*/kernel/${folder}`).join(' ');
  const unpack = `dpkg-deb --fsys-tarfile "$0" | tar -x ${excluded} --exclude=./usr/share`;
  await runTool(['bash', '-o', 'pipefail', '-c', unpack, kernel.file], options);
  await runTool(['dpkg-deb', '--extract', busybox.file, tree], options);
  await box.close();
  const boot = (await readdir(path.join(tree, 'boot'))).find((file) => file.startsWith('vmlinuz-'));
  const release = boot?.slice('vmlinuz-'.length) ?? '';
  if (boot === undefined || !release.startsWith(recipe.release)) {
    throw new UnavailableError(`${name} has kernel "${release}" and not ${recipe.release}x`);
  }
  await rename(path.join(tree, 'boot', boot), path.join(out, 'vmlinuz'));
  await chmod(path.join(out, 'vmlinuz'), 0o644);
  if (!(await writeBareKernel(path.join(out, 'vmlinuz'), path.join(out, 'vmlinux'), signal))) {
    progress(`kernel ${recipe.kernel}: guests will unpack it, which takes seconds at a boot`);
  }
  await buildInitrd(recipe, tree, release, path.join(out, 'initrd'), options);
  await rm(work, { recursive: true, force: true });
  return { package: kernel.package, version: kernel.version, release };
}

/** The first of the recipe's releases that has the kernel. */
async function findKernel(recipe: Recipe, mirrors: Mirrors, work: string, signal?: AbortSignal) {
  const reasons: string[] = [];
  for (const suite of preferred(recipe.suites, mirrors.suite)) {
    try {
      const box = await AptBox.open(path.join(work, 'apt'), mirrors, [suite], signal);
      const name = await box.resolveKernel(recipe.package);
      // Backports have only what is newer than in their release.
      if (name !== null) return { box: await withBusybox(box, suite, mirrors, work, signal), name };
      reasons.push(`${suite} has no ${recipe.package}`);
      await box.close();
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      reasons.push(error.message);
      await rm(path.join(work, 'apt'), { recursive: true, force: true });
    }
  }
  throw new UnavailableError(
    `no kernel ${recipe.kernel}: ${reasons.join('; ')}`,
    `can this machine reach ${mirrors.main}? Its mirrors and proxies are those of /etc/apt`,
  );
}

async function withBusybox(box: AptBox, suite: string, mirrors: Mirrors, work: string, signal?: AbortSignal) {
  if (!suite.includes('-')) return box;
  await box.close();
  return AptBox.open(path.join(work, 'apt'), mirrors, [suite, suite.replace(/-.*/, '')], signal);
}

/** This machine's own release first. */
function preferred(suites: readonly string[], own: string): string[] {
  return [...suites].sort((a, b) => Number(b === own) - Number(a === own));
}

async function buildInitrd(
  recipe: Recipe,
  tree: string,
  release: string,
  file: string,
  options: { signal: AbortSignal | undefined },
): Promise<void> {
  const root = path.join(tree, 'initrd');
  const modules = ['lib/modules', 'usr/lib/modules'].map((folder) => path.join(tree, folder, release));
  const found = await Promise.all(modules.map((folder) => readText(path.join(folder, 'modules.builtin'))));
  const folder = modules[found.findIndex((text) => text !== null)];
  if (folder === undefined) throw new UnavailableError(`the package of kernel ${release} has no modules`);
  for (const name of ['bin', 'dev', 'proc', 'sys', 'modules']) {
    await mkdir(path.join(root, name), { recursive: true });
  }
  const busybox = path.join(root, 'bin', 'busybox');
  const shipped = await Promise.all(
    ['bin/busybox', 'usr/bin/busybox'].map(async (name) => ({
      name,
      there: await copyFile(path.join(tree, name), busybox).then(
        () => true,
        () => false,
      ),
    })),
  );
  if (!shipped.some(({ there }) => there)) throw new UnavailableError('busybox-static has no busybox');
  await chmod(busybox, 0o755);
  // Loading must not wait for unpacking: the kernel's own compression of modules is undone here.
  const lists = { boot: recipe.modules.boot, network: recipe.modules.network };
  const base = path.dirname(path.dirname(path.dirname(folder)));
  await runTool([busybox, 'depmod', '-b', base, release], options).catch(() => '');
  const dependencies = (await readText(path.join(folder, 'modules.dep'))) ?? '';
  const builtin = (await readText(path.join(folder, 'modules.builtin'))) ?? '';
  const loaded = new Set<string>();
  for (const [list, names] of Object.entries(lists)) {
    const order = loadOrder(names, dependencies, builtin).filter((name) => !loaded.has(name));
    const flat: string[] = [];
    for (const name of order) {
      loaded.add(name);
      flat.push(await copyModule(path.join(folder, name), path.join(root, 'modules'), busybox, options));
    }
    await writeFile(path.join(root, 'modules', list), flat.map((name) => `${name}\n`).join(''));
  }
  await copyFile(path.join(recipeFolder, 'initrd', 'init'), path.join(root, 'init'));
  await chmod(path.join(root, 'init'), 0o755);
  const pack = `for name in $("$0" --list); do [ -e "bin/$name" ] || ln -s busybox "bin/$name"; done
    find . | LC_ALL=C sort | "$0" cpio -o -H newc | gzip -n -1 >"$1"`;
  await runTool(['bash', '-e', '-o', 'pipefail', '-c', pack, busybox, file], { ...options, cwd: root });
}

/** Copies a module, unpacked, and gives its file name. */
async function copyModule(
  file: string,
  to: string,
  busybox: string,
  options: { signal: AbortSignal | undefined },
): Promise<string> {
  const packed = /\.(xz|gz)$/.exec(file)?.[1];
  const name = path.basename(file).replace(/\.(xz|gz|zst)$/, '');
  if (file.endsWith('.zst')) await runTool(['zstd', '-q', '-d', file, '-o', path.join(to, name)], options);
  else if (packed === undefined) await copyFile(file, path.join(to, name));
  else {
    const unpack = packed === 'xz' ? 'xzcat' : 'zcat';
    await runTool(['bash', '-c', `"$0" ${unpack} "$1" >"$2"`, busybox, file, path.join(to, name)], options);
  }
  return name;
}

async function readText(file: string): Promise<string | null> {
  return readFile(file, 'utf8').catch(() => null);
}
