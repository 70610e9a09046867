/**
 * Finds programs, gives them free ports and ends them, for every rig of real processes.
 *
 *  CHILD-1  No child outlives this process, unless that was killed with SIGKILL.
 */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter } from 'node:path';

const children = new Map<ChildProcess, NodeJS.Signals>();
const endAll = (): void => {
  for (const [child, signal] of children) child.kill(signal);
};
process.once('exit', endAll);
process.once('disconnect', endAll);
// A signal ends the process without `exit`, and the test runner ends its workers with a signal.
process.once('SIGTERM', () => process.exit(143));

/** Ends the child with this signal when this process ends. */
export function adopt(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): void {
  children.set(child, signal);
  child.once('exit', () => children.delete(child));
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null;
}

/** Sends the signal and waits for the end. */
export async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (hasEnded(child)) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  // A stopped process takes no signal but SIGKILL until it continues.
  child.kill('SIGCONT');
  await exited;
}

/** Below the kernel's range for outgoing connections: one of those could take the port of a server that restarts. */
const FIRST_PORT = 12_000;
const PORTS = 18_000;
const PORT_ATTEMPTS = 5;

/** A port of 127.0.0.1 that is free, and stays free while its server is away. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST_PORT + Math.floor(Math.random() * PORTS);
    const server = createServer();
    try {
      server.listen(port, '127.0.0.1');
      await once(server, 'listening');
      server.close();
      await once(server, 'close');
      return port;
    } catch {
      // Another process has this port.
    }
  }
}

/** Starts a server on a free port, and tries another port if a process takes it first. */
export async function onFreePort<T>(start: (port: number) => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (attempt === PORT_ATTEMPTS || !String(error).includes('Address already in use')) throw error;
    }
  }
}

/** The folders of PATH, then the given ones. */
export function searched(...more: readonly string[]): readonly string[] {
  return [...(process.env.PATH ?? '').split(delimiter), ...more];
}

export function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
