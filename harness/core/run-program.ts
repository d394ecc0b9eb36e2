/** Runs a small program of the system to its end. For what the agent of a guest needs at its start; see execa.ts. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** Rejects with the command, its end and what it said on stderr. */
export const runProgram = promisify(execFile);
