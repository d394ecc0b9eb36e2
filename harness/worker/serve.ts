/** A child that checks one folder after the other: where thousands of crash states are checked, a fork for each costs too much. */
import { openSync, readSync, readlinkSync, writeSync } from 'node:fs';
import path from 'node:path';
import { makeRoom } from '../disk/room.js';
import type { Workload } from '../../workloads/workload.js';
import { check } from './act.js';
import type { ServeJob } from './job.js';

export function actServe(job: ServeJob, workload: Workload): void {
  const answers = openSync(job.answers, 'w');
  const requests = openSync(job.requests, 'r');
  // The expected states are the same every time.
  let model: ReturnType<Workload['model']> | null = null;
  const remembering = Object.create(workload, {
    model: {
      value: (...args: Parameters<Workload['model']>) => (model ??= workload.model(...args)),
    },
  }) as Workload;
  // The pid as the caller sees it.
  writeSync(answers, `${JSON.stringify({ pid: Number(readlinkSync('/proc/self')) })}\n`);
  const chunk = Buffer.alloc(64 * 1024);
  let text = '';
  for (let count = 1; count > 0;) {
    count = readSync(requests, chunk, 0, chunk.length, null);
    text += chunk.toString('utf8', 0, count);
    for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
      const dir = text.slice(0, end);
      text = text.slice(end + 1);
      // Here, since who waits for the answer has others to serve, and the disk may be slow.
      makeRoom(path.dirname(dir));
      writeSync(answers, `${JSON.stringify(check(remembering, job.target, dir, job.seed))}\n`);
    }
  }
}
