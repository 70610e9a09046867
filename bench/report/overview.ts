/** Writes the tables that open the document: the ratios that a reader wants first, and the goals with what was reached. */
import { DOCUMENTATION, FLOOR, SERVICE, SOCKET_IO } from '../contenders/start.ts';
import type { Extent } from '../measure/extent.ts';
import { ASLEEP } from '../memory.ts';
import { BUFFERED } from '../tokens.ts';
import { WORKERS_FACT } from '../workers.ts';
import { type Facts, figure, MISSING, type Row, table, times } from './table.ts';

interface Goal {
  readonly measure: string;
  readonly value: number;
  readonly atMost?: number;
  readonly atLeast?: number;
  readonly unit?: string;
}

/** Figures of the questions by their path; one that is missing fails the run. */
type Fact = (path: string) => number;

export function overview(facts: Facts, extent: Extent): string {
  const fact: Fact = (path) => facts[path] ?? Number.NaN;
  return [ratios(fact, extent), '', '## Goals', '', goals(fact, extent)].join('\n');
}

function ratios(fact: Fact, { inFlight: [, few, many] }: Extent): string {
  const row = (
    label: string,
    unit: string,
    own: string,
    other: (name: string) => string,
    names: readonly string[],
  ): Row => [
    label,
    `${figure(fact(own))} ${unit}`,
    ...[DOCUMENTATION, SOCKET_IO, FLOOR].map((name) =>
      names.includes(name) ? times(fact(other(name))) : '–',
    ),
  ];
  const work = (workload: string, inFlight: number, label: string, names: readonly string[]) =>
    row(
      `${label}, ${inFlight.toLocaleString('en-US')} under way`,
      'per s',
      `${workload}/${inFlight}/${SERVICE}/perSecond`,
      (name) => `${workload}/${inFlight}/${name}/behind`,
      names,
    );
  const all = [DOCUMENTATION, SOCKET_IO, FLOOR];
  const memory = `memory/${ASLEEP}/rssBytes`;
  const rows = [
    work('extend', few, 'transitions', all),
    work('extend', many, 'transitions', all),
    work('turn', few, 'turns', [DOCUMENTATION, FLOOR]),
    work('turn', many, 'turns', [DOCUMENTATION, FLOOR]),
    row(
      'sessions opened, 32 at a time',
      'per s',
      `opened/${SERVICE}/perSecond`,
      (name) => `opened/${name}/behind`,
      [DOCUMENTATION, SOCKET_IO],
    ),
    [
      'memory of a quiet connected session (less is better)',
      `${figure(fact(memory) / 1024)} KiB`,
      ...[DOCUMENTATION, SOCKET_IO].map((name) => times(fact(memory) / fact(`memory/${name}/rssBytes`))),
      '–',
    ],
  ];
  const words =
    'One core for the server. A ratio is this service divided by the other one: **2× per second is twice as fast**. The ' +
    'documentation’s way is `ws` + `redlock` + `ioredis` + XState’s snapshot + `openai`, as their documents show it. Socket.IO ' +
    'has the Redis streams adapter and one SET per transition, without chart, lock or turn. The floor makes this service’s ' +
    'writes with this service’s bytes, and nothing else; neither of the others stores a log that a client can resume from.';
  const head = ['', SERVICE, `÷ ${DOCUMENTATION}`, `÷ ${SOCKET_IO}`, `÷ ${FLOOR}`];
  return `${table(head, rows)}\n\n${words}`;
}

function goals(fact: Fact, { inFlight: [, few, many], streams }: Extent): string {
  const [busy = 0, full = 0] = streams.slice(-2);
  const cpu = (workload: string, inFlight: number) => fact(`${workload}/${inFlight}/${SERVICE}/cpuS`);
  const both = (of: (inFlight: number) => Omit<Goal, 'measure'>, measure: string): readonly Goal[] =>
    [few, many].map((inFlight) => ({
      measure: `${measure}, ${inFlight.toLocaleString('en-US')} under way`,
      ...of(inFlight),
    }));
  const list: readonly Goal[] = [
    ...both((inFlight) => ({ value: cpu('turn', inFlight), atMost: 100 }), 'a turn, CPU s/100k'),
    ...both(
      (inFlight) => ({ value: fact(`turn/${inFlight}/${FLOOR}/costs`), atMost: 2, unit: '×' }),
      'a turn, CPU ÷ floor',
    ),
    ...both((inFlight) => ({ value: cpu('extend', inFlight), atMost: 7 }), 'a transition, CPU s/100k'),
    ...both(
      (inFlight) => ({ value: fact(`extend/${inFlight}/${SOCKET_IO}/behind`), atLeast: 1, unit: '×' }),
      'transitions per second ÷ Socket.IO + SET',
    ),
    {
      measure: `a transition, CPU at ${many.toLocaleString('en-US')} ÷ at ${few} under way`,
      value: cpu('extend', many) / cpu('extend', few),
      atMost: 1.1,
      unit: '×',
    },
    {
      measure: `tokens, ${busy} streams × 50/s, CPU s/100k`,
      value: fact(`tokens/${busy}/${BUFFERED}/cpuS`),
      atMost: 5,
    },
    {
      measure: `tokens, ${full} streams × 50/s, p99 ms`,
      value: fact(`tokens/${full}/${BUFFERED}/p99Ms`),
      atMost: 60,
    },
    { measure: 'sessions opened per second', value: fact(`opened/${SERVICE}/perSecond`), atLeast: 4_000 },
    { measure: 'Redis bytes of a quiet stored session', value: fact('bytes/quiet'), atMost: 2_500 },
    { measure: 'Redis bytes after a turn of 64 tokens', value: fact('bytes/after a turn'), atMost: 3_500 },
    {
      measure: 'two workers on two cores ÷ one on one, turns per second',
      value: fact(WORKERS_FACT),
      atLeast: 1.7,
      unit: '×',
    },
  ];
  return table(['measure', 'goal', 'measured', ''], list.map(rowOf));
}

function rowOf({ measure, value, atMost, atLeast, unit = '' }: Goal): Row {
  const goal = atMost === undefined ? `≥ ${figure(atLeast ?? 0)}` : `≤ ${figure(atMost)}`;
  const isReached = value <= (atMost ?? value) && value >= (atLeast ?? value);
  if (!Number.isFinite(value)) return [measure, `${goal}${unit}`, MISSING, ''];
  return [measure, `${goal}${unit}`, `${figure(value)}${unit}`, isReached ? 'reached' : '**missed**'];
}
