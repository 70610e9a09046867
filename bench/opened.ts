/** How many sessions does one core open per second, with 32 clients at a time? */
import { startDocumentation, startService, startSocketIo } from './contenders/start.ts';
import type { Contender } from './measure/cell.ts';
import type { Extent } from './measure/extent.ts';
import { inTurns, quietest } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { median, spread } from './measure/summary.ts';
import { readUsage, type Usage, usageBetween } from './measure/usage.ts';
import { figure, hundredths, percent, type Row, type Section, table, times } from './report/table.ts';

interface Opened {
  readonly perSecond: number;
  readonly cpuS: number;
  readonly usage: Usage;
}

export async function opened(stage: Stage, extent: Extent): Promise<Section> {
  const service = await startService(stage);
  const contenders = [service, await startDocumentation(stage), await startSocketIo(stage)];
  // Cold code would be measured while V8 compiles it.
  for (const contender of contenders) await open(stage, contender, extent.opened);
  const measured = await inTurns(contenders, extent.repeats, (contender) =>
    quietest(
      extent,
      () => open(stage, contender, extent.opened),
      (result) => result.usage,
    ),
  );
  const own = measured.get(service) ?? [];
  const rows: Row[] = [];
  const facts: Record<string, number> = {};
  for (const [{ name }, results] of measured) {
    const of = (measure: (result: Opened) => number) => median(results.map(measure));
    const behind = median(results.map(({ perSecond }, repeat) => (own[repeat]?.perSecond ?? 0) / perSecond));
    facts[`opened/${name}/perSecond`] = of((result) => result.perSecond);
    facts[`opened/${name}/behind`] = behind;
    rows.push([
      name,
      figure(of((result) => result.perSecond)),
      percent(spread(results.map((result) => result.perSecond))),
      figure(of((result) => result.cpuS)),
      hundredths(of((result) => result.usage.foreignCores)),
      times(behind),
    ]);
  }
  const words =
    `${extent.opened.toLocaleString('en-US')} clients connect, 32 at a time, and each waits for its welcome: the connection, ` +
    'the lock, the new session and its first stored snapshot. The documentation’s way does the same; Socket.IO stores one SET.';
  const head = ['server', 'opened per s', 'spread', 'CPU s/100k', 'foreign', 'this service ÷ it'];
  return { title: 'Opening sessions', body: `${words}\n\n${table(head, rows)}`, facts };
}

async function open(
  stage: Stage,
  { name: group, program, speech }: Contender,
  count: number,
): Promise<Opened> {
  const { generator } = stage;
  const watch = [program.pid, generator.pid, ...stage.pids().filter((pid) => pid !== program.pid)];
  const before = readUsage(watch);
  const { tookMs } = await generator.run('open', { group, port: program.port, count, speech });
  const usage = usageBetween(before, readUsage(watch), 0);
  await generator.run('end', { group, how: speech === 'rehydra' ? 'close' : 'drop' });
  return { perSecond: (count / tookMs) * 1_000, cpuS: ((usage.cpuMs[0] ?? 0) / count) * 100, usage };
}
