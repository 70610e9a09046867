/** A signal always ends the process, whatever its store does and however far its start has come. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask } from '../support/ask.ts';
import { TestClient } from '../support/client.ts';
import { type Environment, spawnBuilt, startInstance } from '../support/instance.ts';
import { eventually } from '../support/observed.ts';

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Starts the server, and sends the signal once it has said that it starts. */
async function run(environment: Environment, signal: NodeJS.Signals | null): Promise<Ending> {
  const child = spawnBuilt('src/main.js', [], { PORT: '0', ...environment });
  let stderr = '';
  child.stderr?.on('data', (data) => {
    stderr += String(data);
  });
  if (signal !== null) child.stdout?.once('data', () => setTimeout(() => child.kill(signal), 200));
  else child.stdout?.resume();
  return new Promise((resolve) => {
    child.once('close', (code, by) => resolve({ code, signal: by, stderr }));
  });
}

let folder: string;
/** Takes connections and says nothing. */
let silent: Server;
let silentPort = 0;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rehydra-leave-'));
  silent = createServer(() => {});
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  const address = silent.address();
  silentPort = typeof address === 'object' && address !== null ? address.port : 0;
});
afterAll(() => {
  silent.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a start that can never succeed', () => {
  it.each(['/proc/nope', '/dev/null'])(
    'ends with code 1 and one line where DATA_DIR is %s',
    async (dataDir) => {
      const { code, stderr } = await run({ DATA_DIR: dataDir }, null);
      expect(code).toBe(1);
      const lines = stderr.trim().split('\n');
      expect(lines).toEqual([expect.stringContaining(`DATA_DIR ${dataDir} cannot be used`)]);
    },
  );
});

describe('SIGTERM', () => {
  it.each([
    ['Redis', () => ({ REDIS_URL: `redis://127.0.0.1:${silentPort}`, DATA_DIR: folder })],
    ['PostgreSQL', () => ({ DATABASE_URL: `postgres://127.0.0.1:${silentPort}/x`, DATA_DIR: folder })],
  ])('ends a process that starts while %s does not answer, with code 0', async (_, environment) => {
    expect(await run(environment(), 'SIGTERM')).toMatchObject({ code: 0, signal: null });
  });

  it('ends a process whose embedded files another process locks, with code 0', async () => {
    const dataDir = join(folder, 'locked');
    const instance = await startInstance({
      DATA_DIR: dataDir,
      SIMULATOR_TOKENS: '4',
      SIMULATOR_TOKENS_PER_SECOND: '0',
      LEASE_MS: '600',
      DRAIN_MS: '500',
    });
    await ask(instance.http, { chief_complaint: 'headache' });
    const others = ['rehydra.db', 'archive.db'].map((name) => new Database(join(dataDir, name)));
    for (const other of others) other.exec('BEGIN IMMEDIATE');
    expect(await instance.stop()).toBe(0);
    for (const other of others) other.close();
  });

  it('a second time ends a process at once that still waits for a turn', async () => {
    const instance = await startInstance({
      SIMULATOR_TOKENS: '5000',
      SIMULATOR_TOKENS_PER_SECOND: '10',
      DRAIN_MS: '3600000',
    });
    const client = await TestClient.greet(instance.url);
    client.message('m1', 'a long answer');
    await eventually(
      'the answer to begin',
      async () => client.frames.filter(({ type }) => type === 'delta').length,
      (deltas) => deltas > 0,
    );
    instance.kill('SIGTERM');
    await sleep(1_200);
    instance.kill('SIGTERM');
    expect(await instance.exited).toEqual({ code: 1, signal: null });
    client.drop();
  });
});
