import { expect } from 'chai';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import { Machine } from '../../../harness/host/machine.js';
import { hostDefaults } from '../../../harness/host/options.js';
import { rejected } from '../../support/rejected.js';
import { HostError } from '../../../harness/host/error.js';

describe('a machine that boots', () => {
  it('is knocked at ever more patiently, so that a slow one can answer', async () => {
    let knocks = 0;
    let greeted = 0;
    const server = createServer((socket: Socket) => {
      knocks++;
      socket.on('error', () => undefined);
      const timer = setTimeout(() => {
        greeted++;
        socket.end('SSH-2.0-slow\r\n');
      }, 1300);
      socket.on('close', () => clearTimeout(timer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const machine = new Machine(
      {
        ...hostDefaults,
        address: { user: 'root', host: '127.0.0.1', port },
        login: [],
        knownHosts: path.join('/nonexistent', 'known_hosts'),
        powerOff: 'true',
        powerOn: null,
        afterBoot: null,
        remoteDir: '/mnt/test',
        remotePlugpull: null,
        offMillis: 0,
        bootMillis: 12_000,
      },
      () => undefined,
    );
    try {
      const error = await rejected(machine.comeBack(), HostError);
      expect(error.message).to.include('did not come back within 12 s');
      expect(greeted, `of ${knocks} knocks`).to.be.greaterThan(0);
    } finally {
      server.close();
    }
  });
});
