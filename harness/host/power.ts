/** The user's own commands that cut power and give it back: run here, bounded, with what they said kept. */
import { spawn } from 'node:child_process';
import { addressText, type HostAddress } from './address.js';
import { lastWords } from './connection.js';

export interface PowerResult {
  ok: boolean;
  /** One sentence: how it ended. */
  text: string;
  millis: number;
}

const logBytes = 4096;

/** What a power command is told by its environment. */
export function environment(address: HostAddress): NodeJS.ProcessEnv {
  return { ...process.env, PLUGPULL_HOST: address.host, PLUGPULL_ADDRESS: addressText(address) };
}

/**
 * Runs a command by /bin/sh. What it starts in the background may live on (a command may start a whole machine); the
 * command itself, and all of its process group, is killed after `timeoutMillis`.
 */
export async function runPowerCommand(
  what: 'power-off' | 'power-on',
  command: string,
  address: HostAddress,
  timeoutMillis: number,
): Promise<PowerResult> {
  const started = performance.now();
  const child = spawn('/bin/sh', ['-c', command], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: environment(address),
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8');
    stream.on('data', (text: string) => {
      said = (said + text).slice(-logBytes);
    });
  }
  const state = { late: false };
  const killGroup = (): void => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
    } catch {
      // It is gone.
    }
  };
  const timer = setTimeout(() => {
    state.late = true;
    killGroup();
  }, timeoutMillis);
  // Before power is given back at the exit.
  process.prependOnceListener('exit', killGroup);
  try {
    const { code, how } = await new Promise<{ code: number | null; how: string }>((resolve) => {
      child.once('error', (error) => resolve({ code: null, how: error.message }));
      // Not `close`: what it left in the background may hold its stdout for ever.
      child.once('exit', (exit, by) => resolve({ code: exit, how: by ?? `exit ${exit ?? '?'}` }));
    });
    // What it wrote just before its end is read in the next turn.
    await new Promise((resolve) => setTimeout(resolve, 10));
    const words = lastWords(said);
    const ended = state.late
      ? `was not done in ${timeoutMillis / 1000} s`
      : code === 0
        ? 'ended well'
        : `failed (${how})`;
    return {
      ok: code === 0 && !state.late,
      text: `the ${what} command ${ended}${words === '' ? '' : `: ${words}`}`,
      millis: performance.now() - started,
    };
  } finally {
    clearTimeout(timer);
    process.off('exit', killGroup);
    child.stdout.destroy();
    child.stderr.destroy();
  }
}
