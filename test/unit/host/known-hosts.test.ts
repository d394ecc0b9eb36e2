import { expect } from 'chai';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from '../../../harness/core/errors.js';
import { fingerprint, keyType, KnownHosts, knownKeys } from '../../../harness/host/known-hosts.js';
import { temporaryFolder } from '../../support/cli.js';

/** A key as it goes over the wire: its type, and then anything. */
function blob(type: string, rest: string): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), Buffer.from(rest)]);
}

const one = blob('ssh-ed25519', 'one');
const two = blob('ssh-ed25519', 'two');
const text = (key: Buffer): string => `${keyType(key)} ${key.toString('base64')}`;

function hashed(name: string): string {
  const salt = Buffer.from('twenty bytes of salt');
  return `|1|${salt.toString('base64')}|${createHmac('sha1', salt).update(name).digest('base64')}`;
}

describe('known hosts', () => {
  const { folder, remove } = temporaryFolder();
  const file = path.join(folder, 'known_hosts');
  after(remove);

  const hosts = (lines: string[], host = 'pi', port = 22): KnownHosts => {
    writeFileSync(file, lines.join('\n'));
    return KnownHosts.read(file, host, port);
  };

  it('knows a key by a plain name, also in a list, with any case and a comment', () => {
    expect(hosts(['# mine', '', `other,PI ${text(one)} a comment`], 'Pi').objection(one)).to.equal(null);
  });

  it('knows a key by a hashed name', () => {
    expect(hosts([`${hashed('pi')} ${text(one)}`]).objection(one)).to.equal(null);
    expect(hosts([`${hashed('po')} ${text(one)}`]).objection(one)?.kind).to.equal('key');
  });

  it('knows a machine at another port by its name in brackets alone', () => {
    expect(hosts([`[pi]:2222 ${text(one)}`], 'pi', 2222).objection(one)).to.equal(null);
    expect(hosts([`${hashed('[pi]:2222')} ${text(one)}`], 'pi', 2222).objection(one)).to.equal(null);
    expect(hosts([`pi ${text(one)}`], 'pi', 2222).objection(one)?.message).to.include('not known');
  });

  it('follows patterns and their exceptions', () => {
    const lines = [`*.lab,!bad.lab ${text(one)}`];
    expect(hosts(lines, 'pi.lab').objection(one)).to.equal(null);
    expect(hosts(lines, 'bad.lab').objection(one)?.message).to.include('not known');
    expect(hosts([`p? ${text(one)}`]).objection(one)).to.equal(null);
    expect(hosts([`p.* ${text(one)}`], 'pxi').objection(one)?.message).to.include('not known');
  });

  it('tells an unknown key with its fingerprint and the way out', () => {
    const error = hosts([], 'pi', 2222).objection(one);
    expect(error?.message).to.include('[pi]:2222').and.include(fingerprint(one)).and.include('not known');
    expect(error?.remedy).to.include(`ssh-keyscan -p 2222 pi >> ${file}`);
  });

  it('tells a changed key with both fingerprints, the line, and the way out', () => {
    const error = hosts(['# a comment', `pi ${text(one)}`]).objection(two);
    expect(error?.message).to.include('changed').and.include(fingerprint(one)).and.include(fingerprint(two));
    expect(error?.message).to.include('line 2');
    expect(error?.remedy).to.include(`ssh-keygen -f ${file} -R 'pi'`);
  });

  it('refuses a revoked key, though another line knows it', () => {
    expect(hosts([`pi ${text(one)}`, `@revoked * ${text(one)}`]).objection(one)?.message).to.include(
      'revoked',
    );
  });

  it('trusts no certificate authority as a key', () => {
    expect(hosts([`@cert-authority * ${text(one)}`]).objection(one)?.message).to.include('not known');
  });

  it('names the types of the keys that it knows', () => {
    const rsa = blob('ssh-rsa', 'x');
    expect(hosts([`pi ${text(rsa)}`, `pi ${text(one)}`]).types).to.deep.equal(['ssh-rsa', 'ssh-ed25519']);
  });

  it('knows nobody where there is no file, and refuses what is no file', () => {
    expect(KnownHosts.read(path.join(folder, 'none'), 'pi', 22).objection(one)?.kind).to.equal('key');
    expect(() => KnownHosts.read(folder, 'pi', 22)).to.throw(UsageError, 'EISDIR');
  });

  it('passes over lines that make no sense', () => {
    expect(knownKeys('pi\npi ssh-ed25519\n|1|x pi y\n@odd pi a b\n', 'pi', 22)).to.deep.equal([]);
  });
});
