/** How far does one machine go: many connected sessions over several instances, and many stored ones that sleep? */

import { BUCKETS, type Store } from '../src/store/contract.ts';
import type { RedisServer } from '../test/support/instance/redis-server.ts';
import type { Generator } from './load/orders.ts';
import { type Contender, measureCell, measureOnce, medianOf } from './measure/cell.ts';
import { redisCost, residents } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { INSPECTED, memoryOf } from './measure/heap.ts';
import { pin } from './measure/program.ts';
import type { Stage } from './measure/stage.ts';
import { median } from './measure/summary.ts';
import { exported, openStore, sleepingSession, storeCopies } from './measure/template-session.ts';
import { ownCpuMs } from './measure/usage.ts';
import { figure, type Row, type Section, table, times } from './report/table.ts';

const IN_FLIGHT = 64;
const OPENING_AT_ONCE = 32;
const ASLEEP_WITHIN_MS = 120_000;
const HIBERNATE_MS = '500';
/** The default heartbeat and lease of several instances on one core must outlast the opening of a hundred thousand. */
const LEASE_MS = '30000';
const pause = (ms: number) => new Promise<void>((resume) => setTimeout(resume, ms));
const whole = (count: number) => count.toLocaleString('en-US');

export async function scale(stage: Stage, extent: Extent): Promise<Section> {
  const parts = ['### Connected', await connected(stage, extent)];
  await stage.clear();
  parts.push('### Stored', await stored(stage, extent));
  return { title: 'Scale', body: parts.join('\n\n') };
}

async function transitionsOf(stage: Stage, extent: Extent, contender: Contender) {
  const load = { ...extent, workload: 'extend', inFlight: IN_FLIGHT } as const;
  const cells = [];
  // Cold code would be measured while V8 compiles it.
  await measureOnce(stage, contender, { ...load, windowMs: extent.windowMs * 4 });
  for (let repeat = 0; repeat < extent.repeats; repeat++)
    cells.push(await measureCell(stage, contender, load));
  return {
    perSecond: medianOf(cells, (cell) => cell.perSecond),
    serverUs: medianOf(cells, (cell) => cell.serverCpuS) * 10,
    redisUs: medianOf(cells, (cell) => cell.redisCpuS) * 10,
  };
}

async function connected(stage: Stage, extent: Extent): Promise<string> {
  const { connected: wanted, perProcess } = extent.scale;
  const redis = await stage.redis();
  const count = Math.ceil(wanted / perProcess);
  const places: {
    readonly contender: Contender;
    readonly generator: Generator;
    readonly sessions: number;
  }[] = [];
  for (let index = 0; index < count; index++) {
    const program = await stage.service(redis, { HIBERNATE_MS, LEASE_MS }, [INSPECTED]);
    const contender = { name: `instance ${index}`, redis, program, speech: 'rehydra' } as const;
    const share = Math.ceil((wanted - index) / count);
    places.push({ contender, generator: await stage.anotherGenerator(), sessions: share });
  }
  const [first] = places;
  if (first === undefined) throw new Error('no instance to connect to');
  const programs = places.map(({ contender }) => contender.program);
  const rssBytes = async () => {
    let sum = 0;
    for (const program of programs) sum += (await memoryOf(program)).rssBytes;
    return sum;
  };
  const few = await transitionsOf(stage, extent, first.contender);
  const before = { rss: await rssBytes(), redis: await redisCost(redis) };
  const atOnce = Math.ceil(OPENING_AT_ONCE / count);
  const beganAt = performance.now();
  await Promise.all(
    places.map(({ contender, generator, sessions }) =>
      generator.run('open', { group: 'scale', port: contender.program.port, count: sessions, atOnce }),
    ),
  );
  const tookMs = performance.now() - beganAt;
  const deadlineMs = performance.now() + ASLEEP_WITHIN_MS;
  for (const program of programs) {
    while ((await residents(program)) > 0) {
      if (performance.now() > deadlineMs) throw new Error('connected sessions did not fall asleep');
      await pause(500);
    }
  }
  const after = { rss: await rssBytes(), redis: await redisCost(redis) };
  const many = await transitionsOf(stage, extent, first.contender);
  await Promise.all(places.map(({ generator }) => generator.run('end', { group: 'scale', how: 'drop' })));

  const head = [
    'connected, asleep',
    'instances',
    `opened per s, ${OPENING_AT_ONCE} at a time, all instances on one core`,
    'RSS each',
    'Redis memory each',
    'a transition ÷ without them: per s',
    'CPU',
    'Redis CPU',
  ];
  const row = [
    whole(wanted),
    String(count),
    figure((wanted / tookMs) * 1_000),
    `${figure((after.rss - before.rss) / wanted / 1024)} KiB`,
    `${figure((after.redis.usedBytes - before.redis.usedBytes) / wanted / 1024)} KiB`,
    times(many.perSecond / few.perSecond),
    times(many.serverUs / few.serverUs),
    times(many.redisUs / few.redisUs),
  ];
  const words =
    'Each session has a socket at one of several instances, which share one core and one Redis; a process may open fewer than ' +
    `20,000 descriptors here. RSS is that of all instances after a full collection. The last columns compare \`extend\` on ${IN_FLIGHT} ` +
    'sessions of the first instance before and after.';
  return `${words}\n\n${table(head, [row])}`;
}

interface Level {
  readonly stored: number;
  readonly bytes: number;
  readonly rssBytes: number;
  readonly perSecond: number;
  /** Microseconds of the server's or caller's CPU, and of Redis. */
  readonly costs: readonly (readonly [number, number])[];
}

async function stored(stage: Stage, extent: Extent): Promise<string> {
  const redis = await stage.redis();
  const program = await stage.service(redis, { HIBERNATE_MS });
  const store = await openStore(redis);
  const contender: Contender = { name: 'service', redis, program, speech: 'rehydra' };
  const levels: Level[] = [];
  try {
    const dump = await exported(store, await sleepingSession(stage, program, 0));
    const empty = await redisCost(redis);
    let made = 0;
    for (const count of extent.scale.stored) {
      // Redis has the other core meanwhile.
      pin(process.pid, 'server');
      await storeCopies(store, dump, count - made);
      pin(process.pid, 'generator');
      made = count;
      const full = await redisCost(redis);
      const { perSecond, serverUs, redisUs } = await transitionsOf(stage, extent, contender);
      const pages = await sampled(redis, extent, pagesOf(store));
      const looks = await sampled(redis, extent, (call) => store.sweep(call % BUCKETS, Date.now(), SWEPT, 1));
      // Every session is due by then; each look hides what it found for one millisecond, and the next comes later.
      const later = Date.now() + LONG_MS;
      const finds = await sampled(redis, extent, (call) =>
        store.sweep(call % BUCKETS, later + call * 2, SWEPT, 1),
      );
      levels.push({
        stored: count,
        bytes: (full.usedBytes - empty.usedBytes) / count,
        rssBytes: (full.rssBytes - empty.rssBytes) / count,
        perSecond,
        costs: [[serverUs, redisUs], pages, looks, finds],
      });
    }
  } finally {
    await store.close();
  }
  const [base] = levels;
  const rows = levels.map(({ stored: count, bytes, rssBytes, perSecond, costs }): Row => {
    const cells = costs.map(([own, inRedis], index) => {
      const [baseOwn = Number.NaN, baseRedis = Number.NaN] = base?.costs[index] ?? [];
      return `${figure(own)} (${times(own / baseOwn)}) · ${figure(inRedis)} (${times(inRedis / baseRedis)})`;
    });
    return [whole(count), figure(bytes), figure(rssBytes), figure(perSecond), ...cells];
  });
  const head = [
    'stored, asleep',
    'Redis bytes each',
    'Redis RSS each',
    '`extend` per s',
    'a transition, µs: instance · Redis',
    `a listing page of ${PAGE}`,
    'a look of a sweep, none due',
    `a look of a sweep, ${SWEPT} due`,
  ];
  const words =
    'The stored sessions are copies of one that the service made, stored through its own import. Microseconds of CPU, of the ' +
    'instance (or of the caller, for a page and a look) and of Redis, each with its ratio to the first row. A listing page walks ' +
    'the list from page to page; a page of few sessions reads more buckets. A look is one bucket’s sweep, as the sweeper calls it.';
  return `${words}\n\n${table(head, rows)}`;
}

const PAGE = 50;
const SWEPT = 2;
const LONG_MS = 24 * 3_600_000;
const CALLS_AT_ONCE = 32;

function pagesOf(store: Store): () => Promise<unknown> {
  let cursor: string | null = null;
  return async () => {
    const page = await store.list(cursor === null ? { limit: PAGE } : { limit: PAGE, cursor });
    cursor = page.cursor;
  };
}

/** Microseconds of CPU per call: of this process, and of Redis. */
async function sampled(
  redis: RedisServer,
  { repeats, scale: { calls } }: Extent,
  call: (index: number) => Promise<unknown>,
): Promise<readonly [number, number]> {
  const own: number[] = [];
  const inRedis: number[] = [];
  let index = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const before = { ownMs: ownCpuMs(), redisMs: (await redisCost(redis)).cpuMs };
    const until = index + calls;
    const lane = async () => {
      while (index < until) {
        const current = index;
        index += 1;
        await call(current);
      }
    };
    await Promise.all(Array.from({ length: CALLS_AT_ONCE }, lane));
    const after = { ownMs: ownCpuMs(), redisMs: (await redisCost(redis)).cpuMs };
    // The first round is for the compiler.
    if (repeat === 0) continue;
    own.push(((after.ownMs - before.ownMs) / calls) * 1_000);
    inRedis.push(((after.redisMs - before.redisMs) / calls) * 1_000);
  }
  return [median(own), median(inRedis)];
}
