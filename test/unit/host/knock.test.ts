import { expect } from 'chai';
import { createServer, type Server, type Socket } from 'node:net';
import { answers } from '../../../harness/host/knock.js';

async function listening(greet: (socket: Socket) => void): Promise<{ server: Server; port: number }> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 };
}

describe('whether an ssh server answers', () => {
  const cases: [string, (socket: Socket) => void, boolean][] = [
    ['greets', (socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n'), true],
    ['greets after other lines', (socket) => socket.write('a notice\r\nSSH-2.0-x\r\n'), true],
    ['hangs up', (socket) => socket.end(), false],
    ['is something else', (socket) => socket.end('220 mail\r\n'), false],
    ['is silent', () => undefined, false],
  ];
  for (const [name, greet, expected] of cases) {
    it(`${expected ? 'yes' : 'no'}, if it ${name}`, async () => {
      const { server, port } = await listening(greet);
      try {
        expect(await answers({ user: 'root', host: '127.0.0.1', port }, 1000)).to.equal(expected);
      } finally {
        server.close();
      }
    });
  }

  it('depends on the patience, if it greets slowly', async () => {
    const { server, port } = await listening((socket) => {
      setTimeout(() => socket.write('SSH-2.0-slow\r\n'), 500);
    });
    try {
      const address = { user: 'root', host: '127.0.0.1', port };
      expect(await answers(address, 50)).to.equal(false);
      expect(await answers(address, 20_000)).to.equal(true);
    } finally {
      server.close();
    }
  });

  it('no, if nobody listens', async () => {
    const { server, port } = await listening(() => undefined);
    await new Promise((resolve) => server.close(resolve));
    expect(await answers({ user: 'root', host: '127.0.0.1', port }, 1000)).to.equal(false);
  });
});
