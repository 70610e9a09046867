/** How many calls of Redis does a write take, and how many writes does an exchange take? */
import type { Workload } from './load/orders.ts';
import { appends, commits, scriptCalls, untilAtRest } from './measure/counters.ts';
import type { Extent } from './measure/extent.ts';
import type { Stage } from './measure/stage.ts';
import { type Row, table, thousandths } from './report/table.ts';

/** With this lease the service neither sweeps nor renews: every script call belongs to an input. */
const LONG_LEASE_MS = '600000';
const IN_FLIGHT = 64;
const GROUP = 'round trips';
const WORKLOADS: readonly Workload[] = ['extend', 'turn'];

export interface RoundTrips {
  readonly body: string;
  /** Appends of text that the service makes in a turn of one token. */
  readonly appendsPerTurn: number;
}

export async function roundTrips(stage: Stage, extent: Extent): Promise<RoundTrips> {
  const { generator } = stage;
  const redis = await stage.redis();
  const program = await stage.service(redis, { LEASE_MS: LONG_LEASE_MS });
  const written = async () => ({ commits: await commits(program), appends: await appends(program) });
  const whole = (count: number) => count.toLocaleString('en-US');

  const rows: Row[] = [];
  let appendsPerTurn = 0;
  for (const workload of WORKLOADS) {
    const count = workload === 'turn' ? Math.max(IN_FLIGHT, extent.conversations) : IN_FLIGHT;
    await generator.run('open', { group: GROUP, port: program.port, count });
    await untilAtRest(redis);
    const before = await written();
    // A request for metrics makes the service count its sessions: those calls belong to no input.
    await untilAtRest(redis);
    const callsBefore = await scriptCalls(redis);
    const speech = 'rehydra';
    const span = { warmMs: extent.warmMs, windowMs: extent.windowMs, watch: [], mustWork: 0 };
    await generator.run('loop', { ...span, group: GROUP, workload, speech, inFlight: IN_FLIGHT });
    const calls = (await scriptCalls(redis)) - callsBefore;
    const after = await written();
    await generator.run('end', { group: GROUP, how: 'close' });
    const stored = after.commits - before.commits;
    const appended = after.appends - before.appends;
    // A turn has two commits.
    if (workload === 'turn') appendsPerTurn = appended / (stored / 2);
    const perWrite = thousandths(calls / (stored + appended));
    rows.push([workload, whole(stored), whole(appended), whole(calls), perWrite]);
  }
  const words =
    `Script calls that Redis counted (\`INFO commandstats\`), and writes that the service counted, ${IN_FLIGHT} under way: 1.000 is ` +
    'one round trip for each. A long lease keeps sweeps and renewals out; they do not depend on the load.';
  const head = ['workload', 'transitions', 'appends of text', 'script calls', 'calls ÷ write'];
  return { body: `${words}\n\n${table(head, rows)}`, appendsPerTurn };
}
