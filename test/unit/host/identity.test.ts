import { expect } from 'chai';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../harness/core/errors.js';
import { loginMethods } from '../../../harness/host/identity.js';
import { temporaryFolder } from '../../support/cli.js';
import { makeKey, whyNoSshd } from '../../support/sshd.js';

describe('the key to log in with', () => {
  const { folder, remove } = temporaryFolder();
  after(remove);
  const file = (name: string): string => path.join(folder, name);

  before(function () {
    if (whyNoSshd() !== null) this.skip();
  });

  for (const type of ['ed25519', 'ecdsa', 'rsa']) {
    it(`is read from a file (${type})`, () => {
      const [method] = loginMethods('root', makeKey(file(type), type));
      expect(method?.type).to.equal('publickey');
    });
  }

  const refused = (name: string, message: string): UsageError => {
    try {
      loginMethods('root', file(name));
    } catch (error) {
      expect(error).to.be.instanceOf(UsageError);
      expect((error as Error).message).to.include(message);
      return error as UsageError;
    }
    throw new Error(`${name} was accepted`);
  };

  it('may not be encrypted; the way out is the agent', () => {
    makeKey(file('locked'), 'ed25519', 'a secret');
    expect(refused('locked', 'is encrypted').remedy).to.include(`ssh-add ${file('locked')}`);
  });

  it('may not be the public one, nor something else, nor missing', () => {
    makeKey(file('pair'));
    refused('pair.pub', 'is a public key');
    writeFileSync(file('junk'), 'junk');
    refused('junk', 'is not a private key');
    refused('missing', 'ENOENT');
  });

  it("may be the agent's; without one there is none", () => {
    expect(loginMethods('root', null, '/run/agent')).to.deep.equal([
      { type: 'agent', username: 'root', agent: '/run/agent' },
    ]);
    expect(() => loginMethods('root', null, '')).to.throw(UsageError, 'no key to log in with');
  });
});
