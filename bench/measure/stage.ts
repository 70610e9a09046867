/** Stage runs the programs of a benchmark: a generator, an upstream, and the servers that it starts. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RedisServer, startRedis } from '../../test/support/instance/redis-server.ts';
import { type Generator, generatorOn } from '../load/orders.ts';
import { type Part, type Program, pin, startProgram } from './program.ts';
import { exceptFor } from './quiet.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SERVICE = join(root, 'dist', 'main.js');
/** Node's flags in `npm start`, for every server: without them a long queue would measure the garbage collector. */
const NODE_FLAGS = nodeFlagsOf(join(root, 'package.json'));

function nodeFlagsOf(packageFile: string): readonly string[] {
  const { scripts } = JSON.parse(readFileSync(packageFile, 'utf8')) as { scripts: { start: string } };
  return scripts.start.split(' ').filter((word) => word.startsWith('--') && word !== '--');
}

type Environment = Readonly<Record<string, string>>;

export interface Stage {
  readonly generator: Generator;
  readonly upstream: Program;
  redis(): Promise<RedisServer>;
  /** The built service, on the given Redis or embedded. */
  service(redis: RedisServer | null, env?: Environment, nodeFlags?: readonly string[]): Promise<Program>;
  /** A program of the benchmark's own, by its URL. */
  own(url: string, part: Part, env?: Environment, nodeFlags?: readonly string[]): Promise<Program>;
  /** One more generator, for more sockets than one process may open. */
  anotherGenerator(): Promise<Generator>;
  /** Pids of all programs, servers first: every other process is noise. */
  pids(): readonly number[];
  /** Ends all servers; generator and upstream stay. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  const own = (
    url: string,
    part: Part,
    env: Environment = {},
    flags: readonly string[] = [],
    listens = true,
  ) =>
    startProgram([...flags, '--import', import.meta.resolve('tsx'), fileURLToPath(url)], env, part, listens);
  const worker = () => own(import.meta.resolve('../load/worker.ts'), 'generator', {}, [], false);
  const generatorProgram = await worker();
  const generator = generatorOn(generatorProgram);
  const upstream = await own(import.meta.resolve('../load/upstream.ts'), 'generator');
  let programs: Program[] = [];
  let redises: RedisServer[] = [];
  let folders: string[] = [];

  async function keep(program: Promise<Program>): Promise<Program> {
    const started = await program;
    programs.push(started);
    return started;
  }

  async function clear(): Promise<void> {
    await Promise.all(programs.map((program) => program.stop()));
    await Promise.all(redises.map((redis) => redis.stop()));
    for (const folder of folders) rmSync(folder, { recursive: true, force: true });
    programs = [];
    redises = [];
    folders = [];
  }

  const pids = () => [
    ...programs.map((program) => program.pid),
    ...redises.map((redis) => redis.pid),
    upstream.pid,
    process.pid,
  ];
  exceptFor(() => [...pids(), generator.pid]);

  return {
    generator,
    upstream,
    async redis() {
      const redis = await startRedis();
      pin(redis.pid, 'redis');
      redises.push(redis);
      return redis;
    },
    service(redis, env = {}, nodeFlags = []) {
      const folder = mkdtempSync(join(tmpdir(), 'rehydra-bench-'));
      folders.push(folder);
      const store: Environment = redis === null ? { DATA_DIR: folder } : { REDIS_URL: redis.url };
      const upstreamUrl = `http://127.0.0.1:${upstream.port}/v1`;
      return keep(
        startProgram(
          [...NODE_FLAGS, ...nodeFlags, SERVICE],
          { PORT: '0', DRAIN_MS: '400', VLLM_BASE_URL: upstreamUrl, ...store, ...env },
          'server',
        ),
      );
    },
    own: (url, part, env, nodeFlags = []) => keep(own(url, part, env, [...NODE_FLAGS, ...nodeFlags])),
    anotherGenerator: async () => generatorOn(await keep(worker())),
    pids,
    clear,
    async close() {
      await clear();
      await upstream.stop();
      await generatorProgram.stop();
    },
  };
}
