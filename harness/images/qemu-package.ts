/**
 * A QEMU from Debian's packages for images that the system's cannot run: unpacked into the image's folder, and run with
 * its own loader and libraries. Nothing is installed.
 */
import { chmod, copyFile, cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { PlugpullError } from '../core/errors.js';
import { exitCodes } from '../core/exit-codes.js';
import { AptBox, type Mirrors } from './apt.js';
import { kvmBoots } from './kvm.js';
import type { ImageManifest } from './manifest.js';
import { emulates, installedQemu, qemuRule, qemuVersion, systemQemu } from './qemu-version.js';
import { runTool } from './tools.js';

const loader = 'ld-linux-x86-64.so.2';

/** Does this kernel need a QEMU that is not installed here? @param boots does KVM really boot it with this program */
export async function lacksQemu(
  release: string,
  found: { program: string; version: string } | null,
  boots: (program: string) => Promise<boolean>,
): Promise<boolean> {
  return found === null || !(emulates(found.version, release, qemuRule()) || (await boots(found.program)));
}

/** Writes a QEMU to `out`/qemu where the kernel there needs one. Gives null where the system's will do. */
export async function bringQemu(
  release: string,
  mirrors: Mirrors,
  work: string,
  out: string,
  progress: (text: string) => void,
  signal?: AbortSignal,
): Promise<NonNullable<ImageManifest['qemu']> | null> {
  const [kernel, initrd] = [path.join(out, 'vmlinuz'), path.join(out, 'initrd')];
  const boots = (program: string): Promise<boolean> => kvmBoots(program, kernel, initrd);
  if (!(await lacksQemu(release, installedQemu(), boots))) return null;
  const rule = qemuRule();
  progress(`QEMU of ${rule.suite}, since kernel ${release} needs version ${rule.atLeast}: downloading`);
  const box = await AptBox.open(path.join(work, 'apt'), mirrors, [rule.suite], signal);
  const packages = await box.download([rule.package], true);
  progress('QEMU: unpacking');
  const tree = path.join(work, 'tree');
  await mkdir(tree);
  for (const { file } of packages) await runTool(['dpkg-deb', '--extract', file, tree], { signal });
  const to = path.join(out, 'qemu');
  await assemble(tree, to, signal);
  await rm(work, { recursive: true, force: true });
  const program = path.join(to, systemQemu);
  const version = qemuVersion(program);
  if (version === null) {
    throw new PlugpullError(`the QEMU from ${rule.suite} does not run here`, exitCodes.ownFailure);
  }
  const described = packages.find((one) => one.package === rule.package)?.version ?? '';
  return { program: `qemu/${systemQemu}`, version, package: `${rule.package} ${described}` };
}

async function assemble(tree: string, to: string, signal?: AbortSignal): Promise<void> {
  const libraries = ['lib', 'usr/lib'].flatMap((folder) => [
    path.join(tree, folder, 'x86_64-linux-gnu'),
    path.join(tree, folder, 'x86_64-linux-gnu', 'pulseaudio'),
  ]);
  const emulator = path.join(tree, 'usr', 'bin', systemQemu);
  const ownLoader = await firstOf(
    libraries.map((folder) => path.join(folder, loader)),
    path.join(to, 'lib', loader),
  );
  const needed = new Set<string>();
  const list = await runTool([ownLoader, '--library-path', libraries.join(':'), '--list', emulator], {
    signal,
  });
  for (const [, library = ''] of list.matchAll(/ => (\/\S+) \(/g)) {
    if (library !== ownLoader) needed.add(library);
  }
  const foreign = [...needed].filter((file) => !file.startsWith(`${tree}/`));
  if (foreign.length > 0) {
    throw new PlugpullError(`the QEMU from packages lacks ${foreign.join(', ')}`, exitCodes.ownFailure);
  }
  for (const file of needed) await copyFile(file, path.join(to, 'lib', path.basename(file)));
  await mkdir(path.join(to, 'bin'));
  await copyFile(emulator, path.join(to, 'bin', systemQemu));
  await chmod(path.join(to, 'bin', systemQemu), 0o755);
  await copyFirmware(tree, path.join(to, 'firmware'));
  await writeFile(path.join(to, systemQemu), wrapper, { mode: 0o755 });
}

/** BIOS, boot loaders of kernels, and boot code of network cards: what a q35 machine without a screen reads. */
async function copyFirmware(tree: string, to: string): Promise<void> {
  await mkdir(to);
  const wanted =
    /^(bios-256k\.bin|kvmvapic\.bin|linuxboot(_dma)?\.bin|multiboot(_dma)?\.bin|pvh\.bin|efi-virtio\.rom)$/;
  for (const folder of ['usr/share/seabios', 'usr/share/qemu', 'usr/lib/ipxe/qemu']) {
    const from = path.join(tree, folder);
    const names = await readdir(from).catch(() => []);
    for (const name of names.filter((one) => wanted.test(one))) {
      // Links lead from one of these folders to another; some to packages that are not there.
      await cp(path.join(from, name), path.join(to, name), { dereference: true }).catch(() => undefined);
    }
  }
}

async function firstOf(files: readonly string[], to: string): Promise<string> {
  await mkdir(path.dirname(to), { recursive: true });
  for (const file of files) {
    try {
      await copyFile(file, to);
      await chmod(to, 0o755);
      return to;
    } catch {
      // It is in another folder.
    }
  }
  throw new PlugpullError('the libc6 from packages has no loader', exitCodes.ownFailure);
}

const wrapper = `#!/bin/sh
# Runs this QEMU with the libraries that it was built with, wherever it lies.
here=$(cd "\${0%/*}" && pwd)
# Not the modules of another QEMU: it works without.
export QEMU_MODULE_DIR="$here/none"
exec "$here/lib/${loader}" --library-path "$here/lib" "$here/bin/${systemQemu}" -L "$here/firmware" "$@"
`;
