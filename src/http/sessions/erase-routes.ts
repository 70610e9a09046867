/**
 * Erasure: of one session, of one user. It is answered once nobody can read a word of it any more and no byte is left
 * in the files of store and archive (docs/adr/0010). What is not certain is answered as an error that may be retried,
 * and a repeated erasure finishes what the first one left, whether or not it finds anything to delete.
 */
import { z } from 'zod';
import type { Archive } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import { CodedError, codeOf, type ErrorCode, isErrorCode } from '../../errors.ts';
import type { SessionRouter } from '../../session/router/session-router.ts';
import type { Store } from '../../store/contract.ts';
import { jsonAnswer } from '../core/description.ts';
import { parseQuery } from '../core/parse.ts';
import { type HttpAnswer, json, problem, type Route } from '../core/router.ts';
import { sessionIdIn } from './find-session.ts';

export interface ErasePorts {
  readonly sessions: SessionRouter;
  readonly store: Store;
  readonly archive: Archive;
  readonly clock: Clock;
}

const eraseQuerySchema = z.object({
  erase: z.enum(['true', 'false']).default('false').describe('true: nothing of it is kept anywhere'),
});
const erasedSessionSchema = z
  .strictObject({
    session_id: z.string(),
    erased: z.literal(true),
    live: z.boolean().describe('it lived until now'),
    archived_lives: z.int().describe('ended lives of it that were in the archive'),
  })
  .meta({ id: 'ErasedSession' });
const erasedUserSchema = z
  .strictObject({
    erased: z.literal(true),
    live_sessions: z.int(),
    archived_sessions: z.int().describe('ids in the archive'),
  })
  .meta({ id: 'ErasedUser' });

const PAGE = 100;
const TOGETHER = 16;
/** Somebody who goes on making sessions while being erased is told so instead of being followed for ever. */
const ROUNDS_MAX = 100;
/** Longer than a dead owner's lease and its finding, by the defaults. */
const GONE_WITHIN_MS = 12_000;
const LOOK_EVERY_MS = 25;
/** When a session began and when a line was said are dates of other instances' clocks. */
const CLOCKS_APART_MS = 1_000;

/** The routes of sessions, of which DELETE learns `?erase=true`. */
export function withErasure(ports: ErasePorts, routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    if (route.method !== 'DELETE' || route.path !== '/api/session/:id') return route;
    const { describe } = route;
    return {
      ...route,
      ...(describe === undefined
        ? {}
        : {
            describe: {
              ...describe,
              query: eraseQuerySchema,
              details: `${describe.details ?? ''} ${DETAILS}`,
            },
          }),
      answer(request) {
        const { params, query, requestId, about } = request;
        const parsed = parseQuery(eraseQuerySchema, query);
        if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
        if (parsed.value.erase === 'false') return route.answer(request);
        about?.({ action: 'erased_session' });
        return erasure(requestId, () => eraseSession(ports, sessionIdIn(params)));
      },
    };
  });
}

const DETAILS =
  'With `erase=true` it is not archived, its ended lives leave the archive, and the files of both are rewritten: then' +
  ' the answer is 200 with `erased`, also where nothing was found.';

export function eraseUserRoute(ports: ErasePorts): Route {
  return {
    method: 'DELETE',
    path: '/api/users/:id',
    audit: 'erased_user',
    describe: {
      name: 'eraseUser',
      summary: 'Erases a user: every session of theirs, and what they wrote into archived sessions of others',
      answers: { 200: jsonAnswer('Nothing of the user is left.', erasedUserSchema) },
      errors: ['bad_request', 'session_moved', 'store_unavailable', 'archive_unavailable', 'overloaded'],
    },
    answer({ params, requestId, about }) {
      const userId = decoded(params.id ?? '');
      if (userId === null) return problem('bad_request', requestId, 'the user id cannot be read');
      about?.({ sessionId: null, subjectUserId: userId });
      return erasure(requestId, () => eraseUser(ports, userId));
    },
  };
}

async function eraseSession(
  ports: ErasePorts,
  sessionId: string,
): Promise<z.infer<typeof erasedSessionSchema>> {
  const until = ports.clock.now() + CLOCKS_APART_MS;
  const live = await end(ports, sessionId);
  const erasing = ports.archive.eraseSession(sessionId, until);
  const [archivedLives] = await Promise.all([erasing, ports.store.purge()]);
  return { session_id: sessionId, erased: true, live, archived_lives: archivedLives };
}

async function eraseUser(ports: ErasePorts, userId: string): Promise<z.infer<typeof erasedUserSchema>> {
  let ended = 0;
  for (let round = 0; ; round += 1) {
    const { sessionIds } = await ports.store.list({ userId, limit: PAGE });
    if (sessionIds.length === 0) break;
    if (round === ROUNDS_MAX) throw refusal('overloaded');
    for (let first = 0; first < sessionIds.length; first += TOGETHER) {
      const together = sessionIds.slice(first, first + TOGETHER).map((sessionId) => end(ports, sessionId));
      ended += (await Promise.all(together)).filter(Boolean).length;
    }
  }
  const erasing = ports.archive.eraseUser(userId, ports.clock.now() + CLOCKS_APART_MS);
  const [archived] = await Promise.all([erasing, ports.store.purge()]);
  return { erased: true, live_sessions: ended, archived_sessions: archived.length };
}

/** Ends the session without a trace, wherever it lives; false where there was none. Rejects where it may still live. */
async function end({ sessions, store, clock }: ErasePorts, sessionId: string): Promise<boolean> {
  const event = { type: 'close', at: clock.now(), reason: 'admin', erase: true } as const;
  const outcome = await sessions.send(sessionId, event, null);
  if (outcome.kind === 'refused') {
    // Parts of it may be left, where the store has lost the rest.
    if (outcome.code === 'session_not_found') return (await sessions.discard(sessionId)) === 'discarded';
    if (!CANNOT_END.has(outcome.code)) throw refusal(outcome.code);
    const isGone = async () => (await sessions.discard(sessionId)) !== 'held';
    if (!(await becomesTrue(clock, isGone))) throw refusal(outcome.code);
    return true;
  }
  if (outcome.kind !== 'passed') return true;
  // Its owner was told. If that one is dead, the session is taken over first and the word is in its inbox.
  if (!(await becomesTrue(clock, () => isAbsent(store, sessionId)))) throw refusal('session_moved');
  return true;
}

/** What is stored of the session cannot be read, or a step of it fails: no owner can end it. */
const CANNOT_END: ReadonlySet<ErrorCode> = new Set(['internal', 'version_unsupported', 'store_unavailable']);

async function becomesTrue(clock: Clock, condition: () => Promise<boolean>): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  while (!(await condition())) {
    if (clock.monotonicMs() - startedMs > GONE_WITHIN_MS) return false;
    await new Promise<void>((resume) => clock.after(LOOK_EVERY_MS, resume));
  }
  return true;
}

async function isAbsent(store: Store, sessionId: string): Promise<boolean> {
  try {
    return (await store.read(sessionId)) === null;
  } catch (error) {
    // It is there, and its key is lost.
    if (codeOf(error) === 'STORE_SEALED') return false;
    throw error;
  }
}

async function erasure(requestId: string, erase: () => Promise<unknown>): Promise<HttpAnswer> {
  try {
    return json(200, await erase());
  } catch (error) {
    const code = codeOf(error);
    if (isErrorCode(code)) return problem(code, requestId);
    // Not handed to the log: its words, or those of a driver below it, may name whom they are about.
    const words = code.endsWith('_NOT_SCRUBBED') ? 'deleted, but bytes remain in the files' : 'not finished';
    const whose = code.startsWith('ARCHIVE_') ? 'archive_unavailable' : 'store_unavailable';
    return problem(whose, requestId, `${words}; ask again`);
  }
}

function refusal(code: ErrorCode): Error {
  return new CodedError(code, code);
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
