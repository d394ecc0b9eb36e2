/** Debian packages without installing them: an apt of its own, with the mirrors and proxies of this machine's. */
import { readFileSync } from 'node:fs';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { UnavailableError } from '../core/errors.js';
import { findTool, runTool, ToolError, type ToolOptions } from './tools.js';

const defaultMirror = 'http://deb.debian.org/debian';
const defaultSecurity = 'http://deb.debian.org/debian-security';

/** A kernel is 70 MB. */
const downloadMillis = 15 * 60_000;

export interface Mirrors {
  /** The Debian release of this machine, e.g. `bookworm`; of another system, the newest release that fits. */
  suite: string;
  main: string;
  /** Null where this machine has a mirror of its own and no security updates. */
  security: string | null;
  /** Lines of apt.conf: proxies and the like. */
  config: string;
}

/** The mirrors that this machine takes its packages from. */
export async function hostMirrors(): Promise<Mirrors> {
  const suite = hostSuite();
  if (findTool('apt-get') === null)
    throw new UnavailableError('images are built from Debian packages by apt');
  const targets = await runTool([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI) $(RELEASE) $(COMPONENT)',
    'Created-By: Packages',
  ]).catch(() => '');
  const config = await runTool(['apt-config', 'dump', 'Acquire']).catch(() => '');
  return { suite, ...mirrorsOf(targets, suite), config: transportConfig(config) };
}

/** The Debian release whose programs run as they do here; on another system, the newest. */
export function hostSuite(): string {
  return debianRelease(readText('/etc/os-release')) ?? 'trixie';
}

/** VERSION_CODENAME of Debian; null on another system. @param osRelease the text of /etc/os-release */
export function debianRelease(osRelease: string): string | null {
  const field = (name: string) => new RegExp(`^${name}="?([^"\\n]*)"?$`, 'm').exec(osRelease)?.[1];
  return field('ID') === 'debian' ? (field('VERSION_CODENAME') ?? null) : null;
}

/** Which mirrors serve this machine's release. @param targets lines of URI, release and component */
export function mirrorsOf(targets: string, suite: string): { main: string; security: string | null } {
  const find = (releases: readonly string[]) =>
    targets
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .find(([, release = '', component]) => releases.includes(release) && component === 'main')?.[0]
      ?.replace(/\/+$/, '');
  const main = find([suite, 'stable', 'oldstable']);
  const security = find([`${suite}-security`, 'stable-security', 'oldstable-security']);
  if (main === undefined) return { main: defaultMirror, security: defaultSecurity };
  return { main, security: security ?? null };
}

/** Of apt's settings, those that say how to reach a mirror. @param dump of apt-config */
export function transportConfig(dump: string): string {
  return dump
    .split('\n')
    .filter((line) => /^Acquire::(https?|Force[A-Za-z0-9]+|Retries)\b.* "[^"]+";$/.test(line))
    .filter((line) => !line.startsWith('Acquire::https::Verify')) // never less strict than apt is by itself
    .join('\n');
}

/** One-line sources of a suite, its security updates with it. */
export function sourceLines(mirrors: Mirrors, suite: string): string[] {
  const lines = [`deb ${mirrors.main} ${suite} main`];
  // Only releases have security updates of their own.
  if (mirrors.security !== null && !suite.includes('-')) {
    lines.push(`deb ${mirrors.security} ${suite}-security main`);
  }
  return lines;
}

export interface Downloaded {
  package: string;
  version: string;
  file: string;
}

/** An apt with its own state in a folder. It sees nothing as installed. */
export class AptBox {
  private constructor(
    private readonly folder: string,
    private readonly options: ToolOptions,
  ) {}

  /** Fetches the lists of some suites. Throws UnavailableError where a mirror does not answer or lacks one. */
  static async open(
    folder: string,
    mirrors: Mirrors,
    suites: readonly string[],
    signal?: AbortSignal,
  ): Promise<AptBox> {
    for (const name of ['state/lists/partial', 'cache/archives/partial', 'etc/parts', 'packages']) {
      await mkdir(path.join(folder, name), { recursive: true });
    }
    const config = path.join(folder, 'apt.conf');
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    const signedBy = readText(keyring) === '' ? '' : `[signed-by=${keyring}] `;
    const lines = suites.flatMap((suite) => sourceLines(mirrors, suite));
    await writeFile(
      path.join(folder, 'sources.list'),
      lines.map((line) => `${line.replace(/^deb /, `deb ${signedBy}`)}\n`).join(''),
    );
    await writeFile(path.join(folder, 'status'), '');
    await writeFile(
      config,
      `Dir::State "${folder}/state";
Dir::State::status "${folder}/status";
Dir::Cache "${folder}/cache";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "${folder}/etc/parts";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "${folder}/etc/parts";
Dir::Etc::sourcelist "${folder}/sources.list";
Dir::Etc::sourceparts "${folder}/etc/parts";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Sandbox::User "root";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "30";
Debug::NoLocking "true";
${mirrors.config}
`,
    );
    const box = new AptBox(folder, {
      env: { APT_CONFIG: config },
      signal,
      cwd: path.join(folder, 'packages'),
    });
    await runTool(['apt-get', 'update', '-qq', '--error-on=any'], box.options).catch((error: unknown) => {
      if (!(error instanceof ToolError)) throw error;
      throw new UnavailableError(
        `no package lists of ${suites.join(', ')}: ${error.message}`,
        `can this machine reach ${mirrors.main}? Its mirrors and proxies are those of /etc/apt`,
      );
    });
    return box;
  }

  /** The package itself, or the newest that it stands for, as `linux-image-amd64` does for a kernel. Null: there is none. */
  async resolveKernel(name: string): Promise<string | null> {
    for (let step = 0, current = name; step < 5; step++) {
      const depends = await this.cache(['depends', '--no-recommends', '--no-suggests', current]);
      if (depends === null) return null;
      const next = /^ {2}Depends: (linux-image-\S+)/m.exec(depends)?.[1];
      if (next === undefined) return current;
      current = next;
    }
    return null;
  }

  /** Downloads packages; with `closure`, also all that they need. */
  async download(names: readonly string[], closure = false): Promise<Downloaded[]> {
    const before = path.join(this.folder, closure ? 'cache/archives' : 'packages');
    const command = closure ? ['install', '--download-only', '-y'] : ['download'];
    await runTool(['apt-get', '-qq', ...command, ...names], { ...this.options, millis: downloadMillis });
    const files = (await readdir(before)).filter((name) => name.endsWith('.deb')).sort();
    return files.map((name) => ({ ...debName(name), file: path.join(before, name) }));
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  private async cache(args: readonly string[]): Promise<string | null> {
    try {
      return await runTool(['apt-cache', ...args], this.options);
    } catch (error) {
      if (error instanceof ToolError && error.stderr.includes('No packages found')) return null;
      throw error;
    }
  }
}

/** What apt calls the file of a package: `name_1%3a2.0-1_amd64.deb`. */
export function debName(file: string): { package: string; version: string } {
  const [name = '', version = ''] = file.split('_');
  return { package: name, version: decodeURIComponent(version) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
