/** From a target, which is data, to a subject that can be tortured. */
import type { CommandTarget, Target } from '../core/target.js';
import { BuiltinSubject } from './builtin.js';
import { CommandSubject } from './command.js';
import type { Subject } from './subject.js';
import type { Zygote } from './zygote.js';

export function createSubject(target: Target, zygote: Zygote): Subject {
  return target.kind === 'backend' ? new BuiltinSubject(target, zygote) : commandSubject(target);
}

function commandSubject(target: CommandTarget): CommandSubject {
  const { timeMs: millis, memoryBytes } = target.limits;
  return new CommandSubject({
    setup: target.setup,
    run: target.run,
    check: target.check,
    with: target.with,
    limits: {
      setup: { millis, memoryBytes },
      run: { answerMillis: millis, memoryBytes },
      check: { millis, memoryBytes },
    },
  });
}
