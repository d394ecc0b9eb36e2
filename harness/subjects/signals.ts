import { constants } from 'node:os';

const names = new Map(Object.entries(constants.signals).map(([name, number]) => [number, name]));

/** Name of a signal, e.g. `SIGKILL`. */
export function signalName(signal: number): string {
  return names.get(signal) ?? `signal ${signal}`;
}
