import { expect } from 'chai';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UnavailableError, UsageError } from '../../../harness/core/errors.js';
import { eventSchema, type RunEvent } from '../../../harness/core/events.js';
import { EventLog, readEvents } from '../../../harness/store/event-log.js';

const opening: RunEvent = {
  type: 'run-started',
  schema: eventSchema,
  at: '2026-01-01T00:00:00.000Z',
  run: 'r',
  version: '0',
  argv: [],
  seed: 1,
  shard: { index: 1, of: 1 },
  machine: {},
  config: {},
};

async function all(file: string): Promise<RunEvent[]> {
  const events: RunEvent[] = [];
  for await (const event of readEvents(file)) events.push(event);
  return events;
}

async function refusal(file: string): Promise<string> {
  try {
    await all(file);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('the event log', () => {
  let folder: string;
  let file: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
    file = path.join(folder, 'events.jsonl');
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives back what was written, in order', async () => {
    const log = EventLog.append(file);
    log.write(opening);
    for (let i = 0; i < 5000; i++) log.write({ type: 'note', level: 'info', text: `line ${i}` });
    log.close();
    const events = await all(file);
    expect(events).to.have.length(5001);
    expect(events.at(-1)).to.deep.include({ text: 'line 4999' });
  });

  it('can be read while it is written, without a torn last line', async () => {
    const log = EventLog.append(file);
    log.write(opening);
    log.sync();
    appendFileSync(file, '{"type":"note","lev');
    expect(await all(file)).to.have.length(1);
    log.close();
  });

  it('says that its disk is full, and writes nothing more', () => {
    // Every write to this device fails with ENOSPC.
    const log = EventLog.append('/dev/full');
    log.write(opening);
    expect(() => log.sync()).to.throw(UnavailableError, 'no space left');
    expect(() => log.write(opening)).to.throw(UnavailableError, 'no space left');
    expect(() => log.flush()).to.throw(UnavailableError, 'no space left');
    log.close();
  });

  it('does not end the process where the flush of its timer fails', async () => {
    const log = EventLog.append('/dev/full');
    log.write(opening);
    let told: unknown = null;
    for (let tries = 0; told === null && tries < 1000; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      try {
        log.write(opening);
      } catch (error) {
        told = error;
      }
    }
    expect(told).to.be.instanceOf(UnavailableError);
    log.close();
  });

  it('cuts a torn last line off before it appends', async () => {
    const long = 'x'.repeat(200_000);
    writeFileSync(file, `${JSON.stringify(opening)}\n{"type":"note","text":"${long}`);
    const log = EventLog.append(file);
    log.write({ type: 'note', level: 'info', text: 'after' });
    log.close();
    const events = await all(file);
    expect(events).to.have.length(2);
    expect(readFileSync(file, 'utf8')).not.to.contain('xxx');
  });

  it('refuses another schema, another file, and garbage in the middle, by name', async () => {
    writeFileSync(file, `${JSON.stringify({ ...opening, schema: 'plugpull.events/9' })}\n`);
    expect(await refusal(file)).to.contain('plugpull.events/9');
    writeFileSync(file, '{"type":"note","level":"info","text":""}\n');
    expect(await refusal(file)).to.contain('does not begin');
    writeFileSync(file, `${JSON.stringify(opening)}\ngarbage\n${JSON.stringify(opening)}\n`);
    expect(await refusal(file)).to.contain('line 2');
    expect(await refusal(path.join(folder, 'none'))).to.contain('no event log');
  });
});
