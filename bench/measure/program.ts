/** Starts a program of the benchmark, waits until it listens, pins it to a core, and ends it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpus } from 'node:os';
import { createInterface } from 'node:readline';

export interface Program {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
  /** Its stderr so far. */
  readonly errors: () => string;
  stop(): Promise<void>;
}

/** The part chooses the core. The server under test has a core of its own; on two cores all others share the second. */
export type Part = 'server' | 'redis' | 'generator';

const TASKSET = 'taskset';
const START_WITHIN_MS = 20_000;
const STOP_WITHIN_MS = 5_000;
const PREFERRED_CORE: Readonly<Record<Part, number>> = { server: 0, redis: 1, generator: 2 };
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

export function pin(pid: number, part: Part): void {
  pinTo(pid, String(Math.min(PREFERRED_CORE[part], cpus().length - 1)));
}

/** `cores` as taskset writes them: `0` or `0,1`. */
export function pinTo(pid: number, cores: string): void {
  execFileSync(TASKSET, ['-a', '-c', '-p', cores, String(pid)], { stdio: 'ignore' });
}

/** Starts a Node program and, if it has a port, waits for its line with `"msg":"listening"`. */
export async function startProgram(
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  part: Part,
  listens = true,
): Promise<Program> {
  const child = spawn(process.execPath, args, {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...env },
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  let errors = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    errors = (errors + bytes.toString()).slice(-8_000);
  });
  let stopping = false;
  child.once('exit', (code) => {
    if (!stopping && code !== 0) console.error(`${args.join(' ')} ended with ${code}: ${errors}`);
  });
  await once(child, 'spawn');
  const pid = child.pid ?? 0;
  pin(pid, part);
  const port = listens ? await untilListening(child, () => errors) : 0;
  child.stdout?.resume();
  return {
    child,
    pid,
    port,
    errors: () => errors,
    async stop() {
      stopping = true;
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, 'exit');
      child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_WITHIN_MS);
      await exited;
      clearTimeout(timer);
    },
  };
}

function untilListening(child: ChildProcess, errors: () => string): Promise<number> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) return reject(new Error('no output to read'));
    let output = '';
    const fail = (why: string) =>
      reject(new Error(`${child.spawnargs.join(' ')} ${why}: ${output}${errors()}`));
    const timer = setTimeout(() => fail('did not listen'), START_WITHIN_MS);
    child.once('exit', () => fail('ended at start'));
    createInterface(child.stdout).on('line', (line) => {
      output = `${output}${line}\n`.slice(-4_000);
      if (!line.includes('"listening"')) return;
      clearTimeout(timer);
      resolve(Number((JSON.parse(line) as { readonly port: number }).port));
    });
  });
}
