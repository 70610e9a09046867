/** How much more than the floor does a stored transition cost, and how much does a turn cost? */
import type { Workload } from './load/orders.ts';
import {
  CELL_HEAD,
  type Cell,
  type Contender,
  cellRow,
  measureCell,
  measureOnce,
  ratioOf,
} from './measure/cell.ts';
import { appends, commits, emptied, scriptCalls, untilAtRest } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import { inTurns } from './measure/quiet.ts';
import type { Stage } from './measure/stage.ts';
import { type Row, type Section, table, thousandths, times } from './report/table.ts';

const WORKLOADS: readonly { readonly workload: Workload; readonly title: string; readonly words: string }[] =
  [
    {
      workload: 'extend',
      title: 'A transition and nothing else',
      words:
        '`extend` moves the idle deadline: one commit, no frame. It has no reply, so the client sends a `cancel` that ' +
        'names no turn in the same write. A session takes one input at a time, so the refusal proves that the transition ' +
        'is stored. The service also reads, steps and refuses the second frame; the floor does not.',
    },
    {
      workload: 'restart',
      title: 'A transition with frames, and an upstream call',
      words:
        '`message` with policy `rollback` while a turn runs, answered by `turn.started`: one commit with two frames, a ' +
        'message id and two transcript records. The service also aborts one upstream call and starts another, which is ' +
        'most of its time here; the floor stores the same bytes and calls no upstream.',
    },
    {
      workload: 'turn',
      title: 'A turn',
      words:
        '`message` to `turn.completed`, with an upstream that immediately answers one token. It has no floor: its cost ' +
        'over the transitions is the HTTP client, the stream and the answer’s text.',
    },
  ];

export async function turns(stage: Stage, extent: Extent): Promise<Section> {
  const redis = await stage.redis();
  const floorRedis = await stage.redis();
  const service: Contender = { name: 'service on Redis', redis, program: await stage.service(redis) };
  const embedded: Contender = { name: 'service, embedded', redis: null, program: await stage.service(null) };
  const floor: Contender = {
    name: 'floor',
    redis: floorRedis,
    program: await stage.own(import.meta.resolve('./floor.ts'), 'server', {
      FLOOR_REDIS_PORT: String(floorRedis.port),
    }),
  };
  const contendersFor: Readonly<Record<Workload, readonly Contender[]>> = {
    extend: [service, embedded, floor],
    // The upstream call does not depend on the store.
    restart: [service, floor],
    turn: [service, embedded],
  };
  const { quietMs, conversations } = extent;
  const load = (workload: Workload, inFlight: number) => ({
    ...spanOf(extent, workload, inFlight),
    workload,
    inFlight,
    quietMs,
    conversations,
  });

  const parts: string[] = [];
  for (const { workload, title, words } of WORKLOADS) {
    const contenders = contendersFor[workload];
    for (const contender of contenders)
      await measureOnce(stage, contender, { ...warmUp(extent, workload), workload, quietMs, conversations });
    const rows: Row[] = [];
    for (const inFlight of extent.inFlight) {
      const measured = await inTurns(contenders, extent.repeats, async (contender) => {
        const cell = await measureCell(stage, contender, load(workload, inFlight));
        if (contender === floor) await emptied(floorRedis);
        return cell;
      });
      for (const [contender, cells] of measured)
        rows.push([
          String(inFlight),
          contender.name,
          ...cellRow(cells),
          ...overFloor(cells, measured.get(floor)),
        ]);
    }
    const head = ['under way', 'server', ...CELL_HEAD, 'throughput ÷ floor', 'CPU ÷ floor'];
    const noFloor = workload === 'turn';
    parts.push(
      `### ${title}`,
      words,
      noFloor
        ? table(
            head.slice(0, -2),
            rows.map((row) => row.slice(0, -2)),
          )
        : table(head, rows),
    );
  }
  parts.push('### Round trips', await roundTrips(stage, extent));
  return { title: 'Transitions and turns', body: parts.join('\n\n') };
}

/** A window must last many round trips, and in a long queue an exchange with an upstream call takes a second. */
function spanOf({ warmMs, windowMs }: Extent, workload: Workload, inFlight: number) {
  if (workload === 'extend' || inFlight < LONG_QUEUE) return { warmMs, windowMs };
  return { warmMs: warmMs + 1_200, windowMs: windowMs * 3 };
}

const LONG_QUEUE = 500;

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

/** With this lease the service neither sweeps nor renews: every script call belongs to an input. */
const LONG_LEASE_MS = '600000';
const ROUND_TRIPS_IN_FLIGHT = 64;

async function roundTrips(stage: Stage, extent: Extent): Promise<string> {
  const { generator } = stage;
  const redis = await stage.redis();
  const program = await stage.service(redis, { LEASE_MS: LONG_LEASE_MS });
  const written = async () => ({ commits: await commits(program), appends: await appends(program) });

  const rows: Row[] = [];
  for (const { workload } of WORKLOADS) {
    const group = 'round trips';
    const count =
      workload === 'turn' ? Math.max(ROUND_TRIPS_IN_FLIGHT, extent.conversations) : ROUND_TRIPS_IN_FLIGHT;
    await generator.run('open', { group, port: program.port, count });
    await untilAtRest(redis);
    const before = await written();
    // A request for metrics makes the service count its sessions: those calls belong to no input.
    await untilAtRest(redis);
    const callsBefore = await scriptCalls(redis);
    await generator.run('loop', {
      ...extent,
      group,
      workload,
      inFlight: ROUND_TRIPS_IN_FLIGHT,
      watch: [],
      mustWork: 0,
    });
    const calls = (await scriptCalls(redis)) - callsBefore;
    const after = await written();
    await generator.run('end', { group, how: 'close' });
    const stored = after.commits - before.commits;
    const appended = after.appends - before.appends;
    const whole = (count: number) => count.toLocaleString('en-US');
    rows.push([
      workload,
      whole(stored),
      whole(appended),
      whole(calls),
      thousandths(calls / (stored + appended)),
    ]);
  }
  const words =
    `Script calls that Redis counted (\`INFO commandstats\`), and writes that the service counted, ${ROUND_TRIPS_IN_FLIGHT} under way: 1.000 is ` +
    'one round trip for each. A long lease keeps sweeps and renewals out; they do not depend on the load.';
  const head = ['workload', 'transitions', 'appends of text', 'script calls', 'calls ÷ write'];
  return `${words}\n\n${table(head, rows)}`;
}
