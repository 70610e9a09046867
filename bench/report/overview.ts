/** Writes the tables that open the document: the ratios that a reader wants first, and the goals with what was reached. */
import { DOCUMENTATION, FLOOR, SERVICE, SOCKET_IO } from '../contenders/start.ts';
import type { Extent } from '../measure/extent.ts';
import { ASLEEP, AWAKE } from '../memory.ts';
import { BUFFERED } from '../tokens.ts';
import { WORKERS_FACT } from '../workers.ts';
import { type Facts, figure, MISSING, type Row, table, times } from './table.ts';

/** A figure of a question by its path; one that is missing fails the run. */
type Fact = (path: string) => number;

const OTHERS = [DOCUMENTATION, SOCKET_IO, FLOOR];
const whole = (count: number) => count.toLocaleString('en-US');

export function overview(facts: Facts, extent: Extent): string {
  const fact: Fact = (path) => facts[path] ?? Number.NaN;
  const reasons =
    'The goals were set on another machine, in figures of CPU: ratios hold here, and seconds do not. ' +
    '[ADR 21](adr/0021-where-the-time-of-an-input-goes.md) tells where the time goes and why goals are missed.';
  return [ratios(fact, extent), '', '## Goals', '', reasons, '', goals(fact, extent)].join('\n');
}

function ratios(fact: Fact, { inFlight: [, few, many] }: Extent): string {
  const row = (label: string, path: string, beside: readonly string[]): Row => [
    label,
    `${figure(fact(`${path}/${SERVICE}/perSecond`))} per s`,
    ...OTHERS.map((name) => (beside.includes(name) ? times(fact(`${path}/${name}/behind`)) : '–')),
  ];
  const rssBytes = (name: string) => fact(`memory/${name}/rssBytes`);
  const memory = (state: string, name: string): Row => [
    `memory of a quiet session with a socket, ${state}`,
    `${figure(rssBytes(name) / 1024)} KiB`,
    ...[DOCUMENTATION, SOCKET_IO].map((other) => times(rssBytes(name) / rssBytes(other))),
    '–',
  ];
  const withTurns = [DOCUMENTATION, FLOOR];
  const rows = [
    row(`transitions, ${whole(few)} under way`, `extend/${few}`, OTHERS),
    row(`transitions, ${whole(many)} under way`, `extend/${many}`, OTHERS),
    row(`turns, ${whole(few)} under way`, `turn/${few}`, withTurns),
    row(`turns, ${whole(many)} under way`, `turn/${many}`, withTurns),
    row('sessions opened, 32 at a time', 'opened', [DOCUMENTATION, SOCKET_IO]),
    memory('asleep', ASLEEP),
    memory('awake', AWAKE),
  ];
  const words =
    'The server has one core; Redis, the upstream and the generator share the second. A ratio is this service divided by the ' +
    'other one, the median of neighbouring runs: **2× per second is twice as fast**, and 0.5× memory is half of it. A turn has ' +
    'one token, from an upstream that answers immediately. The documentation’s way is `ws` + `redlock` + `ioredis` + XState’s ' +
    'snapshot + `openai`, as their documents show it; its sessions are always awake. Socket.IO has the Redis streams adapter ' +
    'with connection state recovery, and one SET per transition, without chart, lock or turn. The floor makes this service’s ' +
    'writes with this service’s bytes, and for a turn the same call, without a session. Only this service keeps a log that a ' +
    'client can resume from after the death of every process.';
  const head = ['', SERVICE, ...OTHERS.map((name) => `÷ ${name}`)];
  return `${table(head, rows)}\n\n${words}`;
}

function goals(fact: Fact, { inFlight: [, few, many], streams }: Extent): string {
  const [busy = 0, full = 0] = streams.slice(-2);
  const cpuS = (path: string) => fact(`${path}/${SERVICE}/cpuS`);
  const each = (label: string, limit: string, of: (inFlight: number) => number): readonly Row[] =>
    [few, many].map((inFlight) => goal(`${label}, ${whole(inFlight)} under way`, limit, of(inFlight)));
  return table(
    ['measure', 'goal', 'measured', ''],
    [
      ...each('a turn, CPU s/100k', '≤ 100', (inFlight) => cpuS(`turn/${inFlight}`)),
      ...each('a turn, CPU ÷ floor', '≤ 2', (inFlight) => fact(`turn/${inFlight}/${FLOOR}/costs`)),
      ...each('a transition, CPU s/100k', '≤ 7', (inFlight) => cpuS(`extend/${inFlight}`)),
      ...each('transitions per second ÷ Socket.IO + SET', '≥ 1', (inFlight) =>
        fact(`extend/${inFlight}/${SOCKET_IO}/behind`),
      ),
      goal(
        `a transition, CPU at ${whole(many)} ÷ at ${whole(few)} under way (flat)`,
        '≤ 1.1',
        cpuS(`extend/${many}`) / cpuS(`extend/${few}`),
      ),
      goal(`tokens, ${busy} streams × 50/s, CPU s/100k`, '≤ 5', fact(`tokens/${busy}/${BUFFERED}/cpuS`)),
      goal(`tokens, ${full} streams × 50/s, p99 ms`, '≤ 60', fact(`tokens/${full}/${BUFFERED}/p99Ms`)),
      goal('sessions opened per second', '≥ 4000', fact(`opened/${SERVICE}/perSecond`)),
      goal('Redis bytes of a quiet stored session', '≤ 2500', fact('bytes/quiet')),
      goal('Redis bytes after a turn of 64 tokens', '≤ 3500', fact('bytes/after a turn')),
      goal('two workers on two cores ÷ one on one, turns per second', '≥ 1.7', fact(WORKERS_FACT)),
    ],
  );
}

/** `limit` is `≤` or `≥` and a number. */
function goal(measure: string, limit: string, value: number): Row {
  if (!Number.isFinite(value)) return [measure, limit, MISSING, ''];
  const bound = Number(limit.slice(2));
  const isReached = limit.startsWith('≤') ? value <= bound : value >= bound;
  return [measure, limit, figure(value), isReached ? 'reached' : '**missed**'];
}
