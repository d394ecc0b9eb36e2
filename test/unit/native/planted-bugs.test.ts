import { expect } from 'chai';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { native } from '../../../native/index.js';
import { root } from '../../support/cli.js';

describe('the page on planted bugs', () => {
  it('names every one as the core does, and no other', () => {
    const page = readFileSync(path.join(root, 'docs', 'planted-bugs.md'), 'utf8');
    const rows = [
      ...page.matchAll(/^\| `([^`]+)` +\| +(\d+) +\| +(\w+) +\| +([\w-]+) +\| +(.+?) +\|$/gm),
    ].map(([, name, figureClass, seenBy, workload, summary]) => ({
      name,
      figureClass: Number(figureClass),
      seenBy,
      workload,
      summary,
    }));
    const bugs = native.plantedBugs().map(({ name, figureClass, seenBy, workload, summary }) => ({
      name,
      figureClass,
      seenBy,
      workload,
      summary,
    }));
    expect(bugs.length).to.be.at.least(30);
    expect(rows).to.deep.equal(bugs);
  });
});
