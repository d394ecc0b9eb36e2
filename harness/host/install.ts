/** plugpull on the machine: what we bring along (once, by its content), or a checkout that is there. */
import { createReadStream, statSync } from 'node:fs';
import path from 'node:path';
import { payloadArchive } from '../images/payload.js';
import { type HostConnection, quote } from './connection.js';
import { HostError } from './error.js';
import { type HostFacts, shell } from './facts.js';

export interface Installed {
  /** Command line of the agent, for any login shell. */
  command: string;
  /** What it is, for people. */
  text: string;
}

const agentFile = 'dist/harness/guest/main.js';
/** Names of payloads, as a pattern of the shell. */
const ids = '[0-9a-f]'.repeat(16);
/** A slow machine on a slow wire. */
const uploadMillis = 15 * 60_000;
const machines: Partial<Record<NodeJS.Architecture, string>> = {
  x64: 'x86_64',
  arm64: 'aarch64',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
};

/** Why what runs here cannot run there; null: it can be tried. */
export function cannotRunThere(name: string, facts: HostFacts): HostError | null {
  const remedy =
    'build plugpull on the machine itself (`npm ci && npm run build` in a checkout), and name it by --remote-plugpull';
  const mine = machines[process.arch] ?? process.arch;
  if (facts.machine !== mine) {
    return new HostError('unfit', `${name} is ${facts.machine}, and this machine is ${mine}`, remedy);
  }
  if (!/glibc|gnu|debian|ubuntu/i.test(facts.libc)) {
    return new HostError(
      'unfit',
      `${name} has no glibc (${facts.libc || 'its C library is unknown'})`,
      remedy,
    );
  }
  return null;
}

/** Copies node and plugpull to `tools`, unless the same content is there already. */
export async function install(
  connection: HostConnection,
  facts: HostFacts,
  tools: string,
  progress: (text: string) => void,
): Promise<Installed> {
  const refusal = cannotRunThere(connection.name, facts);
  if (refusal !== null) throw refusal;
  const { id, file } = await payloadArchive();
  const base = path.posix.join(tools, 'payload');
  const folder = path.posix.join(base, id);
  const there = await connection.exec(shell(`[ -d ${quote(folder)} ]`));
  if (there.exit !== 0) {
    const bytes = statSync(file).size;
    progress(`copying plugpull and node to ${connection.name} (${Math.ceil(bytes / 1024 ** 2)} MiB)`);
    const part = `${folder}.part`;
    // What is there of an older plugpull is of no use any more; a user's own files in that folder are not ours.
    const steps = [
      `rm -rf ${quote(base)}/${ids} ${quote(base)}/${ids}.part`,
      `mkdir -p ${quote(part)}`,
      `tar -xzf - -C ${quote(part)}`,
      'sync',
      `mv ${quote(part)} ${quote(folder)}`,
      'sync',
    ];
    await connection.must(shell(steps.join(' && ')), `cannot copy plugpull to ${folder}`, {
      timeoutMillis: uploadMillis,
      input: createReadStream(file),
    });
  }
  return command(path.posix.join(folder, 'node'), path.posix.join(folder, agentFile), `plugpull ${id}`);
}

/** A built checkout on the machine, with the node that its $PATH has. */
export async function findInstalled(connection: HostConnection, folder: string): Promise<Installed> {
  const agent = path.posix.join(folder, agentFile);
  const seen = await connection.exec(shell(`[ -f ${quote(agent)} ] && command -v node`));
  if (seen.exit !== 0) {
    throw new HostError(
      'unfit',
      `${connection.name} has no built plugpull in ${folder}, or no node in its $PATH`,
      `there must be ${agent}: npm ci && npm run build`,
    );
  }
  return command('node', agent, folder);
}

function command(node: string, agent: string, text: string): Installed {
  return { command: shell(`exec ${quote(node)} ${quote(agent)}`), text };
}
