/**
 * The promise behind all others (G7): an instance may die at any moment, and nobody can tell.
 *
 * xstate/graph finds the paths through the statechart. Each is walked by real actors on a real store, undisturbed and
 * with the instance killed at every move and the session brought back on another one. After each move both must have
 * stored the same state, deadlines, frames, texts and transcript.
 */
import { describe, expect, test } from 'vitest';
import type { SessionEvent } from '../../machines/vocabulary.ts';
import type { Death } from '../support/memory-host.ts';
import { beginSession, type MortalSession } from '../support/mortal-session.ts';
import { TEXT_LENGTH } from '../support/narrator.ts';
import {
  eventOf,
  inputOf,
  type Move,
  OUTPUT,
  type Path,
  pathsOverEveryTransition,
  pathsWithoutLoops,
  TICK_MS,
} from '../support/session-paths.ts';
import { type Sight, sightOf, storedEnvelope, told } from '../support/session-sight.ts';

interface Troubles {
  /** Once per move: when all it asked for is done, or in the middle of its commit. Null: nobody dies. */
  readonly death: 'at rest' | Death | null;
  /** How what clients send comes to the actor. */
  readonly by: 'socket' | 'inbox';
}

interface Walk {
  readonly sights: readonly (Sight | null)[];
  /** What the instances delivered in all lives together, besides the text. */
  readonly delivered: readonly unknown[] | null;
  readonly deaths: number;
}

/** The frames of a new session's first commit: whoever made it reads them in the log. */
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
  // Who dies between a write and its answer delivers nothing of it; clients read the log instead.
  if (troubles.death === 'unacknowledged') return { sights, delivered: null, deaths: session.deaths };
  if (log !== null) expect(session.delivered).toEqual(log.frames);
  const delivered = told(session.delivered, BEGINNING).said;
  return { sights, delivered, deaths: session.deaths };
}

/** A move, the deaths around it, and a while in which the running turn's text goes on. */
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
  // The first piece is stored at once, the second waits.
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
      const dueAt = (await storedEnvelope(session.store, session.id))?.timers[event.type];
      if (dueAt === undefined) throw new Error(`${event.type} is not among the stored deadlines`);
      return session.clock.advanceTo(dueAt, session.settle);
    }
    default:
      if (by === 'inbox') return session.push(event as SessionEvent);
      await session.send(event as SessionEvent);
  }
}

/** What was under way when the instance died comes again: the client sends again, the deadline is still due. */
async function makeAgain(
  session: MortalSession,
  move: Move,
  place: number,
  death: Death,
  by: Troubles['by'],
): Promise<void> {
  const isSent = move.type !== 'completes' && move.type !== 'fails' && move.type !== 'due';
  if (death === 'unwritten') {
    // The inbox kept it: the next owner has taken it by now.
    if (!(isSent && by === 'inbox')) await make(session, move, place, by);
  } else if (move.type === 'message' && by === 'socket') {
    const event = eventOf(move, session.clock.now(), place);
    expect(await session.send(event as SessionEvent)).toMatchObject({ kind: 'refused' });
  }
}

/** Thousands of lives: more than a test usually is, on a busy machine above all. */
const PATIENCE = { timeout: 180_000 };

async function expectNobodyCanTell(paths: readonly Path[], troubles: Troubles): Promise<void> {
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

describe('nobody can tell that the owner of a session died', PATIENCE, () => {
  const paths = pathsOverEveryTransition();
  test('after any transition, from any state', () => expectNobodyCanTell(paths, atRest));
  test('before any transition was stored', () => expectNobodyCanTell(paths, unwritten));
});

describe('nobody can tell that all owners of a session died, one after the other', PATIENCE, () => {
  const paths = pathsWithoutLoops();
  test('each after a transition', () => expectNobodyCanTell(paths, atRest));
  test('each before its transition was stored', () => expectNobodyCanTell(paths, unwritten));
  test('each before it knew that its transition was stored', () =>
    expectNobodyCanTell(paths, unacknowledged));
  test('each with an unwritten transition, and input that waits in the inbox', () =>
    expectNobodyCanTell(paths, { ...unwritten, by: 'inbox' }));
  test('each with a transition that took its input out of the inbox', () =>
    expectNobodyCanTell(paths, { ...unacknowledged, by: 'inbox' }));
});
