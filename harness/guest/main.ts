/**
 * Starts the agent: over stdin and stdout, or over a port of a guest.
 *
 *     node main.js [--control DEVICE]
 */
import { parseArgs } from 'node:util';
import { exitCodes } from '../core/exit-codes.js';
import { Agent } from './agent.js';
import { openPort } from './port.js';

const usage = 'usage: node main.js [--control DEVICE]\n';

async function main(): Promise<void> {
  let control: string | undefined;
  try {
    ({ control } = parseArgs({ options: { control: { type: 'string' } } }).values);
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n${usage}`);
    process.exit(exitCodes.usage);
  }
  if (control === undefined) {
    // Whoever reads our answers is gone: what is still said must not end us before we have put all away.
    process.stdout.on('error', () => undefined);
    await new Agent(process.stdout, { guest: false }).serve(process.stdin);
  } else {
    const port = openPort(control);
    await new Agent(port, { guest: true }).serve(port);
  }
  process.exit(0);
}

await main();
