/** Where nothing may be skipped (PLUGPULL_NO_SKIP=1, as in CI), a skipped test is a failed run. */
import type { RootHookObject, Suite } from 'mocha';

function pending(suite: Suite): string[] {
  return [
    ...suite.tests.filter((test) => test.isPending()).map((test) => test.fullTitle()),
    ...suite.suites.flatMap(pending),
  ];
}

export const mochaHooks: RootHookObject = {
  afterAll(this: Mocha.Context) {
    if (process.env.PLUGPULL_NO_SKIP === undefined) return;
    let top = this.test?.parent;
    while (top?.parent !== undefined) top = top.parent;
    const skipped = top === undefined ? [] : pending(top);
    if (skipped.length > 0) throw new Error(`these were skipped:\n  ${skipped.join('\n  ')}`);
  },
};
