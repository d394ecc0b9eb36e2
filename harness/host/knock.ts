/** Does an ssh server answer there yet? Quicker to find out than by a login, whose time-out must be long. */
import { connect } from 'node:net';
import type { HostAddress } from './address.js';

/** True if something there greets as an ssh server does, within `patienceMillis`. */
export async function answers({ host, port }: HostAddress, patienceMillis: number): Promise<boolean> {
  return await new Promise((resolve) => {
    const socket = connect({ host, port });
    const end = (yes: boolean): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(yes);
    };
    const timer = setTimeout(() => end(false), patienceMillis);
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(0, 4096);
      // Lines before the greeting are allowed.
      if (/^SSH-/m.test(said)) end(true);
    });
    socket.on('error', () => end(false));
    socket.on('close', () => end(false));
  });
}
