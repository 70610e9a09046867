/** Runs one worker: the program of this process, in a process of its own. */
import { type ChildProcess, fork, type StdioOptions } from 'node:child_process';
import { constants } from 'node:os';
import type { Environment } from '../config/variables.ts';
import type { FromWorker, ToWorker } from './messages.ts';

export interface Exit {
  /** The exit code, or 128 + n if signal n ended the worker. */
  readonly code: number;
  readonly signal: string | null;
}

export interface WorkerEvents {
  message(message: FromWorker): void;
  /** Comes once, also if the process could not be started. */
  exited(exit: Exit): void;
}

export interface WorkerProcess {
  readonly pid: number;
  send(message: ToWorker): void;
  kill(signal: NodeJS.Signals): void;
}

export function forkWorker(environment: Environment, events: WorkerEvents): WorkerProcess {
  const child = start(environment);
  if (child === null) {
    queueMicrotask(() => events.exited({ code: 1, signal: null }));
    return { pid: 0, send() {}, kill() {} };
  }
  let hasExited = false;
  const exited = (exit: Exit): void => {
    if (!hasExited) events.exited(exit);
    hasExited = true;
  };
  child.on('message', (message) => events.message(message as FromWorker));
  child.once('exit', (code, signal) => exited({ code: code ?? codeOf(signal), signal }));
  // Without a pid the fork failed (EAGAIN, ENOMEM) and no `exit` follows. Other errors belong to a message or a signal.
  child.on('error', () => {
    if (child.pid === undefined) exited({ code: 1, signal: null });
  });
  return {
    pid: child.pid ?? 0,
    send: (message) => send(child, message),
    kill: (signal) => void child.kill(signal),
  };
}

/** Null if Node throws because the system refuses a process, as for ENOMEM: the group tries again later. */
function start(environment: Environment): ChildProcess | null {
  try {
    // The worker writes its log to the same stdout: the supervisor copies no line.
    const stdio: StdioOptions = ['ignore', 'inherit', 'inherit', 'ipc'];
    return fork(process.argv[1] ?? '', [], { env: { ...environment }, stdio });
  } catch {
    return null;
  }
}

function codeOf(signal: NodeJS.Signals | null): number {
  return signal === null ? 1 : 128 + constants.signals[signal];
}

/** A worker that is about to end takes no message; its exit follows. */
function send(child: ChildProcess, message: ToWorker): void {
  if (child.connected) child.send(message, () => {});
}
