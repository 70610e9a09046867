// Compares two versions of a chart, and says of each change what it means for snapshots that the older one stored.

import type { Description, State, Transition } from './describe.ts';
import { type Matched, matchTransitions } from './match.ts';

/**
 * - safe: a stored snapshot goes on as it is, and older instances read new ones.
 * - migration: a stored snapshot is read, but acts unlike a new one, or older instances cannot read new ones.
 * - breaks: a stored snapshot is refused or can never move on, unless a migration rewrites it.
 */
export type Meaning = 'safe' | 'migration' | 'breaks';

export interface Change {
  /** A state, a transition of the newer chart, or a removed one of the older; empty for the context and the machine. */
  readonly id: string;
  readonly mark: 'added' | 'removed' | 'changed';
  readonly what: string;
  readonly meaning: Meaning;
  readonly because: string;
}

export function difference(before: Description, after: Description): readonly Change[] {
  const machine: readonly Change[] =
    before.machine === after.machine
      ? []
      : [
          change(
            '',
            'changed',
            `machine ${before.machine} → ${after.machine}`,
            'breaks',
            'No instance reads it.',
          ),
        ];
  return [
    ...machine,
    ...stateChanges(before, after),
    ...timerChanges(before, after),
    ...transitionChanges(before, after),
    ...contextChanges(before.context, after.context),
  ];
}

const ORDER: readonly Meaning[] = ['safe', 'migration', 'breaks'];

export const worstOf = (changes: readonly Change[]): Meaning =>
  ORDER.findLast((meaning) => changes.some((one) => one.meaning === meaning)) ?? 'safe';

const change = (
  id: string,
  mark: Change['mark'],
  what: string,
  meaning: Meaning,
  because: string,
): Change => ({ id, mark, what, meaning, because });

/** Snapshots rest in a state without children that no unconditional transition leaves at once. */
export function restingStates({ states, transitions }: Description): readonly State[] {
  const passing = new Set(
    transitions
      .filter(({ kind, guard }) => kind === 'always' && (guard === null || guard === 'else'))
      .map(({ source }) => source),
  );
  return states.filter(({ id, children }) => children.length === 0 && !passing.has(id));
}

function stateChanges(before: Description, after: Description): readonly Change[] {
  const old = new Map(before.states.map((state) => [state.id, state]));
  const now = new Map(after.states.map((state) => [state.id, state]));
  const rested = new Set(restingStates(before).map(({ id }) => id));
  const added = after.states.filter(({ id }) => !old.has(id));
  const removed = before.states.filter(({ id }) => !now.has(id));
  return [
    ...removed.map(({ id }) =>
      rested.has(id)
        ? change(id, 'removed', `state ${id}`, 'breaks', 'A snapshot in this state is refused.')
        : change(id, 'removed', `state ${id}`, 'safe', 'No snapshot rests in it alone.'),
    ),
    ...added.map(({ id }) =>
      change(id, 'added', `state ${id}`, 'migration', 'Older instances refuse a snapshot in it.'),
    ),
    ...after.states.flatMap((state) => {
      const other = old.get(state.id);
      return other === undefined ? [] : ownChanges(other, state);
    }),
  ];
}

function ownChanges(before: State, after: State): readonly Change[] {
  const { id } = after;
  const changes: Change[] = [];
  const add = (what: string, meaning: Meaning, because: string): void => {
    changes.push(change(id, 'changed', `${id}: ${what}`, meaning, because));
  };
  if (before.type !== after.type)
    add(`type ${before.type} → ${after.type}`, 'breaks', 'A stored state has another form.');
  else if (before.initial !== after.initial)
    add(`begins in ${after.initial}`, 'safe', 'It holds when a session enters the state.');
  for (const kind of ['entry', 'exit'] as const)
    if (JSON.stringify(before[kind]) !== JSON.stringify(after[kind]))
      add(`actions on ${kind}`, 'safe', 'They run at the next entry or exit.');
  const jobsBefore = new Set(before.invoke.map(jobOf));
  const jobsAfter = new Set(after.invoke.map(jobOf));
  for (const job of jobsAfter)
    if (!jobsBefore.has(job))
      add(`job ${job} added`, 'migration', 'A snapshot in this state has no such job.');
  for (const job of jobsBefore)
    if (!jobsAfter.has(job)) add(`job ${job} removed`, 'breaks', 'The end of a stored job leads nowhere.');
  return changes;
}

const jobOf = ({ id, src }: State['invoke'][number]): string => (id === src ? id : `${id} (${src})`);

function timerChanges(before: Description, after: Description): readonly Change[] {
  const both = after.states.filter(({ id }) => before.states.some((other) => other.id === id));
  return both.flatMap(({ id }) => {
    const old = delaysOf(before, id);
    const now = delaysOf(after, id);
    return [
      ...[...now]
        .filter((delay) => !old.has(delay))
        .map((delay) =>
          change(
            id,
            'changed',
            `${id}: timer ${delay} added`,
            'migration',
            'A snapshot in this state has no such timer.',
          ),
        ),
      ...[...old]
        .filter((delay) => !now.has(delay))
        .map((delay) =>
          change(
            id,
            'changed',
            `${id}: timer ${delay} removed`,
            'migration',
            'A stored timer fires, and nothing takes it.',
          ),
        ),
    ];
  });
}

const delaysOf = ({ transitions }: Description, id: string): ReadonlySet<string> =>
  new Set(
    transitions.filter(({ source, kind }) => source === id && kind === 'after').map(({ trigger }) => trigger),
  );

function transitionChanges(before: Description, after: Description): readonly Change[] {
  const matched: Matched = matchTransitions(before, after);
  const known = new Set(before.states.map(({ id }) => id));
  const rests = new Set(restingStates(before).map(({ id }) => id));
  const next = 'It holds from the next event on.';
  return [
    ...matched.removed.map((one) => change(one.id, 'removed', `transition ${one.id}`, 'safe', next)),
    ...matched.added.map((one) => {
      const isLate = one.kind === 'always' && known.has(one.source) && rests.has(one.source);
      return isLate
        ? change(
            one.id,
            'added',
            `transition ${one.id}`,
            'migration',
            'A snapshot rests where a new session moves on.',
          )
        : change(one.id, 'added', `transition ${one.id}`, 'safe', next);
    }),
    ...matched.pairs.flatMap((pair) =>
      pair.differences.length === 0
        ? []
        : change(
            pair.after.id,
            'changed',
            `transition ${pair.after.id}: ${pair.differences.join('; ')}`,
            'safe',
            next,
          ),
    ),
  ];
}

/** Descriptions of old versions list no fields. */
function contextChanges(before: readonly string[] = [], after: readonly string[] = []): readonly Change[] {
  if (before.length === 0 || after.length === 0) return [];
  const old = new Map(before.map(fieldOf));
  const now = new Map(after.map(fieldOf));
  const changes: Change[] = [];
  const add = (mark: Change['mark'], what: string, meaning: Meaning, because: string): void => {
    changes.push(change('', mark, `context ${what}`, meaning, because));
  };
  for (const [path, field] of now) {
    // The field around it says so already.
    if (!old.has(path) && isInsideOf(path, now) && !isInsideOf(path, old)) continue;
    const other = old.get(path);
    if (other === undefined) {
      if (field.isOptional)
        add('added', path, 'migration', 'Older instances refuse a field that they do not know.');
      else add('added', path, 'breaks', 'A stored context lacks it, and is refused.');
      continue;
    }
    const isWider =
      [...other.kinds].every((kind) => field.kinds.has(kind)) && (field.isOptional || !other.isOptional);
    const isSame = isWider && field.kinds.size === other.kinds.size && field.isOptional === other.isOptional;
    if (isSame) continue;
    if (isWider) add('changed', path, 'migration', 'Older instances refuse the new values.');
    else add('changed', path, 'breaks', 'Stored values may be refused.');
  }
  for (const path of old.keys())
    if (!now.has(path) && (!isInsideOf(path, old) || isInsideOf(path, now)))
      add('removed', path, 'breaks', 'A stored context has it, and is refused.');
  return changes;
}

/** The field around this one is in the list too. */
const isInsideOf = (path: string, fields: ReadonlyMap<string, Field>): boolean =>
  fields.has(path.replace(/(\.[^.]+|\[\])$/, '')) && /[.\]]/.test(path);

interface Field {
  readonly kinds: ReadonlySet<string>;
  readonly isOptional: boolean;
}

function fieldOf(line: string): readonly [string, Field] {
  const [path = '', kinds = ''] = line.split(': ');
  return [path.replaceAll('?', ''), { kinds: new Set(kinds.split(' | ')), isOptional: path.endsWith('?') }];
}

/** The transition that a change removed, as the picture of both versions names it. */
export const removedId = ({ id }: Transition): string => `${id} (removed)`;
