/** Streams that keep what is written, and a clock that is set by hand. */
import type { RunEvent } from '../../../harness/core/events.js';
import { renderLog } from '../../../reports/from-log.js';
import type { Out, ReportIo } from '../../../reports/io.js';
import { createReporters, type ReportRequest } from '../../../reports/registry.js';

export class FakeOut implements Out {
  text = '';
  constructor(
    readonly isTTY: boolean,
    readonly columns: number,
  ) {}
  write(text: string, done?: (error?: Error | null) => void): boolean {
    this.text += text;
    done?.(null);
    return true;
  }
}

export class FakeIo implements ReportIo {
  readonly stdout: FakeOut;
  readonly stderr: FakeOut;
  clock = 0;
  /** Milliseconds that pass with each look at the clock. */
  pace = 0;

  constructor(
    readonly env: Record<string, string> = {},
    { tty = false, columns = 100 } = {},
  ) {
    this.stdout = new FakeOut(tty, columns);
    this.stderr = new FakeOut(tty, columns);
  }

  now(): number {
    this.clock += this.pace;
    return this.clock;
  }
}

export async function rendered(
  events: Iterable<RunEvent>,
  requests: ReportRequest[],
  io = new FakeIo(),
): Promise<FakeIo> {
  await renderLog(events, createReporters(requests, io));
  return io;
}
