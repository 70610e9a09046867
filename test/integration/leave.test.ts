/** A signal always ends the process, whatever its store does and however far its start is. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import Database from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask } from '../support/instance/http.ts';
import { type Environment, spawnBuilt, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { adopt } from '../support/instance/processes.ts';

interface Ending {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
}

/** Starts the server, and sends the signal after its first output. */
async function run(environment: Environment, signal: NodeJS.Signals | null): Promise<Ending> {
  const child = spawnBuilt('main.js', [], { PORT: '0', ...environment });
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
/** Accepts connections and never answers. */
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

describe('impossible start', () => {
  it.each(['/proc/nope', '/dev/null'])(
    'a start with DATA_DIR=%s ends with code 1 and one line',
    async (dataDir) => {
      const { code, stderr } = await run({ DATA_DIR: dataDir }, null);
      expect(code).toBe(1);
      const lines = stderr.trim().split('\n');
      expect(lines).toEqual([expect.stringContaining(`DATA_DIR ${dataDir} cannot be used`)]);
    },
  );
});

/** A preloaded module that keeps a program from ever finishing to load, and prints once it runs. */
function loadingForever(): string {
  const hooks = `import { writeSync } from 'node:fs';
    export async function load(url, context, next) {
      if (!/[/]run-[^/]+$/.test(url)) return next(url, context);
      writeSync(1, 'loading');
      return new Promise(() => {});
    }`;
  const inline = (source: string) => `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
  // The interval keeps the process alive: without it the process would end for lack of work.
  return inline(`import { register } from 'node:module'; register(${JSON.stringify(inline(hooks))});
    setInterval(() => {}, 60_000);`);
}

const PROGRAMS = [
  ['the server', 'main.js'],
  ['the simulator', 'simulator.js'],
] as const;
/** As in a container without an init: Linux gives the first process of a PID namespace only signals that it handles. */
const AS_FIRST_PROCESS = ['unshare', '--user', '--map-root-user', '--pid', '--fork', '--kill-child'] as const;
const canUnshare =
  spawnSync(AS_FIRST_PROCESS[0], [...AS_FIRST_PROCESS.slice(1), 'true'], { stdio: 'ignore' }).status === 0;

describe('SIGTERM while modules load', () => {
  it.each(PROGRAMS)('SIGTERM while its modules load ends %s with code 0', async (_, path) => {
    const child = spawnBuilt(path, [], { PORT: '0', NODE_OPTIONS: `--import=${loadingForever()}` });
    await once(child.stdout!, 'data');
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it.runIf(canUnshare).each(PROGRAMS)(
    'SIGTERM while its modules load ends %s as the first process of a container',
    async (_, path) => {
      const [command, ...args] = AS_FIRST_PROCESS;
      const program = [process.execPath, '--import', loadingForever(), join('dist', path)];
      const outer = spawn(command, [...args, ...program], {
        env: { PATH: process.env.PATH ?? '', PORT: '0' },
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      adopt(outer);
      await once(outer.stdout, 'data');
      const [first] = readFileSync(`/proc/${outer.pid}/task/${outer.pid}/children`, 'utf8').split(' ');
      process.kill(Number(first), 'SIGTERM');
      expect(await once(outer, 'exit')).toEqual([0, null]);
    },
  );
});

describe('SIGTERM', () => {
  it.each([
    ['Redis', () => ({ REDIS_URL: `redis://127.0.0.1:${silentPort}`, DATA_DIR: folder })],
    ['PostgreSQL', () => ({ DATABASE_URL: `postgres://127.0.0.1:${silentPort}/x`, DATA_DIR: folder })],
  ])('SIGTERM ends a process that starts while %s does not answer, with code 0', async (_, environment) => {
    expect(await run(environment(), 'SIGTERM')).toMatchObject({ code: 0, signal: null });
  });

  it('SIGTERM ends a process whose embedded files another process locks, with code 0', async () => {
    const dataDir = join(folder, 'locked');
    const instance = await startInstance({
      DATA_DIR: dataDir,
      SIMULATOR_TOKENS: '4',
      SIMULATOR_TOKENS_PER_SECOND: '0',
      LEASE_MS: '600',
      DRAIN_MS: '500',
    });
    await ask(instance.http, { chief_complaint: 'headache' });
    const others = ['rehydra.db', 'archive.db'].map(
      (name) => new Database(join(dataDir, name), { timeout: 5_000 }),
    );
    for (const other of others) other.exec('BEGIN IMMEDIATE');
    expect(await instance.stop()).toBe(0);
    for (const other of others) other.close();
  });

  it('a second SIGTERM immediately ends a process that still waits for a turn', async () => {
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
