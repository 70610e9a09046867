/**
 * Child processes of tests end with the test process.
 *
 *  CHILD-1  No child outlives this process, unless that was killed with SIGKILL.
 */
import type { ChildProcess } from 'node:child_process';

const children = new Map<ChildProcess, NodeJS.Signals>();
const endAll = (): void => {
  for (const [child, signal] of children) child.kill(signal);
};
process.once('exit', endAll);
process.once('disconnect', endAll);
// `exit` is not emitted when a signal ends the process, and the test runner ends its workers with one.
process.once('SIGTERM', () => process.exit(143));

/** From now on the child ends with this process, by the signal. */
export function adopt(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  children.set(child, signal);
  child.once('exit', () => children.delete(child));
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}
