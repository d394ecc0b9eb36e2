/** A machine that does what a test says, without any network. */
import type { AgentMethod } from '../../harness/guest/protocol.js';
import type { Executed, HostConnection } from '../../harness/host/connection.js';
import type { HostError } from '../../harness/host/error.js';
import type { Session } from '../../harness/host/machine.js';

type Answer = (params: Record<string, unknown>) => unknown;

export interface FakeSession {
  session: Session;
  /** Says what the workload says. */
  mark: (text: string) => void;
  /** The connection is gone. */
  lose: (error: HostError) => void;
  /** Commands that were run. */
  commands: string[];
}

/** @param answers of the agent, by method; others are never answered */
export function fakeSession(
  answers: Partial<Record<AgentMethod, Answer>>,
  bootId: string,
  exec: (command: string) => Partial<Executed> = () => ({}),
): FakeSession {
  const listeners: ((text: string) => void)[] = [];
  const commands: string[] = [];
  let lose: (error: HostError) => void = () => undefined;
  const lost = new Promise<HostError>((resolve) => {
    lose = resolve;
  });
  const run = (command: string): Promise<Executed> => {
    commands.push(command);
    return new Promise((resolve) =>
      resolve({ exit: 0, signal: null, stdout: Buffer.alloc(0), stderr: '', ...exec(command) }),
    );
  };
  const connection = {
    name: 'root@pi',
    lost,
    exec: run,
    must: async (command: string) => (await run(command)).stdout.toString(),
    close: () => undefined,
  } as unknown as HostConnection;
  const agent = {
    log: '',
    call: (method: AgentMethod, params: Record<string, unknown>) => {
      const answer = answers[method];
      return new Promise((resolve) => {
        if (answer !== undefined) resolve(answer(params));
      });
    },
    putFile: () => Promise.resolve(),
    onMark: (listener: (text: string) => void) => {
      listeners.push(listener);
      return () => undefined;
    },
    close: () => undefined,
  };
  const facts = { bootId } as Session['facts'];
  return {
    session: { connection, agent, facts, agentEnd: new Promise(() => undefined) } as unknown as Session,
    mark: (text) => listeners.forEach((listener) => listener(text)),
    lose: (error) => lose(error),
    commands,
  };
}
