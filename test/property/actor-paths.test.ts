/**
 * An instance may die at any moment, and no client can tell (G7).
 *
 * xstate/graph finds the paths through the statechart. Real actors walk each path on a real store, once undisturbed
 * and once with the instance killed at every move and the session restored on another one. After each move both must
 * have stored the same state, deadlines, frames, texts and transcript.
 */

import { describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../machines/vocabulary.ts';
import type { Death } from '../support/actor/memory-host.ts';
import { beginSession, type MortalSession } from '../support/actor/mortal-session.ts';
import { TEXT_LENGTH } from '../support/actor/narrator.ts';
import { type Sight, sightOf, storedSnapshot, told } from '../support/actor/session-sight.ts';
import {
  eventOf,
  type Move,
  type Path,
  pathsOverEveryTransition,
  pathsWithoutLoops,
  TICK_MS,
} from '../support/machine/session-paths.ts';
import { inputOf, OUTPUT } from '../support/machine/stepped-session.ts';

interface Troubles {
  /** The death per move: when all its effects are done, or in the middle of its commit. Null: no death. */
  readonly death: 'at rest' | Death | null;
  /** How client events reach the actor. */
  readonly by: 'socket' | 'inbox';
}

interface Walk {
  readonly sights: readonly (Sight | null)[];
  /** The frames that all instances together delivered, besides the text. */
  readonly delivered: readonly unknown[] | null;
  readonly deaths: number;
}

/** The frames of a new session's first commit, which its creator reads in the log. */
const BEGINNING = 1;

async function walk(path: Path, troubles: Troubles): Promise<Walk> {
  const session = await beginSession(inputOf(path.limits));
  const sights: (Sight | null)[] = [];
  for (const [place, move] of path.moves.entries()) {
    await live(session, move, place, troubles);
    const sight = await sightOf(session.store, session.id);
    sights.push(sight);
    if (sight === null) break;
  }
  const log = await session.store.readLog(session.id, BEGINNING, 10_000);
  await session.store.close();
  // An instance that dies between a write and its answer delivers none of its frames; clients read the log instead.
  if (troubles.death === 'unacknowledged') return { sights, delivered: null, deaths: session.deaths };
  if (log !== null) expect(session.delivered).toEqual(log.frames);
  const delivered = told(session.delivered, BEGINNING).said;
  return { sights, delivered, deaths: session.deaths };
}

/** Makes a move with the deaths around it, and lets the running turn's text continue for a while. */
async function live(
  session: MortalSession,
  move: Move,
  place: number,
  { death, by }: Troubles,
): Promise<void> {
  if (death === null || death === 'at rest') {
    await make(session, move, place, by);
  } else {
    const died = session.dieAtNextCommit(death);
    await make(session, move, place, by);
    if (died() && (await session.bringBack())) await makeAgain(session, move, place, death, by);
  }
  // The first piece is stored immediately, the second waits.
  for (const more of [7, 5]) {
    session.narrator.tell(more);
    await session.settle();
  }
  if (death === 'at rest') {
    session.die();
    await session.bringBack();
  }
  await session.clock.advanceTo(session.clock.now() + TICK_MS, session.settle);
}

async function make(session: MortalSession, move: Move, place: number, by: Troubles['by']): Promise<void> {
  const event = eventOf(move, session.clock.now(), place);
  switch (move.type) {
    case 'completes':
      session.narrator.tell(TEXT_LENGTH);
      session.narrator.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
      return session.settle();
    case 'fails': {
      const { retryable } = move;
      session.narrator.end({ kind: 'failed', code: 'upstream_error', message: '', retryable, replica: 'r1' });
      return session.settle();
    }
    case 'due': {
      const dueAt = (await storedSnapshot(session.store, session.id))?.timers[event.type];
      if (dueAt === undefined) throw new Error(`${event.type} is not among the stored deadlines`);
      return session.clock.advanceTo(dueAt, session.settle);
    }
    default:
      if (by === 'inbox') return session.push(event as SessionEvent);
      await session.send(event as SessionEvent);
  }
}

/** Repeats the move during which the instance died: the client sends again, the deadline is still due. */
async function makeAgain(
  session: MortalSession,
  move: Move,
  place: number,
  death: Death,
  by: Troubles['by'],
): Promise<void> {
  const isSent = move.type !== 'completes' && move.type !== 'fails' && move.type !== 'due';
  if (death === 'unwritten') {
    // The inbox kept the event: the next owner has taken it by now.
    if (!(isSent && by === 'inbox')) await make(session, move, place, by);
  } else if (move.type === 'message' && by === 'socket') {
    const event = eventOf(move, session.clock.now(), place);
    expect(await session.send(event as SessionEvent)).toMatchObject({ kind: 'refused' });
  }
}

/** The tests play thousands of lives, which takes long on a busy machine. */
const PATIENCE = { timeout: 180_000 };

async function expectSameAsUndisturbed(paths: readonly Path[], troubles: Troubles): Promise<void> {
  let deaths = 0;
  for (const path of paths) {
    const calm = await calmWalk(path);
    const troubled = await walk(path, troubles);
    expect(troubled.sights, path.name).toEqual(calm.sights);
    if (troubled.delivered !== null) expect(troubled.delivered, path.name).toEqual(calm.delivered);
    deaths += troubled.deaths;
  }
  expect(deaths).toBeGreaterThan(paths.length);
}

const calmWalks = new Map<Path, Promise<Walk>>();
function calmWalk(path: Path): Promise<Walk> {
  const known = calmWalks.get(path) ?? walk(path, { death: null, by: 'socket' });
  calmWalks.set(path, known);
  return known;
}

const atRest: Troubles = { death: 'at rest', by: 'socket' };
const unwritten: Troubles = { death: 'unwritten', by: 'socket' };
const unacknowledged: Troubles = { death: 'unacknowledged', by: 'socket' };

describe('one death of an owner', PATIENCE, () => {
  const paths = pathsOverEveryTransition();
  test('a session whose owner died after any transition, from any state, looks undisturbed', () =>
    expectSameAsUndisturbed(paths, atRest));
  test('a session whose owner died before any transition was stored looks undisturbed', () =>
    expectSameAsUndisturbed(paths, unwritten));
});

describe('a chain of dying owners', PATIENCE, () => {
  const paths = pathsWithoutLoops();
  test('a session whose owners each died after a transition looks undisturbed', () =>
    expectSameAsUndisturbed(paths, atRest));
  test('a session whose owners each died before their transition was stored looks undisturbed', () =>
    expectSameAsUndisturbed(paths, unwritten));
  test('a session whose owners each died before the store acknowledged their transition looks undisturbed', () =>
    expectSameAsUndisturbed(paths, unacknowledged));
  test('a session whose owners each died before their transition was stored, with its input in the inbox, looks undisturbed', () =>
    expectSameAsUndisturbed(paths, { ...unwritten, by: 'inbox' }));
  test('a session whose owners each died while their transition took its input out of the inbox looks undisturbed', () =>
    expectSameAsUndisturbed(paths, { ...unacknowledged, by: 'inbox' }));
});
