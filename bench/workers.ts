/**
 * Do two workers on two cores do twice the turns of one worker on one core? Redis, upstream and generator need cores too,
 * and a two-core machine has none to spare. So the whole system, load included, first gets one core and then two: its
 * parts have the same share of the cores each time.
 */
import { readFileSync } from 'node:fs';
import { startService } from './contenders/start.ts';
import type { LoopResult } from './load/orders.ts';
import type { Contender } from './measure/cell.ts';
import type { Extent } from './measure/extent.ts';
import { pin, pinTo } from './measure/program.ts';
import { inTurns, quietest } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { median, spread } from './measure/summary.ts';
import { figure, hundredths, percent, type Row, type Section, table, times } from './report/table.ts';

/**
 * Half the exchanges for each of two workers would halve their batches, and measure that too. With few exchanges the
 * batches of two workers depend on how they take turns: this many keep both cores full.
 */
const IN_FLIGHT_EACH = 256;
const TWO_CORES = 'two workers, everything on two cores';
export const WORKERS_FACT = `workers/${TWO_CORES}`;
/** Cores of the service, and of everything else. */
const WAYS = [
  { name: 'one worker, everything on one core', count: 1, own: '0', others: '0' },
  { name: TWO_CORES, count: 2, own: '0,1', others: '0,1' },
  { name: 'one worker with a core of its own', count: 1, own: '0', others: '1' },
] as const;

type Way = (typeof WAYS)[number] & { readonly contender: Contender };

export async function workers(stage: Stage, extent: Extent): Promise<Section> {
  const ways: Way[] = [];
  for (const way of WAYS) {
    const contender = await startService(stage, { WORKERS: String(way.count) });
    const found = processesOf(contender.program.pid).length;
    if (way.count > 1 && found <= way.count) throw new Error(`the service has ${found} processes`);
    ways.push({ ...way, contender });
    // Cold code would be measured while V8 compiles it.
    await measure(stage, extent, { ...way, contender });
  }
  const measured = await inTurns(ways, extent.repeats, (way) =>
    quietest(
      extent,
      () => measure(stage, extent, way),
      ({ usage }) => usage,
    ),
  );
  for (const pid of [stage.generator.pid, stage.upstream.pid]) pin(pid, 'generator');

  const perSecond = ({ operations, windowMs }: LoopResult) => (operations / windowMs) * 1_000;
  const [one = []] = measured.values();
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  for (const [{ name }, results] of measured) {
    const of = (value: (result: LoopResult) => number) => median(results.map(value));
    const ratio = median(
      results.map((result, repeat) => perSecond(result) / perSecond(one[repeat] ?? result)),
    );
    facts[`workers/${name}`] = ratio;
    const cores = [serviceMs, partMs(-2), partMs(-1), ({ ownCpuMs }: LoopResult) => ownCpuMs];
    rows.push([
      name,
      figure(of(perSecond)),
      percent(spread(results.map(perSecond))),
      times(ratio),
      figure(of((result) => (serviceMs(result) / result.operations) * 100)),
      cores.map((ms) => hundredths(of((result) => ms(result) / result.windowMs))).join(' · '),
      hundredths(of(({ usage }) => usage.foreignCores)),
    ]);
  }
  const words =
    `Turns with ${IN_FLIGHT_EACH} under way for each worker. The whole system, load included, gets one core and then two, so that neither the generator ` +
    'nor Redis has a core to spare in one case only. The last row gives one worker a core, and all others the second: there the ' +
    'worker is the limit, and the second core has room that a second worker would use.';
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

/** The watched processes are those of the service, then Redis, then the upstream. */
const partMs = (at: number) => (result: LoopResult) => result.usage.cpuMs.at(at) ?? 0;
const serviceMs = ({ usage }: LoopResult) => usage.cpuMs.slice(0, -2).reduce((sum, ms) => sum + ms, 0);

async function measure(
  stage: Stage,
  extent: Extent,
  { contender, count, own, others }: Way,
): Promise<LoopResult> {
  const { generator, upstream } = stage;
  const { name: group, program, redis } = contender;
  const service = processesOf(program.pid);
  const rest = [redis?.pid ?? 0, upstream.pid];
  for (const pid of service) pinTo(pid, own);
  for (const pid of [...rest, generator.pid]) pinTo(pid, others);
  await generator.run('open', {
    group,
    port: program.port,
    count: count * Math.max(IN_FLIGHT_EACH, extent.conversations),
  });
  const result = await generator.run('loop', {
    group,
    workload: 'turn',
    speech: 'rehydra',
    inFlight: count * IN_FLIGHT_EACH,
    warmMs: extent.warmMs,
    windowMs: extent.windowMs * 2,
    watch: [...service, ...rest],
    mustWork: 0,
  });
  await generator.run('end', { group, how: 'close' });
  return result;
}

/** The process and all that it has started. */
function processesOf(pid: number): readonly number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').match(/\d+/g) ?? [];
  return [pid, ...children.map(Number).flatMap(processesOf)];
}
