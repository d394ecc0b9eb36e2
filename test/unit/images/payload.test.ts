import { expect } from 'chai';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { importsOf, packageFiles, programFiles } from '../../../harness/images/payload-files.js';

describe('files of a payload', () => {
  let root: string;
  const put = (file: string, text: string) => {
    mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    writeFileSync(path.join(root, file), text);
  };
  beforeEach(() => (root = mkdtempSync(path.join(tmpdir(), 'plugpull-unit-'))));
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  it('are those that a program imports, in all ways of importing', () => {
    const code = `import { a,
  b } from './one.js';
import './two.js';
export * from '../three.js';
const x = await import('pkg/part');
import fs from 'node:fs';
const text = "from 'nowhere'";
`;
    expect(importsOf(code)).to.deep.equal(['./one.js', './two.js', '../three.js', 'pkg/part', 'node:fs']);
  });

  it('are followed to the packages', () => {
    put('dist/a/main.js', "import { x } from './x.js';\nimport '@scope/p/deep';\nimport 'fs';\n");
    put('dist/a/x.js', "import { y } from '../b/y.js';\nexport * from './main.js';\n");
    put('dist/b/y.js', "import q from 'q';\n");
    put('dist/b/unused.js', "import z from 'z';\n");
    expect(programFiles(root, ['dist/a/main.js'])).to.deep.equal({
      own: ['dist/a/main.js', 'dist/a/x.js', 'dist/b/y.js'],
      packages: ['@scope/p', 'q'],
    });
  });

  it('hold packages with all that they depend on, the nearest of two versions, and nothing that is only read by people', () => {
    put('node_modules/q/package.json', JSON.stringify({ dependencies: { r: '1', s: '1' } }));
    put('node_modules/q/index.js', '');
    put('node_modules/q/README.md', '');
    put('node_modules/q/index.d.ts', '');
    put('node_modules/q/node_modules/r/package.json', '{}');
    put('node_modules/r/package.json', '{}');
    put('node_modules/s/package.json', JSON.stringify({ optionalDependencies: { gone: '1' } }));
    put('node_modules/t/package.json', '{}');
    expect(packageFiles(root, ['q'])).to.deep.equal([
      'node_modules/q/index.js',
      'node_modules/q/node_modules/r/package.json',
      'node_modules/q/package.json',
      'node_modules/s/package.json',
    ]);
  });

  it('cannot be told where a package is missing', () => {
    expect(() => packageFiles(root, ['q'])).to.throw('package q');
  });
});
