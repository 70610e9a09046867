/** Does a transition cost more if many sessions are stored? */
import { CELL_HEAD, type Contender, cellRow, measureCell, ratioOf } from './measure/cell.ts';
import { residents } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { inTurns } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { type Section, table, times } from './report/table.ts';

/** Sockets at one time while the benchmark makes sessions. */
const BATCH = 2_000;
const IN_FLIGHT = 64;
const ASLEEP_WITHIN_MS = 30_000;

export async function sessions(stage: Stage, extent: Extent): Promise<Section> {
  const { storedFew, storedMany } = extent;
  const contenders: { readonly stored: number; readonly contender: Contender }[] = [];
  for (const stored of [storedFew, storedMany]) {
    const redis = await stage.redis();
    const program = await stage.service(redis, { HIBERNATE_MS: '500' });
    const contender = { name: `${stored}`, redis, program };
    await store(stage, contender, stored);
    contenders.push({ stored, contender });
  }
  const load = { ...extent, workload: 'extend', inFlight: IN_FLIGHT } as const;
  for (const { contender } of contenders) await measureCell(stage, contender, load);
  const measured = await inTurns(contenders, extent.repeats, ({ contender }) =>
    measureCell(stage, contender, load),
  );
  const few = [...measured.values()][0];
  const rows = [...measured].map(([{ stored }, cells]) => [
    stored.toLocaleString('en-US'),
    ...cellRow(cells),
    times(ratioOf(cells, few, (cell) => cell.perSecond)),
    times(ratioOf(cells, few, (cell) => cell.serverCpuS)),
    times(ratioOf(cells, few, (cell) => cell.redisCpuS)),
  ]);
  const head = ['stored', ...CELL_HEAD, 'throughput ÷ few', 'CPU ÷ few', 'Redis ÷ few'];
  const words =
    `\`extend\` on ${IN_FLIGHT} sessions while others are stored and asleep, each with its place in the deadline index. ` +
    'A ratio of 1 means that the cost of a transition does not depend on the number of sessions.';
  return { title: 'Sessions that sleep', body: `${words}\n\n${table(head, rows)}` };
}

async function store(stage: Stage, { name: group, program }: Contender, count: number): Promise<void> {
  for (let left = count; left > 0; left -= BATCH) {
    await stage.generator.run('open', { group, port: program.port, count: Math.min(BATCH, left) });
    await stage.generator.run('end', { group, how: 'drop' });
  }
  const deadlineMs = performance.now() + ASLEEP_WITHIN_MS;
  while ((await residents(program)) > 0) {
    if (performance.now() > deadlineMs) throw new Error('stored sessions did not fall asleep');
    await new Promise((resume) => setTimeout(resume, 100));
  }
}
