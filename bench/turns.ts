/** What do a stored transition and a turn cost, beside what a team would have written instead and beside the floor? */
import {
  FLOOR,
  startDocumentation,
  startEmbedded,
  startFloor,
  startForgetful,
  startService,
  startSocketIo,
} from './contenders/start.ts';
import type { Workload } from './load/orders.ts';
import {
  CELL_HEAD,
  type Cell,
  type Contender,
  cellRow,
  measureCell,
  measureOnce,
  medianOf,
  ratioOf,
} from './measure/cell.ts';
import { appends, emptied } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { inTurns } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { type Row, type Section, table, times } from './report/table.ts';

const TITLES: Readonly<Record<Workload, { readonly title: string; readonly words: string }>> = {
  extend: {
    title: 'A transition and nothing else',
    words:
      '`extend` to `extended`: one commit that moves the idle deadline, answered once it is stored. The floor runs the ' +
      'service’s script with the service’s bytes. Socket.IO stores the service’s snapshot with one SET.',
  },
  turn: {
    title: 'A turn',
    words:
      '`message` to `turn.completed`, with an upstream that immediately answers one token. The floor makes the service’s ' +
      'writes with the service’s bytes, and asks the upstream with `undici.request`. Socket.IO has no turn.',
  },
};

export async function turns(stage: Stage, extent: Extent): Promise<Section> {
  const service = await startService(stage);
  const forgetful = await startForgetful(stage);
  const embedded = await startEmbedded(stage);
  const documentation = await startDocumentation(stage);
  const socketIo = await startSocketIo(stage);
  const floor = await startFloor(stage, await appendsPerTurn(stage, service));
  const contendersFor: Readonly<Record<Workload, readonly Contender[]>> = {
    extend: [service, forgetful, embedded, documentation, socketIo, floor],
    turn: [service, forgetful, embedded, documentation, floor],
  };
  const { quietMs, conversations } = extent;
  const parts: string[] = [];
  const facts: Record<string, number> = {};
  for (const workload of ['extend', 'turn'] as const) {
    const contenders = contendersFor[workload];
    for (const contender of contenders)
      await measureOnce(stage, contender, { ...warmUp(extent, workload), workload, quietMs, conversations });
    const rows: Row[] = [];
    for (const inFlight of extent.inFlight) {
      const load = { ...spanOf(extent, workload, inFlight), workload, inFlight, quietMs, conversations };
      const measured = await inTurns(contenders, extent.repeats, async (contender) => {
        const cell = await measureCell(stage, contender, load);
        // The message ids of a session stay with it; no contender's Redis may grow from cell to cell.
        if (contender === floor && contender.redis !== null) await emptied(contender.redis);
        return cell;
      });
      const own = measured.get(service) ?? [];
      for (const [contender, cells] of measured) {
        const path = `${workload}/${inFlight}/${contender.name}`;
        facts[`${path}/perSecond`] = medianOf(cells, (cell) => cell.perSecond);
        facts[`${path}/cpuS`] = medianOf(cells, (cell) => cell.serverCpuS);
        facts[`${path}/behind`] = ratioOf(own, cells, (cell) => cell.perSecond);
        facts[`${path}/costs`] = ratioOf(own, cells, (cell) => cell.serverCpuS);
        rows.push([
          String(inFlight),
          contender.name,
          ...cellRow(cells),
          ...overFloor(cells, measured.get(floor)),
        ]);
      }
    }
    const head = ['under way', 'server', ...CELL_HEAD, `throughput ÷ ${FLOOR}`, `CPU ÷ ${FLOOR}`];
    const { title, words } = TITLES[workload];
    parts.push(`### ${title}`, words, table(head, rows));
  }
  return { title: 'Transitions and turns', body: parts.join('\n\n'), facts };
}

/** The floor stores the text of a turn as often as the service does. */
async function appendsPerTurn({ generator }: Stage, { name: group, program }: Contender): Promise<number> {
  await generator.run('open', { group, port: program.port, count: COUNTED_TURNS });
  const before = await appends(program);
  const { turns: counted } = await generator.run('talk', { group, tokens: 1 });
  const after = await appends(program);
  await generator.run('end', { group, how: 'close' });
  return (after - before) / counted;
}

const COUNTED_TURNS = 32;
const LONG_QUEUE = 500;

/** A window must last many round trips, and in a long queue an exchange with an upstream call takes a second. */
function spanOf({ warmMs, windowMs }: Extent, workload: Workload, inFlight: number) {
  if (workload === 'extend' || inFlight < LONG_QUEUE) return { warmMs, windowMs };
  return { warmMs: warmMs + 1_200, windowMs: windowMs * 3 };
}

/** Cold code would be measured while V8 compiles it; the upstream client needs thousands of calls. */
function warmUp({ warmMs, windowMs }: Extent, workload: Workload) {
  return { warmMs, windowMs: workload === 'extend' ? windowMs : windowMs * 5, inFlight: 32 };
}

function overFloor(cells: readonly Cell[], floor: readonly Cell[] | undefined): Row {
  return [
    times(ratioOf(cells, floor, (cell) => cell.perSecond)),
    times(ratioOf(cells, floor, (cell) => cell.serverCpuS)),
  ];
}
