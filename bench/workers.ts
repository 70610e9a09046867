/**
 * Do two workers on two cores do twice the turns of one worker on one core? Redis, upstream and generator need cores too,
 * and a two-core machine has none to spare. So the whole system, load included, first gets one core and then two: its
 * parts have the same share of the cores each time.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import type { RedisServer } from '../test/support/instance/redis-server.ts';
import type { LoopResult } from './load/orders.ts';
import type { Extent } from './measure/extent.ts';
import { type Program, pin, pinTo } from './measure/program.ts';
import { inTurns, quietest } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { median, spread } from './measure/summary.ts';
import { figure, hundredths, percent, type Row, type Section, table, times } from './report/table.ts';

interface Way {
  readonly name: string;
  readonly workers: number;
  readonly program: Program;
  readonly redis: RedisServer;
  /** Cores of the service, and of everything else. */
  readonly cores: readonly [string, string];
}

const ONE_CORE = 'one worker, everything on one core';
const TWO_CORES = 'two workers, everything on two cores';
const OWN_CORE = 'one worker with a core of its own';
const IN_FLIGHT = 64;
const GROUP = 'workers';

export async function workers(stage: Stage, extent: Extent): Promise<Section> {
  const start = async (name: string, count: number, cores: readonly [string, string]): Promise<Way> => {
    const redis = await stage.redis();
    const program = await stage.service(redis, count === 1 ? {} : { WORKERS: String(count) });
    return { name, workers: count, program, redis, cores };
  };
  const ways = [
    await start(ONE_CORE, 1, ['0', '0']),
    await start(TWO_CORES, 2, ['0,1', '0,1']),
    await start(OWN_CORE, 1, ['0', '1']),
  ];
  for (const way of ways) {
    const found = processesOf(way.program.pid).length;
    if (way.workers > 1 && found <= way.workers)
      throw new Error(`${way.workers} workers were wanted, and the service has ${found} processes`);
    await measure(stage, extent, way);
  }
  const measured = await inTurns(ways, extent.repeats, (way) =>
    quietest(
      extent,
      () => measure(stage, extent, way),
      ({ usage }) => usage,
    ),
  );
  for (const pid of [stage.generator.pid, stage.upstream.pid, process.pid]) pin(pid, 'generator');

  const perSecond = ({ operations, windowMs }: LoopResult) => (operations / windowMs) * 1_000;
  const one = [...measured.values()][0] ?? [];
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  for (const [{ name, program }, results] of measured) {
    const of = (value: (result: LoopResult) => number) => median(results.map(value));
    const count = processesOf(program.pid).length;
    const spent = (from: number, to: number) =>
      of(({ usage, windowMs }) => usage.cpuMs.slice(from, to).reduce((sum, ms) => sum + ms, 0) / windowMs);
    const ratio = median(
      results.map((result, repeat) => perSecond(result) / perSecond(one[repeat] ?? result)),
    );
    facts[`workers/${name}/ratio`] = ratio;
    const serviceMs = ({ usage }: LoopResult) => usage.cpuMs.slice(0, count).reduce((sum, ms) => sum + ms, 0);
    const shares = [spent(0, count), spent(count, count + 1), spent(count + 1, count + 2)];
    rows.push([
      name,
      figure(of(perSecond)),
      percent(spread(results.map(perSecond))),
      times(ratio),
      figure(of((result) => (serviceMs(result) / result.operations) * 100)),
      [...shares, of((result) => result.ownCpuMs / result.windowMs)].map(hundredths).join(' · '),
      hundredths(of(({ usage }) => usage.foreignCores)),
    ]);
  }
  const words =
    `Turns with ${IN_FLIGHT} under way. The whole system, load included, gets one core and then two (of ${cpus().length}), so that neither ` +
    'the generator nor Redis has a core to spare in one case only. The last row gives one worker a core, and all others the ' +
    'second: there the worker is the limit, and the second core has room that two workers would use.';
  const head = [
    'service',
    'turns per s',
    'spread',
    '÷ one core',
    'service CPU s/100k',
    'cores used: service · Redis · upstream · generator',
    'foreign',
  ];
  return { title: 'Two workers', body: `${words}\n\n${table(head, rows)}`, facts };
}

async function measure(stage: Stage, extent: Extent, way: Way): Promise<LoopResult> {
  const { generator, upstream } = stage;
  const { program, redis, cores } = way;
  const service = processesOf(program.pid);
  for (const pid of service) pinTo(pid, cores[0]);
  for (const pid of [redis.pid, upstream.pid, generator.pid]) pinTo(pid, cores[1]);
  const first = [...service, redis.pid, upstream.pid];
  const watch = [...first, ...stage.pids().filter((pid) => !first.includes(pid))];
  const count = Math.max(IN_FLIGHT, extent.conversations);
  await generator.run('open', { group: GROUP, port: program.port, count });
  const span = { warmMs: extent.warmMs, windowMs: extent.windowMs * 2, watch, mustWork: 0 };
  const order = { ...span, group: GROUP, workload: 'turn', speech: 'rehydra', inFlight: IN_FLIGHT } as const;
  const result = await generator.run('loop', order);
  await generator.run('end', { group: GROUP, how: 'close' });
  return result;
}

/** The process and all that it has started. */
function processesOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1')
    .split(' ')
    .filter(Boolean)
    .map(Number);
  return [pid, ...children.flatMap(processesOf)];
}

export const WORKERS_FACT = `workers/${TWO_CORES}/ratio`;
