import { expect } from 'chai';
import { diskProgram, Hung, LineProcess, quoted } from '../../../harness/disk/line-process.js';
import { rejected } from '../../support/rejected.js';

describe('a process that answers line by line', () => {
  let hand: LineProcess;
  before(function () {
    try {
      diskProgram();
    } catch {
      this.skip();
    }
  });
  beforeEach(async function () {
    try {
      hand = await LineProcess.start('hand');
    } catch {
      this.skip(); // there is no private mount namespace here
    }
  });

  it('is told paths with whatever is in them as one word', async () => {
    expect(quoted('/a b\\c\n')).to.equal('/a\\040b\\134c\\012');
    const error = await rejected(hand.ask(`attach ${quoted('/no such\\file')}`), Error);
    expect(error.message).to.include('/no such\\file');
    await hand.close();
  });

  it('that gives no answer is killed, and that is not an answer', async () => {
    process.kill(hand.pid ?? 0, 'SIGSTOP');
    await rejected(hand.ask('attach x', 100), Hung);
    await hand.close();
  });

  it('that cannot be ended is left behind, by name', async () => {
    const { pid = 0 } = hand;
    process.kill(pid, 'SIGSTOP');
    const inner = hand as unknown as { child: { kill: () => boolean } };
    inner.child.kill = () => true; // as in the kernel, where no signal ends it
    const said: string[] = [];
    const write = process.stderr.write.bind(process.stderr);
    process.stderr.write = (text) => said.push(String(text)) > 0;
    try {
      await hand.close(undefined, { end: 50, kill: 50 });
    } finally {
      process.stderr.write = write;
      process.kill(pid, 'SIGKILL');
    }
    expect(said.join()).to.match(/plugpull-disk hand \(process \d+\) does not end; it is left behind/);
  });
});
