/**
 * The instance rig: real processes of the service and of the simulator, from `dist`. A test talks to them over WebSocket
 * and HTTP, beside real Redis and PostgreSQL servers, and sees nothing of their inside.
 *
 *  INSTANCE-1  The port comes from the process's own log, so a test never talks to a foreign process.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { transport } from '../transport.ts';
import { adopt } from './processes.ts';

export type Environment = Readonly<Record<string, string>>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface Program {
  readonly port: number;
  readonly pid: number;
  /** Lines of stdout and stderr, in order. */
  readonly logs: readonly string[];
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
  /** Sends SIGTERM and waits; resolves with the exit code, or null after a SIGKILL. */
  stop(): Promise<number | null>;
}

export interface Instance extends Program {
  /** For WebSockets. */
  readonly url: string;
  /** For HTTP, without a slash at the end. */
  readonly http: string;
  /** For HTTP at `ADMIN_PORT`, without a slash at the end; empty without such a port. */
  readonly admin: string;
  readonly instanceId: string;
}

export interface SimulatorProcess extends Program {
  /** For VLLM_BASE_URL. */
  readonly url: string;
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const START_WITHIN_MS = 60_000;
const STOP_WITHIN_MS = 60_000;

/** A path under dist, which `npm test` has built before any test runs. */
function built(path: string): string {
  const file = join(root, 'dist', path);
  if (!existsSync(file))
    throw new Error(`dist/${path} is missing: run "node scripts/build.mjs" or "npm test"`);
  return file;
}

/** Starts a program of `dist` that ends with this process; its standard input is a pipe. */
export function spawnBuilt(path: string, args: readonly string[], environment: Environment): ChildProcess {
  const child = spawn(process.execPath, ['--enable-source-maps', built(path), ...args], {
    // Without the developer's own settings: a test would empty the store of their REDIS_URL.
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...environment },
    cwd: root,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  adopt(child);
  return child;
}

export async function startInstance(environment: Environment = {}): Promise<Instance> {
  const defaults = { PORT: '0', DATA_DIR: ':memory:', LOG_LEVEL: 'info', VLLM_TRANSPORT: transport };
  const { program, line } = await start('main.js', { ...defaults, ...environment });
  const url = String(line.url);
  return {
    ...program,
    url,
    http: url.replace(/^ws/, 'http').replace(/\/v1\/session$/, ''),
    admin: String(line.admin ?? ''),
    instanceId: String(line.instance),
  };
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end: a service that refuses to start, or a call for help. */
export async function runToEnd(
  path: string,
  environment: Environment,
  args: readonly string[] = [],
): Promise<Ended> {
  const child = spawnBuilt(path, args, environment);
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.on('data', (chunk: Buffer) => {
      said[name] += chunk.toString();
    });
  child.stdin?.end();
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...said })));
}

export async function startSimulatorProcess(environment: Environment = {}): Promise<SimulatorProcess> {
  const { program, line } = await start('simulator.js', { SIMULATOR_PORT: '0', ...environment });
  return { ...program, url: String(line.url) };
}

type Line = Readonly<Record<string, unknown>>;

async function start(path: string, environment: Environment): Promise<{ program: Program; line: Line }> {
  const child = spawnBuilt(path, [], environment);
  const logs: string[] = [];
  // Not `exit`: the last log lines may still be in the pipe then.
  const exited = new Promise<Exit>((resolve) => {
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
  child.stdin?.end();
  const line = await listening(child, logs).catch((error: unknown) => {
    child.kill('SIGKILL');
    throw error;
  });
  const kill = (signal: NodeJS.Signals): void => {
    child.kill(signal);
  };
  const stop = async (): Promise<number | null> => {
    // A stopped process takes no signal but SIGKILL until it continues.
    kill('SIGCONT');
    kill('SIGTERM');
    const timer = setTimeout(() => kill('SIGKILL'), STOP_WITHIN_MS);
    const { code } = await exited;
    clearTimeout(timer);
    return code;
  };
  const program = { port: Number(line.port), pid: child.pid ?? 0, logs, exited, kill, stop };
  return { program, line };
}

/** The program's log line `listening`. */
function listening(child: ChildProcess, logs: string[]): Promise<Line> {
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${why}\n${logs.slice(-20).join('\n')}`));
    const timer = setTimeout(() => fail(`not listening within ${START_WITHIN_MS} ms`), START_WITHIN_MS);
    const onLine = (text: string): void => {
      logs.push(text);
      const line = parseLine(text);
      if (line?.msg !== 'listening') return;
      clearTimeout(timer);
      resolve(line);
    };
    for (const stream of [child.stdout, child.stderr]) if (stream !== null) readLines(stream, onLine);
    child.once('error', (error) => fail(error.message));
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      fail(`it ended at start: ${signal ?? code}`);
    });
  });
}

function readLines(stream: Readable, onLine: (text: string) => void): void {
  createInterface({ input: stream }).on('line', onLine);
}

function parseLine(text: string): Line | null {
  if (!text.startsWith('{')) return null;
  try {
    return JSON.parse(text) as Line;
  } catch {
    return null;
  }
}
