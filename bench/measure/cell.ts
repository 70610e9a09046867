/** A cell measures one server under one workload once: it makes sessions, runs the loop and ends the sessions. */
import type { RedisServer } from '../../test/support/instance/redis-server.ts';
import type { HelloFields, Speech } from '../load/client.ts';
import type { Workload } from '../load/orders.ts';
import { figure, hundredths, percent } from '../report/table.ts';
import type { Program } from './program.ts';
import { quietest } from './quiet.ts';
import type { Stage } from './stage.ts';
import { median, spread } from './summary.ts';

export interface Contender {
  readonly name: string;
  readonly program: Program;
  readonly redis: RedisServer | null;
  readonly speech: Speech;
  /** Each client has a user of its own. */
  readonly hellos?: readonly HelloFields[];
}

export interface Load {
  readonly workload: Workload;
  readonly inFlight: number;
  readonly warmMs: number;
  readonly windowMs: number;
  readonly quietMs: number;
  readonly conversations: number;
}

export interface Cell {
  readonly perSecond: number;
  readonly refused: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  /** Seconds per 100,000 operations. */
  readonly serverCpuS: number;
  readonly redisCpuS: number;
  readonly generatorCores: number;
  readonly serverCores: number;
  readonly redisCores: number;
  readonly foreignCores: number;
}

export function measureCell(stage: Stage, contender: Contender, load: Load): Promise<Cell> {
  return quietest(
    load,
    () => measureOnce(stage, contender, load),
    (cell) => cell,
  );
}

export async function measureOnce(stage: Stage, contender: Contender, load: Load): Promise<Cell> {
  const { generator } = stage;
  const { program, redis, speech, hellos, name: group } = contender;
  const { workload, inFlight, warmMs, windowMs, conversations } = load;
  const count = workload === 'turn' ? Math.max(inFlight, conversations) : inFlight;
  const measured = redis === null ? [program.pid] : [program.pid, redis.pid];
  const others = stage.pids().filter((pid) => !measured.includes(pid));
  await generator.run('open', { group, port: program.port, count, speech, ...(hellos && { hellos }) });
  const loop = await generator.run('loop', {
    group,
    workload,
    speech,
    inFlight,
    warmMs,
    windowMs,
    watch: [...measured, ...others],
    mustWork: measured.length,
  });
  await generator.run('end', { group, how: speech === 'rehydra' ? 'close' : 'drop' });
  if (loop.operations === 0)
    throw new Error(`${group} answered nothing within ${windowMs} ms of ${workload}`);
  const [serverMs = 0, secondMs = 0] = loop.usage.cpuMs;
  const redisMs = redis === null ? 0 : secondMs;
  // Milliseconds per operation are hundreds of seconds per 100,000.
  const per100kS = (cpuMs: number) => (cpuMs / loop.operations) * 100;
  return {
    perSecond: (loop.operations / loop.windowMs) * 1_000,
    refused: loop.refused,
    p50Ms: loop.latencyMs.p50,
    p99Ms: loop.latencyMs.p99,
    serverCpuS: per100kS(serverMs),
    redisCpuS: per100kS(redisMs),
    generatorCores: loop.ownCpuMs / loop.windowMs,
    serverCores: serverMs / loop.windowMs,
    redisCores: redisMs / loop.windowMs,
    foreignCores: loop.usage.foreignCores,
  };
}

type Measure = (cell: Cell) => number;

export function medianOf(cells: readonly Cell[], of: Measure): number {
  return median(cells.map(of));
}

/** The median of the ratios of neighbouring runs. */
export function ratioOf(cells: readonly Cell[], others: readonly Cell[] | undefined, of: Measure): number {
  return median(
    cells.flatMap((cell, repeat) => (others?.[repeat] === undefined ? [] : [of(cell) / of(others[repeat])])),
  );
}

export const CELL_HEAD = [
  'per s',
  'spread',
  'p50 ms',
  'p99 ms',
  'CPU s/100k',
  'Redis s/100k',
  'cores used: server · Redis · generator',
  'foreign',
];

export function cellRow(cells: readonly Cell[]): readonly string[] {
  const of = (measure: Measure) => medianOf(cells, measure);
  const cores = [
    of((cell) => cell.serverCores),
    of((cell) => cell.redisCores),
    of((cell) => cell.generatorCores),
  ];
  const perSecond = figure(of((cell) => cell.perSecond));
  const refused = of((cell) => cell.refused);
  const redisCpuS = of((cell) => cell.redisCpuS);
  return [
    refused === 0 ? perSecond : `${perSecond} (${figure(refused)} refused)`,
    percent(spread(cells.map((cell) => cell.perSecond))),
    figure(of((cell) => cell.p50Ms)),
    figure(of((cell) => cell.p99Ms)),
    figure(of((cell) => cell.serverCpuS)),
    redisCpuS === 0 ? '–' : figure(redisCpuS),
    cores.map(hundredths).join(' · '),
    hundredths(of((cell) => cell.foreignCores)),
  ];
}
