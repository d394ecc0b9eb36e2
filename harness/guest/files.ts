/** Files and folders of the agent's machine. */
import picomatch from 'picomatch';
import { open, mkdir, rm, chmod } from 'node:fs/promises';
import nodePath from 'node:path';
import { runProgram } from '../core/run-program.js';
import { native } from '../../native/index.js';
import { filesEqual } from '../rigs/compare.js';
import { type Params, ParamsError, path, text, texts, whole } from './params.js';
import { chunkBytes } from './protocol.js';

const packMillis = 60_000;

export async function put(params: Params): Promise<null> {
  const file = path(params, 'path');
  const mode = whole(params, 'mode');
  const offset = whole(params, 'offset');
  const data = Buffer.from(text(params, 'data'), 'base64');
  if (data.length > chunkBytes) throw new ParamsError(`data: more than ${chunkBytes} bytes at once`);
  if (offset === 0) await mkdir(nodePath.dirname(file), { recursive: true });
  const handle = await open(file, offset === 0 ? 'w' : 'r+', mode);
  try {
    await handle.write(data, 0, data.length, offset);
  } finally {
    await handle.close();
  }
  await chmod(file, mode);
  return null;
}

export async function get(params: Params): Promise<{ data: string; bytes: number }> {
  const file = path(params, 'path');
  const offset = whole(params, 'offset');
  const length = Math.min(whole(params, 'bytes'), chunkBytes);
  const handle = await open(file, 'r');
  try {
    const { size } = await handle.stat();
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(length), 0, length, offset);
    return { data: buffer.toString('base64', 0, bytesRead), bytes: size };
  } finally {
    await handle.close();
  }
}

export async function pack(params: Params): Promise<null> {
  const archive = ['-c', '--sparse', '-f', path(params, 'file'), '-C', path(params, 'dir'), '.'];
  await runProgram('tar', archive, { timeout: packMillis });
  return null;
}

export async function makeFolder(params: Params): Promise<null> {
  await mkdir(path(params, 'path'), { recursive: true });
  return null;
}

export async function remove(params: Params): Promise<null> {
  await rm(removable(params, 'path'), { recursive: true, force: true });
  return null;
}

function removable(params: Params, name: string): string {
  const folder = nodePath.resolve(path(params, name));
  // A slip of the caller's must not cost a real machine its files.
  if (folder.split('/').length < 3) throw new ParamsError(`${name}: ${folder} is not removed`);
  return folder;
}

export async function keep(params: Params): Promise<null> {
  const copy = removable(params, 'copy');
  await rm(copy, { recursive: true, force: true });
  native.copyFolder(path(params, 'dir'), copy);
  return null;
}

export function compare(params: Params): { difference: string | null } {
  const ignore = texts(params, 'ignore');
  const ignored = ignore.length === 0 ? null : picomatch(ignore);
  return { difference: filesEqual(path(params, 'copy'), path(params, 'dir'), ignored) };
}
