import { expect } from 'chai';
import fc from 'fast-check';
import { LineProtocol, type Phase } from '../../../harness/subjects/line-protocol.js';
import { Tail } from '../../../harness/subjects/tail.js';

interface Seen {
  commits: number[];
  states: number[];
  errors: string[];
  protocol: LineProtocol;
}

function parse(phase: Phase, ...chunks: (string | Buffer)[]): Seen {
  const seen = { commits: [] as number[], states: [] as number[], errors: [] as string[] };
  const protocol = new LineProtocol(phase, {
    onCommit: (commit) => seen.commits.push(commit),
    onState: (state) => seen.states.push(state),
    onError: (message) => seen.errors.push(message),
  });
  for (const chunk of chunks) protocol.push(Buffer.from(chunk));
  protocol.finish();
  return { ...seen, protocol };
}

describe('line protocol', () => {
  it('takes consecutive commits and keeps other lines as the log', () => {
    const seen = parse('run', 'hello\nplugpull commit 1\nworking\nplugpull commit 2\n', 'bye');
    expect(seen.commits).to.deep.equal([1, 2]);
    expect(seen.errors).to.deep.equal([]);
    expect(seen.protocol.log.toString()).to.equal('hello\nworking\nbye');
  });

  it('gives the same however the bytes are cut into chunks', () => {
    const text =
      'a\nplugpull commit 1\n\nplug\nplugpullcommit 9\nplugpull commit 2\r\n' +
      'x'.repeat(700) +
      '\nplugpull commit 3\npl';
    const whole = parse('run', text);
    expect(whole.commits).to.deep.equal([1, 2, 3]);
    fc.assert(
      fc.property(fc.array(fc.nat(text.length), { maxLength: 40 }), (cuts) => {
        const places = [0, ...cuts.sort((a, b) => a - b), text.length];
        const chunks = places.slice(1).map((end, i) => text.slice(places[i], end));
        const cut = parse('run', ...chunks);
        expect(cut.commits).to.deep.equal(whole.commits);
        expect(cut.errors).to.deep.equal([]);
        expect(cut.protocol.log.toString()).to.equal(whole.protocol.log.toString());
      }),
    );
  });

  it('does not count a commit whose newline never came', () => {
    const seen = parse('run', 'plugpull commit 1\n', 'plugpull commit 2');
    expect(seen.protocol.lastCommit).to.equal(1);
    expect(seen.protocol.log.toString()).to.equal('plugpull commit 2');
  });

  it('names both numbers and the line when a commit is skipped, repeated or goes back', () => {
    const skipped = parse('run', 'plugpull commit 1\nplugpull commit 3\nplugpull commit 4\n');
    expect(skipped.errors).to.deep.equal([
      'commit 3 was printed out of order (expected 2): "plugpull commit 3"',
    ]);
    expect(skipped.commits).to.deep.equal([1]);
    const twice = parse('run', 'plugpull commit 1\nplugpull commit 1\n');
    expect(twice.errors).to.deep.equal(['commit 1 was printed twice (expected 2): "plugpull commit 1"']);
    expect(parse('run', 'plugpull commit 0\n').errors[0]).to.contain('twice (expected 1)');
    expect(parse('run', 'plugpull commit 7\n').errors[0]).to.contain('(expected 1)');
  });

  it('lets set-up print commit 0, once', () => {
    expect(parse('setup', 'plugpull commit 0\n').protocol.lastCommit).to.equal(0);
    expect(parse('setup', '').protocol.lastCommit).to.equal(-1);
    expect(parse('setup', 'plugpull commit 0\nplugpull commit 1\n').errors[0]).to.contain(
      'setup makes commit 0 only',
    );
  });

  it('takes one state from a check', () => {
    expect(parse('check', 'fine\nplugpull state 12\n').protocol.state).to.equal(12);
    expect(parse('check', 'plugpull state 3\nplugpull state 3\n').errors).to.deep.equal([]);
    expect(parse('check', 'plugpull state 3\nplugpull state 4\n').errors[0]).to.contain(
      'two states: 3, then 4',
    );
  });

  it('refuses lines of another phase and malformed ones', () => {
    expect(parse('run', 'plugpull state 1\n').errors[0]).to.contain('has no place in run');
    expect(parse('check', 'plugpull commit 1\n').errors[0]).to.contain('has no place in check');
    for (const line of [
      'commit',
      'commit x',
      'commit -1',
      'commit 01',
      'commit 1 2',
      'comit 1',
      'commit 1e3',
      '',
    ]) {
      expect(parse('run', `plugpull ${line}\n`).errors, line).to.have.length(1);
    }
    expect(parse('run', `plugpull commit 1${'0'.repeat(20)}\n`).errors[0]).to.contain('malformed');
  });

  it('keeps memory bounded under a flood without newlines', () => {
    const protocol = new LineProtocol('run', {}, new Tail(1000));
    const chunk = Buffer.alloc(64 * 1024, 'plugpull commit ');
    for (let i = 0; i < 100; i++) protocol.push(chunk);
    protocol.push(Buffer.from('\nplugpull commit 1\n'));
    expect(protocol.lastCommit).to.equal(1);
    expect(protocol.error).to.equal(null);
    expect(protocol.log.total).to.equal(100 * chunk.length + 1);
    expect(protocol.log.toString().length).to.be.below(1100);
  });

  it('never throws on arbitrary bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 8 }), (chunks) => {
        const seen = parse('run', ...chunks.map((chunk) => Buffer.from(chunk)));
        expect(seen.protocol.log.total).to.be.at.most(chunks.reduce((sum, { length }) => sum + length, 0));
      }),
    );
  });
});
