/**
 * Replays a history through the machine, with stand-ins for the words that it lacks.
 *
 *  REPLAY-1  Each record must fit the state to which those before it led: its version, its states, and the names of all
 *            guards and actions. The first record that does not fit is the finding.
 *  REPLAY-2  At the end, state, context, deadlines and jobs must equal those of the session, but for its words.
 *  REPLAY-3  A history whose beginning was dropped leads nowhere: only the chain of its records can be checked.
 */
import { isDeepStrictEqual } from 'node:util';
import type { SessionInput } from '../../../machines/vocabulary.ts';
import { begin, type MachineState, type Step, type StepEvent, step } from '../machine/step.ts';
import { BEGINS, inputFrom, MIGRATES, restored } from './history-event.ts';
import type { HistoryRecord } from './record.ts';
import { type WordlessState, wordlessOf } from './wordless.ts';

export interface History {
  readonly sessionId: string;
  readonly records: readonly HistoryRecord[];
  /** What is stored of the session. */
  readonly version: number;
  readonly state: WordlessState;
}

export type Replayed =
  | { readonly kind: 'equal'; readonly records: number }
  /** The record does not follow from those before it. */
  | { readonly kind: 'misfit'; readonly record: HistoryRecord; readonly why: string }
  /** Every record fits, but the session is elsewhere. */
  | { readonly kind: 'differs'; readonly fields: readonly string[] }
  /** The history does not begin with the session; what it has forms a chain. */
  | { readonly kind: 'incomplete'; readonly why: string };

export function replay({ sessionId, records, version, state }: History): Replayed {
  const [first, ...rest] = records;
  if (first === undefined) return { kind: 'incomplete', why: 'the history has no record' };
  const isWhole = first.event.type === BEGINS;
  let played = isWhole ? beginning(sessionId, first, state) : null;
  const whyNot = played === null ? null : misfitOf(first, '', played);
  if (whyNot !== null) return { kind: 'misfit', record: first, why: whyNot };
  let last = first;
  for (const record of rest) {
    const why = brokenChain(last, record);
    if (why !== null) return { kind: 'misfit', record, why };
    if (played !== null) {
      const next = follow(played.next, record);
      const misfit = typeof next === 'string' ? next : misfitOf(record, last.to, next);
      if (misfit !== null) return { kind: 'misfit', record, why: misfit };
      played = next as Step;
    }
    last = record;
  }
  if (played === null)
    return { kind: 'incomplete', why: `the records before version ${first.version} were dropped` };
  if (last.version !== version)
    return { kind: 'differs', fields: [`version: ${last.version} by its history, ${version} as stored`] };
  const fields = differences(stateOf(played.next), state);
  return fields.length === 0 ? { kind: 'equal', records: records.length } : { kind: 'differs', fields };
}

/** The innermost state, such as `connected.fresh`. */
export function pathOf(value: unknown): string {
  if (typeof value === 'string') return value;
  return Object.entries(value as object)
    .map(([outer, inner]) => `${outer}.${pathOf(inner)}`)
    .join('+');
}

function beginning(sessionId: string, { at, instance, event }: HistoryRecord, state: WordlessState): Step {
  const { limits, origin } = state.context as Pick<SessionInput, 'limits' | 'origin'>;
  const fixed = { at, sessionId, instance, limits, ...(origin === undefined ? {} : { origin }) };
  const begun = begin(inputFrom(event, fixed), '1');
  if (event.isFork !== true) return begun;
  const left = step(begun.next, { type: 'detach', at, instance }, '1');
  return { ...left, taken: [...begun.taken, ...left.taken] };
}

/** The step of the record, or why the machine cannot take it. */
function follow(state: MachineState, { event, at, version }: HistoryRecord): Step | string {
  if (event.type === MIGRATES) return { next: state, effects: [], changed: true, taken: [] };
  const cause = restored(event, at);
  if (cause === null) return `this version knows no event ${event.type}`;
  try {
    return ofFiredTimer(state, cause) ?? step(state, cause, String(version));
  } catch (error) {
    return `the machine cannot take ${event.type}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Only a deadline that the session has can pass. */
function ofFiredTimer(state: MachineState, { type }: StepEvent): null {
  if (type.startsWith('xstate.after.') && state.timers[type] === undefined)
    throw new Error('the session has no such deadline');
  return null;
}

function brokenChain(last: HistoryRecord, { version, from, epoch }: HistoryRecord): string | null {
  if (version !== last.version + 1) return `version ${version} follows version ${last.version}`;
  if (from !== last.to) return `it leads from ${from}, the record before it to ${last.to}`;
  return epoch < last.epoch ? `its epoch ${epoch} is lower than ${last.epoch} before it` : null;
}

function misfitOf(record: HistoryRecord, from: string, { next, taken, changed }: Step): string | null {
  const to = pathOf(next.snapshot.value);
  if (record.from !== from) return `it leads from ${record.from}, but the session was in ${from}`;
  if (!changed) return 'the machine refuses its event, or ignores it';
  if (record.to !== to) return `it leads to ${record.to}, the machine to ${to}`;
  return isDeepStrictEqual(record.taken, taken) ? null : 'the machine takes another way there';
}

function stateOf({ snapshot, timers, jobs }: MachineState): WordlessState {
  return wordlessOf({ value: snapshot.value, context: snapshot.context, timers, jobs });
}

function differences(replayed: WordlessState, stored: WordlessState): readonly string[] {
  const flat = (state: WordlessState) => {
    const { context, ...rest } = JSON.parse(JSON.stringify(state)) as WordlessState;
    const inContext = Object.entries(context).map(([name, value]) => [`context.${name}`, value] as const);
    return new Map<string, unknown>([...Object.entries(rest), ...inContext]);
  };
  const [mine, theirs] = [flat(replayed), flat(stored)];
  return [...new Set([...mine.keys(), ...theirs.keys()])]
    .filter((name) => !isDeepStrictEqual(mine.get(name), theirs.get(name)))
    .map(
      (name) =>
        `${name}: ${JSON.stringify(mine.get(name))} by its history, ${JSON.stringify(theirs.get(name))} as stored`,
    );
}
