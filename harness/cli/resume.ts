/** What an interrupted run was told, so that it can go on. */
import path from 'node:path';
import { UsageError } from '../core/errors.js';
import { readEvents } from '../store/event-log.js';
import { eventsFile } from '../store/run-dir.js';
import type { RunFlags } from './flags.js';

export async function resumable(folder: string): Promise<{ flags: RunFlags; seed: number }> {
  for await (const event of readEvents(path.join(folder, eventsFile))) {
    if (event.type !== 'run-started') break;
    const { flags } = event.config as { flags: RunFlags };
    return { flags: { ...flags, shard: event.shard }, seed: event.seed };
  }
  throw new UsageError(`${folder} holds no run to resume`);
}
