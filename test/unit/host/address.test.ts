import { expect } from 'chai';
import os from 'node:os';
import { UsageError } from '../../../harness/core/errors.js';
import { addressText, parseAddress } from '../../../harness/host/address.js';

describe('the address of a machine', () => {
  const good: [string, string, string, number][] = [
    ['root@pi', 'root', 'pi', 22],
    ['root@pi.example:2222', 'root', 'pi.example', 2222],
    ['me@192.0.2.7:22', 'me', '192.0.2.7', 22],
    ['root@[2001:db8::1]:2222', 'root', '2001:db8::1', 2222],
    ['root@[fe80::1%eth0]', 'root', 'fe80::1%eth0', 22],
    ['root@2001:db8::1', 'root', '2001:db8::1', 22],
  ];
  for (const [text, user, host, port] of good) {
    it(`reads ${text}`, () => {
      expect(parseAddress(text)).to.deep.equal({ user, host, port });
      expect(parseAddress(addressText({ user, host, port }))).to.deep.equal({ user, host, port });
    });
  }

  it('takes our own name where none is given', () => {
    expect(parseAddress('pi').user).to.equal(os.userInfo().username);
  });

  for (const text of [
    '',
    'root@',
    '@pi',
    'root@pi:',
    'root@pi:0',
    'root@pi:65536',
    'root@a b',
    'root@-oProxy',
    'ro ot@pi',
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => {
      expect(() => parseAddress(text)).to.throw(UsageError);
    });
  }
});
