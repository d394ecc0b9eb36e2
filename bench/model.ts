/** Crash states a second on one core: built, recovered, verified, compared with the model of the workload. */
import { backendTargets } from '../harness/campaign/targets.js';
import { defaultModelOptions, exploreRun } from '../harness/explore/model-jobs.js';
import { Zygote } from '../harness/subjects/zygote.js';

const commits = 60;
const rounds = 3;

export async function benchModel(argument: string | undefined): Promise<unknown> {
  const workload = argument ?? 'bank';
  const targets = backendTargets({ backends: [], workloads: [workload], planted: [], controls: false });
  const rows: Record<string, unknown>[] = [];
  const zygote = new Zygote();
  try {
    for (const target of targets) {
      const rates: number[] = [];
      let states = 0;
      for (let round = 1; round <= rounds; round++) {
        const options = { ...defaultModelOptions, commits, nested: 0 };
        const outcome = await exploreRun(zygote, target, round, options);
        if (!outcome.ok) throw new Error(`${target.id}: ${outcome.reason}`);
        states += outcome.result.states;
        rates.push(outcome.result.states / (outcome.result.millis.explore / 1000));
      }
      rates.sort((a, b) => a - b);
      rows.push({ target: target.id, states, statesPerSecond: Math.round(rates[1] ?? 0) });
    }
  } finally {
    await zygote.close();
  }
  return rows;
}
