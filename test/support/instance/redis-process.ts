/**
 * One redis-server process: finds the program, starts it, and checks that it answers.
 *
 *  REDIS-PROCESS-1  A started server is a child of this process: a test never uses a foreign server on the port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { adopt, end, hasEnded, isExecutable, searched } from './processes.ts';

const startWithinMs = 30_000;
const commandWithinMs = 10_000;

export interface Running {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly port: number;
}

/** A start waits until the server has loaded all data, or only until it answers. */
export type Readiness = 'loaded' | 'answering';

export async function launch(
  port: number,
  args: readonly string[],
  readiness: Readiness = 'loaded',
): Promise<Running> {
  const child = spawn(findBinary(), args, { stdio: ['ignore', 'pipe', 'pipe'] });
  adopt(child);
  let output = '';
  const keepTail = (chunk: Buffer): void => {
    output = (output + chunk.toString()).slice(-4_000);
  };
  child.stdout.on('data', keepTail);
  child.stderr.on('data', keepTail);
  await once(child, 'spawn');

  const deadlineMs = Date.now() + startWithinMs;
  while (!(await answersAs(port, child.pid, readiness))) {
    if (hasEnded(child)) throw new Error(`redis-server on port ${port} ended at start: ${output}`);
    if (Date.now() > deadlineMs) {
      await end(child, 'SIGKILL');
      throw new Error(`redis-server on port ${port} didn't answer within ${startWithinMs} ms: ${output}`);
    }
    await sleep(20);
  }
  return { child, pid: child.pid ?? 0, port };
}

async function answersAs(port: number, pid: number | undefined, readiness: Readiness): Promise<boolean> {
  try {
    return await withClient(port, async (client) => {
      const info = await client.info();
      const isLoaded = info.includes('\nloading:0\r\n');
      return info.includes(`process_id:${pid}\r\n`) && (isLoaded || readiness === 'answering');
    });
  } catch {
    return false;
  }
}

/** Connects without a ready check, because the server may still be loading. */
export async function withClient<T>(
  port: number,
  body: (client: Redis) => Promise<T>,
  withinMs: number = commandWithinMs,
): Promise<T> {
  const client = new Redis({
    host: '127.0.0.1',
    port,
    lazyConnect: true,
    enableReadyCheck: false,
    retryStrategy: () => null,
    commandTimeout: withinMs,
  });
  client.on('error', () => {
    // connect() reports it; without a listener ioredis prints it for every attempt.
  });
  try {
    await client.connect();
    return await body(client);
  } finally {
    client.disconnect();
  }
}

function findBinary(): string {
  const named = process.env.REDIS_SERVER;
  const folders = searched('/usr/bin', '/usr/local/bin', '/opt/homebrew/bin');
  const candidates = named ? [named] : folders.map((folder) => join(folder, 'redis-server'));
  const found = candidates.find(isExecutable);
  if (found !== undefined) return found;
  throw new Error(
    named
      ? `REDIS_SERVER names ${named}, which can't be run`
      : 'no redis-server found: install it (apt-get install redis-server, brew install redis) or set REDIS_SERVER',
  );
}
