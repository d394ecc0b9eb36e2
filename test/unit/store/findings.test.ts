import { expect } from 'chai';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { UsageError } from '../../../harness/core/errors.js';
import {
  findingSchema,
  loadFinding,
  replayLine,
  saveFinding,
  type FindingRecord,
} from '../../../harness/store/findings.js';

const record: FindingRecord = {
  schema: findingSchema,
  version: '0',
  target: {
    kind: 'command',
    id: 'program',
    setup: 'true',
    run: 'true',
    check: 'true',
    with: [],
    ignore: [],
    expect: 'hold',
    recoverTwice: 'state',
    limits: { timeMs: 1000, memoryBytes: 1024 ** 2 },
  },
  fault: 'kill',
  rig: 'folder',
  seed: 1,
  plan: { mode: 'time', phase: 'run', afterCommit: 1, delayMicros: 1 },
  acked: 1,
  recovered: null,
  verdict: 'broken',
  explanation: 'broken: killed; left is empty',
};

describe('findings on disk', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(os.tmpdir(), 'plugpull-test-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const save = (): string =>
    path.join(folder, saveFinding(folder, 1, record, { afterCrash: null, logs: { run: 'said' } }).folder);

  it('come back as they were kept', () => {
    const after = path.join(folder, 'after');
    mkdirSync(after);
    writeFileSync(path.join(after, 'data'), 'torn');
    const kept = saveFinding(folder, 2, record, { afterCrash: after, logs: { run: '' } });
    const found = loadFinding(path.join(folder, kept.folder));
    expect(found.record).to.deep.equal(record);
    expect(readFileSync(path.join(found.afterCrash ?? '', 'data'), 'utf8')).to.equal('torn');
    expect(existsSync(path.join(folder, kept.folder, 'run.log'))).to.equal(false);
  });

  it('do not mix with what was left of one that was never logged', () => {
    const left = path.join(folder, 'findings', '0001', 'after-crash');
    mkdirSync(left, { recursive: true });
    writeFileSync(path.join(left, 'stale'), '');
    expect(loadFinding(save()).afterCrash).to.equal(null);
  });

  it('that are damaged are refused by name', () => {
    const finding = save();
    const file = path.join(finding, 'finding.json');
    writeFileSync(file, readFileSync(file, 'utf8').slice(0, 50));
    expect(() => loadFinding(finding)).to.throw(UsageError, file);
    writeFileSync(file, '{}');
    expect(() => loadFinding(finding)).to.throw(UsageError, 'target');
    writeFileSync(file, JSON.stringify({ ...record, schema: 'plugpull.finding/9' }));
    expect(() => loadFinding(finding)).to.throw(UsageError, 'plugpull.finding/9');
    rmSync(file);
    expect(() => loadFinding(finding)).to.throw(UsageError, 'no finding.json');
  });

  it('have a line to paste that names their folder, quoted where it must be', () => {
    expect(replayLine("/it's here", { folder: 'findings/0001' })).to.match(
      /plugpull replay '.*it'\\''s here\/findings\/0001'$/,
    );
  });
});
