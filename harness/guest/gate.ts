/**
 * Marks that the controller must confirm, for a workload in a process that has no event loop: it writes each to one
 * named pipe and then waits for a byte from another.
 */
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runProgram } from '../core/run-program.js';
import { LineCutter } from './lines.js';

/** Marks that the workload waits at. */
const waits = /^(begin|ack|done)\b/;

export class Gate {
  private closed = false;

  private constructor(
    private readonly folder: string,
    private readonly socket: Socket,
    private readonly pass: number,
    readonly port: string,
    readonly gate: string,
  ) {}

  /** @param confirm resolves when the controller has taken note of a mark */
  static async open(confirm: (text: string) => Promise<void>): Promise<Gate> {
    const folder = mkdtempSync(path.join(tmpdir(), 'plugpull-marks-'));
    const port = path.join(folder, 'marks');
    const gate = path.join(folder, 'gate');
    await runProgram('mkfifo', [port, gate]);
    // Opened for both, so that opening does not wait for the other side.
    const fd = openSync(port, constants.O_RDWR | constants.O_NONBLOCK);
    const socket = new Socket({ fd, readable: true, writable: false });
    socket.on('error', () => undefined);
    const opened = new Gate(folder, socket, openSync(gate, constants.O_RDWR), port, gate);
    const cutter = new LineCutter(
      4096,
      (line) => void opened.let(line, confirm),
      () => opened.close(),
    );
    socket.on('data', (chunk: Buffer) => cutter.push(chunk));
    return opened;
  }

  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.socket.destroy();
    closeSync(this.pass);
    rmSync(this.folder, { recursive: true, force: true });
  }

  private async let(line: string, confirm: (text: string) => Promise<void>): Promise<void> {
    try {
      await confirm(line);
    } catch {
      return; // nobody is there to confirm: the workload waits until it is ended
    }
    if (!this.closed && waits.test(line)) writeSync(this.pass, '.');
  }
}
