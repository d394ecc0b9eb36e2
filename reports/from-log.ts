/** Reports from a stored run: the same events, read by someone else. */
import type { Reporter, RunEvent } from '../harness/core/events.js';

export async function renderLog(
  events: Iterable<RunEvent> | AsyncIterable<RunEvent>,
  reporters: Reporter[],
): Promise<void> {
  for await (const event of events) for (const reporter of reporters) reporter.on(event);
  for (const reporter of reporters) await reporter.end?.();
}
