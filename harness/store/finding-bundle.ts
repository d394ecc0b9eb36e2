/** The folder of a finding in one file: its record, its logs, and the files as the crash left them. */
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { readBundle, writeBundle } from './bundle.js';

const schema = 'plugpull.finding-bundle/1';
/** More than this is left in its folder alone. */
const mostBytes = 64 * 1024 ** 2;

const shape = z.object({
  schema: z.literal(schema),
  /** Permissions of files and folders, the folders first that others lie in. */
  modes: z.array(z.tuple([z.string(), z.number().int().min(0).max(0o777)])),
  folders: z.array(z.string()),
  links: z.array(z.tuple([z.string(), z.string()])),
});
type Manifest = z.output<typeof shape>;

/** False where it is too large or has names that no bundle holds; then no file is written. */
export function bundleFinding(folder: string, file: string): boolean {
  const manifest: Manifest = { schema, modes: [], folders: [], links: [] };
  const files = new Map<string, Buffer>();
  let bytes = 0;
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()) {
    const whole = path.join(folder, name);
    const status = lstatSync(whole);
    if (status.isSymbolicLink()) manifest.links.push([name, readlinkSync(whole)]);
    else if (status.isDirectory()) manifest.folders.push(name);
    else if (status.isFile()) {
      bytes += status.size;
      if (bytes > mostBytes) return false;
      files.set(name, readFileSync(whole));
    } else continue;
    if (!status.isSymbolicLink()) manifest.modes.push([name, status.mode & 0o777]);
  }
  try {
    writeBundle(file, { manifest, files });
    return true;
  } catch {
    return false;
  }
}

/** Unpacks such a file into an empty folder; false: it is a bundle of something else. Throws UsageError if it is damaged. */
export function unpackFinding(file: string, folder: string): boolean {
  const { manifest, files } = readBundle(file);
  const parsed = shape.safeParse(manifest);
  if (!parsed.success) return false;
  const { modes, folders, links } = parsed.data;
  const within = (name: string): string => {
    const whole = path.join(folder, name);
    if (!whole.startsWith(`${folder}${path.sep}`)) throw new Error(`${name} leaves its folder`);
    return whole;
  };
  for (const name of folders) mkdirSync(within(name), { recursive: true });
  for (const [name, content] of files) {
    mkdirSync(path.dirname(within(name)), { recursive: true });
    writeFileSync(within(name), content);
  }
  // After the files, so that nothing is written through one; those that lead out of the folder are left out.
  for (const [name, to] of links) {
    const end = path.resolve(path.dirname(within(name)), to);
    if (end.startsWith(`${folder}${path.sep}`)) symlinkSync(to, within(name));
  }
  for (const [name, mode] of modes.toReversed()) chmodSync(within(name), mode);
  return true;
}
