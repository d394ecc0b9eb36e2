/**
 * Measures plugpull itself: `node dist/bench/main.js [trials|model|commit|memory|disk|profiles|disk-audit|disk-memory|vm]`. Figures are medians and ratios of things
 * measured side by side in one run; nothing here is asserted.
 */
import { benchCommit } from './commit.js';
import { benchDisk } from './disk.js';
import { benchDiskAudit } from './disk-audit.js';
import { benchDiskMemory } from './disk-memory.js';
import { benchMemory } from './memory.js';
import { benchModel } from './model.js';
import { benchProfiles } from './profiles.js';
import { benchTrials } from './trials.js';
import { benchVm } from './vm.js';

const benches: Record<string, (argument: string | undefined) => Promise<unknown>> = {
  trials: benchTrials,
  model: benchModel,
  commit: benchCommit,
  memory: benchMemory,
  disk: benchDisk,
  profiles: benchProfiles,
  'disk-audit': benchDiskAudit,
  'disk-memory': benchDiskMemory,
  vm: benchVm,
};

const [name, argument] = process.argv.slice(2);
const wanted = name === undefined ? ['trials', 'model', 'commit'] : [name];
for (const one of wanted) {
  const bench = benches[one];
  if (bench === undefined) {
    process.stderr.write(`there is no bench "${one}"; there are: ${Object.keys(benches).join(', ')}\n`);
    process.exitCode = 64;
    break;
  }
  process.stdout.write(`${JSON.stringify({ bench: one, result: await bench(argument) }, null, 2)}\n`);
}
