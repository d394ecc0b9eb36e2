import { expect } from 'chai';
import { duplexPair, type Duplex } from 'node:stream';
import { QmpClient, QmpError } from '../../../harness/vm/qmp.js';
import { rejected } from '../../support/rejected.js';

const greeting = '{"QMP": {"version": {}, "capabilities": ["oob"]}}\r\n';

interface Request {
  execute: string;
  arguments?: Record<string, unknown>;
  id: number;
}

/** QEMU's side, played by hand. */
class FakeQemu {
  readonly requests: Request[] = [];
  private wake: (() => void) | null = null;

  constructor(readonly stream: Duplex) {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      const lines = (text + chunk.toString()).split('\n');
      text = lines.pop() ?? '';
      this.requests.push(...lines.map((line) => JSON.parse(line) as Request));
      this.wake?.();
    });
  }

  say(message: unknown): void {
    this.stream.write(`${JSON.stringify(message)}\r\n`);
  }

  async request(number: number): Promise<Request> {
    while (this.requests.length <= number) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.requests[number]!;
  }
}

async function connected(): Promise<{ client: QmpClient; qemu: FakeQemu }> {
  const [ours, theirs] = duplexPair();
  const qemu = new FakeQemu(theirs);
  theirs.write(greeting);
  const opening = QmpClient.open(ours, { timeoutMillis: 5000 });
  const { execute, id } = await qemu.request(0);
  expect(execute).to.equal('qmp_capabilities');
  qemu.say({ return: {}, id });
  return { client: await opening, qemu };
}

const failure = (promise: Promise<unknown>): Promise<QmpError> => rejected(promise, QmpError);

describe('QmpClient', () => {
  it('negotiates, sends arguments and gives what is returned', async () => {
    const { client, qemu } = await connected();
    const asked = client.execute('query-block', { flat: true });
    const request = await qemu.request(1);
    expect(request).to.deep.equal({ execute: 'query-block', arguments: { flat: true }, id: 2 });
    qemu.say({ return: [{ device: 'a' }], id: 2 });
    expect(await asked).to.deep.equal([{ device: 'a' }]);
  });

  it('takes answers out of order, with events between them and in pieces', async () => {
    const { client, qemu } = await connected();
    const seen: string[] = [];
    const forget = client.on(({ event, data, time }) => seen.push(`${event} ${String(data.n)} ${time}`));
    const first = client.execute('first');
    const second = client.execute('second');
    const ids = [(await qemu.request(1)).id, (await qemu.request(2)).id];
    const text = [
      { return: 2, id: ids[1] },
      { event: 'STOP', data: { n: 7 }, timestamp: { seconds: 2, microseconds: 500_000 } },
      { return: 1, id: ids[0] },
    ]
      .map((message) => `${JSON.stringify(message)}\r\n`)
      .join('');
    qemu.stream.write(text.slice(0, 11));
    qemu.stream.write(text.slice(11, 60));
    qemu.stream.write(text.slice(60));
    expect(await Promise.all([first, second])).to.deep.equal([1, 2]);
    expect(seen).to.deep.equal(['STOP 7 2500']);
    forget();
    const done = client.execute('third');
    qemu.say({ event: 'RESUME' });
    qemu.say({ return: {}, id: (await qemu.request(3)).id });
    await done;
    expect(seen).to.have.length(1);
  });

  it('gives an error of a command its class and words, and goes on', async () => {
    const { client, qemu } = await connected();
    const asked = client.execute('explode');
    const { id } = await qemu.request(1);
    qemu.say({ error: { class: 'CommandNotFound', desc: 'The command explode has not been found' }, id });
    const error = await failure(asked);
    expect(error).to.include({ kind: 'refused', errorClass: 'CommandNotFound', command: 'explode' });
    expect(error.message).to.contain('has not been found');
    const next = client.execute('stop');
    qemu.say({ return: {}, id: (await qemu.request(2)).id });
    expect(await next).to.deep.equal({});
  });

  it('waits for an event, for a chosen one, and for a bounded time', async () => {
    const { client, qemu } = await connected();
    const chosen = client.waitFor('MIGRATION', ({ data }) => data.status === 'completed');
    qemu.say({ event: 'STOP' });
    qemu.say({ event: 'MIGRATION', data: { status: 'active' } });
    qemu.say({ event: 'MIGRATION', data: { status: 'completed' } });
    expect((await chosen).data).to.deep.equal({ status: 'completed' });
    const never = await failure(client.waitFor('SHUTDOWN', undefined, { timeoutMillis: 20 }));
    expect(never).to.include({ kind: 'timeout', command: 'SHUTDOWN' });
  });

  it('gives up on an answer that does not come, and ignores it when it does', async () => {
    const { client, qemu } = await connected();
    const error = await failure(client.execute('slow', undefined, { timeoutMillis: 20 }));
    expect(error).to.include({ kind: 'timeout', command: 'slow' });
    qemu.say({ return: 'late', id: (await qemu.request(1)).id });
    const next = client.execute('quick');
    qemu.say({ return: 'in time', id: (await qemu.request(2)).id });
    expect(await next).to.equal('in time');
  });

  it('ends what is under way when the connection ends', async () => {
    const { client, qemu } = await connected();
    const asked = failure(client.execute('query-status'));
    const event = failure(client.waitFor('STOP'));
    await qemu.request(1);
    qemu.stream.end();
    expect(await asked).to.include({ kind: 'closed', command: 'query-status' });
    expect(await event).to.include({ kind: 'closed', command: 'STOP' });
    expect((await client.closed).kind).to.equal('closed');
    expect((await failure(client.execute('more'))).kind).to.equal('closed');
  });

  const garbage = {
    'what is not JSON': 'qemu: hello\n',
    'what is no object': '17\n',
    'an object that says nothing': '{"a": 1}\n',
    'an error without an id': '{"error": {"class": "GenericError", "desc": "JSON parse error"}}\n',
    'a line without end': 'x'.repeat(5 * 1024 ** 2),
  };
  for (const [what, text] of Object.entries(garbage)) {
    it(`ends the connection at ${what}`, async () => {
      const { client, qemu } = await connected();
      const asked = failure(client.execute('query-status'));
      await qemu.request(1);
      qemu.stream.write(text);
      expect((await asked).kind).to.equal('garbage');
      expect((await client.closed).kind).to.equal('garbage');
    });
  }

  it('waits for the greeting for a bounded time', async () => {
    const [ours] = duplexPair();
    const error = await failure(QmpClient.open(ours, { timeoutMillis: 20 }));
    expect(error).to.include({ kind: 'timeout', command: 'connect' });
    expect(ours.destroyed).to.equal(true);
  });
});
