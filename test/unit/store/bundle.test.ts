import { expect } from 'chai';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { UsageError } from '../../../harness/core/errors.js';
import { decodeBundle, encodeBundle, readBundle } from '../../../harness/store/bundle.js';

const manifest = { seed: 7, what: 'torn' };
const files = new Map([
  ['trace', Buffer.from('operations')],
  ['after-crash/heap.db', Buffer.alloc(10_000, 3)],
]);
const good = encodeBundle({ manifest, files });

/** A bundle whose sum is right, whatever its content. */
function sealed(content: Buffer, version = 1): Buffer {
  const payload = gzipSync(content);
  const head = Buffer.alloc(48);
  head.write('PLUGPULL');
  head.writeUInt32LE(version, 8);
  head.writeUInt32LE(payload.length, 12);
  createHash('sha256').update(head.subarray(0, 16)).update(payload).digest().copy(head, 16);
  return Buffer.concat([head, payload]);
}

function entry(name: string, bytes: Buffer): Buffer {
  const head = Buffer.alloc(2);
  head.writeUInt16LE(Buffer.byteLength(name));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(bytes.length);
  return Buffer.concat([head, Buffer.from(name), size, bytes]);
}

const json = entry('manifest.json', Buffer.from('{}'));

function refusal(bytes: Buffer, limits?: Parameters<typeof decodeBundle>[2]): string {
  try {
    decodeBundle(bytes, 'x.plugpull', limits);
  } catch (error) {
    expect(error).to.be.instanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('it was accepted');
}

describe('bundles', () => {
  it('come back as they were', () => {
    const read = decodeBundle(good, 'x');
    expect(read.manifest).to.deep.equal(manifest);
    expect([...read.files].map(([name, bytes]) => [name, bytes.toString('hex')])).to.deep.equal(
      [...files].map(([name, bytes]) => [name, bytes.toString('hex')]),
    );
  });

  it('that are truncated are refused, wherever they end', () => {
    for (let length = 0; length < good.length; length++) {
      expect(refusal(good.subarray(0, length))).to.match(/not a bundle|cut short/);
    }
    expect(refusal(Buffer.concat([good, Buffer.alloc(1)]))).to.contain('too many');
  });

  it('with any bit flipped are refused', () => {
    for (let at = 0; at < good.length; at++) {
      const flipped = Buffer.from(good);
      flipped[at]! ^= 1 << (at % 8);
      expect(refusal(flipped)).to.be.a('string');
    }
  });

  it('from a newer version are refused by name', () => {
    expect(refusal(sealed(json, 2))).to.contain('format 2');
  });

  it('that unpack to too much are refused before they do', () => {
    const bomb = sealed(Buffer.concat([json, entry('zeros', Buffer.alloc(50 * 1024 ** 2))]));
    expect(bomb.length).to.be.lessThan(100_000);
    const limits = { fileBytes: 1e9, unpackedBytes: 1024 ** 2, entries: 10 };
    expect(refusal(bomb, limits)).to.contain('more than 1048576');
    const crowd = sealed(
      Buffer.concat([json, ...Array.from({ length: 20 }, (_, i) => entry(`f${i}`, Buffer.alloc(0)))]),
    );
    expect(refusal(crowd, limits)).to.contain('more than 10 entries');
  });

  it('with names that leave their folder are refused', () => {
    for (const name of ['../x', '/etc/passwd', 'a/../../x', 'a//b', './x', 'a\\b', 'a\u0000b', '']) {
      expect(refusal(sealed(Buffer.concat([json, entry(name, Buffer.alloc(1))])))).to.match(/folder|name/);
      if (name !== '')
        expect(() => encodeBundle({ manifest, files: new Map([[name, Buffer.alloc(0)]]) })).to.throw();
    }
  });

  it('without a manifest, with two of a name, or cut inside are refused', () => {
    expect(refusal(sealed(entry('a', Buffer.alloc(1))))).to.contain('no manifest.json');
    expect(refusal(sealed(Buffer.concat([json, json])))).to.contain('two entries');
    expect(refusal(sealed(json.subarray(0, -1)))).to.contain('middle of an entry');
    expect(refusal(sealed(entry('manifest.json', Buffer.from('nope'))))).to.contain('no JSON');
  });

  it('that are not there are refused', () => {
    expect(() => readBundle('/nonexistent/x.plugpull')).to.throw(UsageError, 'ENOENT');
  });

  it('survive any mutation: they are refused with a sentence, or read', function () {
    const runs = process.env.PLUGPULL_LONG === undefined ? 1500 : 20_000;
    this.timeout(runs * 20);
    const inner = Buffer.concat([
      json,
      entry('a/b', Buffer.from('some content')),
      entry('c', Buffer.alloc(300, 1)),
    ]);
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(inner.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        fc.nat(inner.length),
        (changes, cut) => {
          const mutated = Buffer.from(inner.subarray(0, cut === 0 ? inner.length : cut));
          for (const [at, value] of changes) if (at < mutated.length) mutated[at] = value;
          try {
            const { files: read } = decodeBundle(sealed(mutated), 'x');
            for (const name of read.keys()) expect(name).not.to.match(/^\/|(^|\/)\.\.(\/|$)/);
          } catch (error) {
            if (!(error instanceof UsageError)) throw error;
          }
        },
      ),
      { numRuns: runs, seed: 42 },
    );
  });
});
