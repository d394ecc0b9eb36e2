import { expect } from 'chai';
import { duplexPair, type Duplex } from 'node:stream';
import { AgentClient, AgentError } from '../../../harness/guest/client.js';
import { agentProtocol, chunkBytes, maxLineBytes } from '../../../harness/guest/protocol.js';
import { rejected } from '../../support/rejected.js';

interface Request {
  id: number;
  method: string;
  params: Record<string, unknown>;
}

/** An agent, played by hand. */
class FakeAgent {
  readonly said: Record<string, unknown>[] = [];
  private wake: (() => void) | null = null;

  constructor(readonly stream: Duplex) {
    let text = '';
    stream.on('data', (chunk: Buffer) => {
      const lines = (text + chunk.toString()).split('\n');
      text = lines.pop() ?? '';
      this.said.push(...lines.map((line) => JSON.parse(line) as Record<string, unknown>));
      this.wake?.();
    });
  }

  say(message: unknown): void {
    this.stream.write(`${JSON.stringify(message)}\n`);
  }

  async request(number: number): Promise<Request> {
    while (this.said.length <= number) await new Promise<void>((resolve) => (this.wake = resolve));
    return this.said[number] as unknown as Request;
  }
}

function pair(): { client: AgentClient; agent: FakeAgent } {
  const [ours, theirs] = duplexPair();
  return { client: new AgentClient(ours, 'the agent'), agent: new FakeAgent(theirs) };
}

const failure = (promise: Promise<unknown>): Promise<AgentError> => rejected(promise, AgentError);

describe('AgentClient', () => {
  it('gives each call its answer, in whatever order they come', async () => {
    const { client, agent } = pair();
    const calls = [client.call('bootId', {}), client.call('kernelLog', {})];
    const [first, second] = [await agent.request(0), await agent.request(1)];
    expect(first).to.deep.equal({ id: 1, method: 'bootId', params: {} });
    agent.say({ id: second.id, result: { text: 'log' } });
    agent.say({ event: 'log', text: 'said on the way\n' });
    agent.say({ id: first.id, result: { bootId: 'b' } });
    expect(await Promise.all(calls)).to.deep.equal([{ bootId: 'b' }, { text: 'log' }]);
    expect(client.log.toString()).to.equal('said on the way\n');
  });

  it('keeps the code, the exit code and the way out of an error', async () => {
    const { client, agent } = pair();
    const asked = failure(client.call('makeFolder', { path: '/a' }));
    const error = { message: 'no room', code: 'ENOSPC', exitCode: 69, remedy: 'make room' };
    agent.say({ id: (await agent.request(0)).id, error });
    const got = await asked;
    expect(got).to.include({ kind: 'refused', exitCode: 69, remedy: 'make room' });
    expect(got.failure).to.deep.equal(error);
    expect(got.message).to.equal('makeFolder: no room');
  });

  it('gives up on an answer that does not come, and ignores it when it does', async () => {
    const { client, agent } = pair();
    const late = await failure(client.call('bootId', {}, { timeoutMillis: 20 }));
    expect(late.kind).to.equal('timeout');
    agent.say({ id: (await agent.request(0)).id, result: { bootId: 'late' } });
    const next = client.call('bootId', {});
    agent.say({ id: (await agent.request(1)).id, result: { bootId: 'in time' } });
    expect(await next).to.deep.equal({ bootId: 'in time' });
  });

  it('rejects what waits, and what comes later, once the stream has ended', async () => {
    const { client, agent } = pair();
    const asked = failure(client.call('bootId', {}));
    await agent.request(0);
    agent.stream.end();
    expect((await asked).kind).to.equal('closed');
    expect((await client.closed).kind).to.equal('closed');
    expect((await failure(client.call('bootId', {}))).kind).to.equal('closed');
  });

  it('passes over a banner, and shows it where nothing else comes', async () => {
    const { client, agent } = pair();
    agent.stream.write('Welcome to Debian!\n\n');
    const hello = client.hello();
    agent.say({ id: (await agent.request(0)).id, result: { protocol: agentProtocol } });
    expect((await hello).protocol).to.equal(agentProtocol);

    const other = pair();
    other.agent.stream.write('node: command not found\n');
    other.agent.stream.end();
    const lost = await failure(other.client.hello());
    expect(lost.message).to.contain('node: command not found');
  });

  it('ends at what is no protocol once it has spoken it, at an endless banner, and at an endless line', async () => {
    const spoken = pair();
    const hello = spoken.client.hello();
    spoken.agent.say({ id: (await spoken.agent.request(0)).id, result: { protocol: agentProtocol } });
    await hello;
    spoken.agent.stream.write('oops\n');
    expect((await spoken.client.closed).kind).to.equal('garbage');

    const talker = pair();
    talker.agent.stream.write('hello\n'.repeat(100));
    expect((await talker.client.closed).kind).to.equal('garbage');

    const endless = pair();
    endless.agent.stream.write('x'.repeat(maxLineBytes + 1));
    expect((await endless.client.closed).kind).to.equal('garbage');
  });

  it('refuses an agent of another protocol', async () => {
    const { client, agent } = pair();
    const hello = failure(client.hello());
    agent.say({ id: (await agent.request(0)).id, result: { protocol: 99 } });
    expect((await hello).message).to.contain('protocol 99');
  });

  it('confirms a mark only when all who listen have taken note of it', async () => {
    const { client, agent } = pair();
    const seen: string[] = [];
    let note: () => void = () => undefined;
    client.onMark(async (text) => {
      await new Promise<void>((resolve) => (note = resolve));
      seen.push(text);
    });
    agent.say({ event: 'mark', number: 5, text: 'ack 1' });
    await new Promise((resolve) => setImmediate(resolve));
    expect(agent.said).to.deep.equal([]);
    note();
    expect(await agent.request(0)).to.deep.equal({ confirm: 5 });
    expect(seen).to.deep.equal(['ack 1']);
  });

  it('leaves the agent where a mark could not be recorded', async () => {
    const { client, agent } = pair();
    client.onMark(() => {
      throw new Error('disk full');
    });
    agent.say({ event: 'mark', number: 1, text: 'ack 1' });
    expect((await client.closed).message).to.contain('disk full');
    expect(agent.said).to.deep.equal([]);
  });

  it('moves files in pieces', async () => {
    const { client, agent } = pair();
    const data = Buffer.alloc(chunkBytes + 5, 'a');
    const put = client.putFile('/f', 0o755, data);
    for (const [i, bytes] of [chunkBytes, 5].entries()) {
      const { id, params } = await agent.request(i);
      expect(params).to.include({ path: '/f', mode: 0o755, offset: i * chunkBytes });
      expect(Buffer.from(params.data as string, 'base64')).to.have.length(bytes);
      agent.say({ id, result: null });
    }
    await put;
    const empty = client.putFile('/e', 0o600, Buffer.alloc(0));
    agent.say({ id: (await agent.request(2)).id, result: null });
    await empty;

    const got = client.getFile('/f', 100);
    agent.say({ id: (await agent.request(3)).id, result: { data: 'YWI=', bytes: 3 } });
    const { id, params } = await agent.request(4);
    expect(params.offset).to.equal(2);
    agent.say({ id, result: { data: 'Yw==', bytes: 3 } });
    expect((await got).toString()).to.equal('abc');
    const large = failure(client.getFile('/f', 100));
    agent.say({ id: (await agent.request(5)).id, result: { data: '', bytes: 101 } });
    expect((await large).message).to.contain('more than 100');
  });
});
