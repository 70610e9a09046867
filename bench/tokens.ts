/** How much later does a token arrive because it was stored first? */
import type { StreamResult } from './load/orders.ts';
import type { Extent } from './measure/extent.ts';
import type { Program } from './measure/program.ts';
import { inTurns, quietest } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { median, spread } from './measure/summary.ts';
import { figure, hundredths, percent, type Row, type Section, table } from './report/table.ts';

interface Way {
  readonly name: string;
  /** Null: straight from the upstream. */
  readonly program: Program | null;
  readonly redisPid: number | null;
}

export const BUFFERED = 'service, 25 ms (default)';
const UNBUFFERED = 'service, `FLUSH_MS=0`';
/** With more streams this way only shows that a write per token fills Redis. */
const UNBUFFERED_MAX = 64;
const TOKENS_PER_SECOND = 50;
const WARM_MS = 800;
const WINDOW_FACTOR = 1.5;

export async function tokens(stage: Stage, extent: Extent): Promise<Section> {
  const ways: Way[] = [{ name: 'upstream itself', program: null, redisPid: null }];
  for (const [name, env] of [
    [BUFFERED, {}],
    [UNBUFFERED, { FLUSH_MS: '0' }],
  ] as const) {
    const redis = await stage.redis();
    ways.push({ name, program: await stage.service(redis, env), redisPid: redis.pid });
  }
  const repeats = extent.repeats;
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  for (const way of ways) await stream(stage, way, 32, extent);
  for (const count of extent.streams) {
    const compared = ways.filter(({ name }) => name !== UNBUFFERED || count <= UNBUFFERED_MAX);
    const measured = await inTurns(compared, repeats, (way) =>
      quietest(
        extent,
        () => stream(stage, way, count, extent),
        (result) => result.usage,
      ),
    );
    for (const [way, results] of measured) {
      rows.push(rowOf(way, count, results));
      facts[`tokens/${count}/${way.name}/cpuS`] = median(results.map(serverCpuS));
      facts[`tokens/${count}/${way.name}/p99Ms`] = median(results.map((result) => result.latencyMs.p99));
    }
  }
  const head = [
    'streams',
    'way',
    'tokens per s',
    'p50 ms',
    'p99 ms',
    'p99 spread',
    'tokens per frame',
    'CPU s/100k tokens',
    'Redis s/100k',
    'cores used: server · Redis · upstream · generator',
    'foreign',
  ];
  const words =
    'Every token carries the time at which the upstream wrote it. The client compares that with its own clock (the same ' +
    'machine, the same monotonic clock). So this is the whole way: upstream → service → Redis → acknowledgement → ' +
    'client. The service stores the first text of a turn immediately and later text at most every 25 ms. So a token that ' +
    'comes 20 ms after the last one waits on purpose: this makes fewer, larger writes. `FLUSH_MS=0` shows the way without ' +
    'the wait.';
  return { title: 'A token’s way', body: `${words}\n\n${table(head, rows)}`, facts };
}

async function stream(stage: Stage, way: Way, count: number, extent: Extent): Promise<StreamResult> {
  const { generator, upstream } = stage;
  const first = [...(way.program === null ? [] : [way.program.pid, way.redisPid ?? 0]), upstream.pid];
  const watch = [...new Set([...first, ...stage.pids()])];
  const span = {
    warmMs: WARM_MS,
    windowMs: extent.windowMs * WINDOW_FACTOR,
    watch,
    tokensPerSecond: TOKENS_PER_SECOND,
  };
  if (way.program === null) return generator.run('direct', { ...span, port: upstream.port, count });
  await generator.run('open', { group: way.name, port: way.program.port, count });
  const result = await generator.run('streams', { ...span, group: way.name });
  await generator.run('end', { group: way.name, how: 'close' });
  return result;
}

/** Milliseconds per token are hundreds of seconds per 100,000. */
function serverCpuS({ usage, tokens }: StreamResult): number {
  return ((usage.cpuMs[0] ?? 0) / tokens) * 100;
}

function rowOf(way: Way, count: number, results: readonly StreamResult[]): Row {
  const of = (measure: (result: StreamResult) => number) => median(results.map(measure));
  const through = way.program !== null;
  const cores = (through ? [0, 1, 2] : [0]).map((index) =>
    of(({ usage, windowMs }) => (usage.cpuMs[index] ?? 0) / windowMs),
  );
  const used = [...cores, of((result) => result.ownCpuMs / result.windowMs)];
  return [
    String(count),
    way.name,
    figure(of((result) => (result.tokens / result.windowMs) * 1_000)),
    figure(of((result) => result.latencyMs.p50)),
    figure(of((result) => result.latencyMs.p99)),
    percent(spread(results.map((result) => result.latencyMs.p99))),
    through ? figure(of((result) => result.tokens / result.frames)) : '–',
    through ? figure(of(serverCpuS)) : '–',
    through ? figure(of(({ usage, tokens }) => ((usage.cpuMs[1] ?? 0) / tokens) * 100)) : '–',
    (through ? '' : '– · – · ') + used.map(hundredths).join(' · '),
    hundredths(of((result) => result.usage.foreignCores)),
  ];
}
