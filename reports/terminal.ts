/**
 * Progress while a run goes on: one rewritten line on a terminal, a plain line every few seconds
 * elsewhere. At the end, the summary.
 */
import type { FindingEvent, Reporter, RunEvent } from '../harness/core/events.js';
import { writeOut, type Out, type ReportIo } from './io.js';
import { painter, type Paint } from './paint.js';
import type { Summary } from './summary.js';
import { terminalSummary } from './terminal-summary.js';
import { clip, duration, grouped, oneLine, plural } from './text.js';
import { clausesOf } from './words.js';

/** Milliseconds between two looks at the status: on a terminal, and in a log. */
const livePause = 100;
const logPause = 5_000;

const clearLine = '\r\u001b[2K';
const defaultWidth = 100;
const longestLive = 400;
/** Of an explanation; the summary tells the rest. */
const liveClauses = 2;

export interface TerminalOptions {
  /** Is stdout free for the summary? Else it goes to stderr. */
  summaryOnStdout: boolean;
  progress?: boolean;
  /** Leave the summary to somebody else. */
  summary?: boolean;
  /** Reports that are written to files. */
  files?: string[];
}

export class TerminalReporter implements Reporter {
  private readonly started: number;
  private shownAt: number;
  private readonly live: boolean;
  private lineOpen = false;
  private readonly paint: Paint;
  private readonly err: Out;

  constructor(
    private readonly summary: Summary,
    private readonly options: TerminalOptions,
    private readonly io: ReportIo,
  ) {
    this.err = io.stderr;
    this.started = io.now();
    this.shownAt = this.started;
    // CI systems keep what is rewritten: there a terminal is not one.
    this.live = this.err.isTTY === true && (io.env.CI ?? '') === '' && io.env.TERM !== 'dumb';
    this.paint = painter(this.err, io.env);
  }

  on(event: RunEvent): void {
    if (this.options.progress === false) return;
    if (event.type === 'run-started') this.line(this.opening());
    else if (event.type === 'finding' && !event.expected) this.line(this.found(event));
    else if (event.type === 'note') {
      const text = clip(oneLine(event.text), longestLive);
      this.line(event.level === 'warning' ? `${this.paint('yellow', 'warning')}: ${text}` : text);
    } else if (event.type === 'trial' || event.type === 'states') this.status(event.target);
  }

  async end(): Promise<void> {
    this.clear();
    if (this.options.summary === false) return;
    const out = this.options.summaryOnStdout ? this.io.stdout : this.err;
    const width = Math.max(40, out.columns ?? defaultWidth);
    const lines = terminalSummary(this.summary, { paint: painter(out, this.io.env), width });
    const files = (this.options.files ?? []).map((file) => `Report: ${oneLine(file)}`);
    await writeOut(out, `${['', ...lines, ...files].join('\n')}\n`);
  }

  private opening(): string {
    const { run } = this.summary;
    const shard = run === null || run.shard.of === 1 ? '' : `, shard ${run.shard.index} of ${run.shard.of}`;
    return `plugpull ${run?.version ?? ''}: run ${oneLine(run?.run ?? '')}, seed ${run?.seed ?? '?'}${shard}`;
  }

  private found(finding: FindingEvent): string {
    const told = clausesOf(finding).slice(0, liveClauses).join('; ');
    const what = `${this.paint('red', finding.verdict)}: ${clip(oneLine(told), longestLive)}`;
    return `${oneLine(finding.target)}: ${what}\n  ${oneLine(finding.replay)}`;
  }

  private status(target: string): void {
    const now = this.io.now();
    if (now - this.shownAt < (this.live ? livePause : logPause)) return;
    this.shownAt = now;
    const { trials, violations, controls } = this.summary;
    const elapsed = now - this.started;
    const caught = controls.filter((control) => control.caught).length;
    const parts = [
      duration(Math.floor(elapsed / 1000) * 1000),
      `${plural(trials, 'crash', 'crashes')} (${grouped((trials * 1000) / Math.max(1, elapsed))}/s)`,
      plural(violations, 'violation'),
      ...(controls.length === 0 ? [] : [`${caught} of ${plural(controls.length, 'control')} caught`]),
      oneLine(target),
    ];
    if (!this.live) {
      this.line(parts.join(' · '));
      return;
    }
    const text = parts.join(' · ').slice(0, Math.max(20, (this.err.columns ?? defaultWidth) - 1));
    this.err.write(`${clearLine}${violations > 0 ? this.paint('red', text) : text}`);
    this.lineOpen = true;
  }

  private line(text: string): void {
    this.clear();
    this.err.write(`${text}\n`);
  }

  private clear(): void {
    if (this.lineOpen) this.err.write(clearLine);
    this.lineOpen = false;
  }
}
