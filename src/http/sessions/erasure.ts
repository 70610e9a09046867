/**
 * Erases one session, or one user: `DELETE /api/users/{id}`.
 *
 * The answer comes once no client can read the data and no byte is left in the files of store and archive (docs/adr/0010).
 * Anything uncertain is an error that the client may retry.
 *
 *  ERASURE-1  Before its first deletion, an erasure notes in the store that the files must be rewritten. So a repeated
 *             erasure finishes the first one, on any instance, although it finds nothing to delete.
 *  ERASURE-2  An erasure that finds nothing, and no note, rewrites no file.
 */
import { z } from 'zod';
import { isSameTenant } from '../../../machines/tenant.ts';
import { codeOf, type ErrorCode, isErrorCode } from '../../errors.ts';
import { userIdSchema } from '../../protocol/client-frames.ts';
import type { Store } from '../../store/contract.ts';
import { indexUser } from '../../store/tenant-index.ts';
import { json, Refusal } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';
import { parse, parseQuery, tenantOf } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import type { ErasureQueue } from './erasure-queue.ts';
import { becomesTrue } from './find-session.ts';

export const erasedSessionSchema = z
  .strictObject({
    session_id: z.string(),
    erased: z.literal(true),
    live: z.boolean().describe('whether it was live until now'),
    archived_lives: z.int().describe('its ended lives that were in the archive'),
  })
  .meta({ id: 'ErasedSession' });

const erasedUserSchema = z
  .strictObject({
    erased: z.literal(true),
    live_sessions: z.int(),
    archived_sessions: z.int().describe('archived sessions that held something of the user'),
  })
  .meta({ id: 'ErasedUser' });

const userQuerySchema = z.strictObject({
  rewrite: z.enum(['true', 'false']).optional(),
});

const PAGE = 100;
const TOGETHER = 16;
/** A user who keeps opening sessions during the erasure would otherwise keep it running for ever. */
const ROUNDS_MAX = 100;
/** With the default settings, longer than it takes to detect and replace a dead owner. */
const GONE_WITHIN_MS = 12_000;
/** Other instances, with other clocks, wrote the dates of sessions and lines. */
const CLOCK_SKEW_MS = 1_000;

export function eraseUserRoute(ports: HttpPorts, queue: ErasureQueue): Route {
  return {
    method: 'DELETE',
    path: '/api/users/:id',
    audit: 'erased_user',
    describe: {
      name: 'eraseUser',
      summary: 'Erases a user: all their sessions, and what they wrote in archived sessions of other users',
      params: z.object({ id: z.string() }),
      query: userQuerySchema,
      details:
        'If anything was found, the files of store and archive are rewritten. `rewrite=true` rewrites those of the store in any case.',
      answers: { 200: jsonAnswer('Nothing of the user is left.', erasedUserSchema) },
      errors: ['bad_request', 'session_moved', 'store_unavailable', 'archive_unavailable', 'overloaded'],
    },
    async answer(request) {
      const { params, query, about } = request;
      const { rewrite } = parseQuery(userQuerySchema, query);
      const userId = decoded(params.id ?? '');
      if (userId === null) throw new Refusal('bad_request', 'the user id is not valid percent-encoding');
      parse(userIdSchema, userId);
      about?.({ sessionId: null, subjectUserId: userId });
      const erase = () => eraseUser(ports, tenantOf(request), userId, rewrite === 'true');
      return json(200, await queue.run(erase).catch(refuseErasure));
    },
  };
}

export async function eraseSession(
  ports: HttpPorts,
  tenant: string,
  sessionId: string,
): Promise<z.infer<typeof erasedSessionSchema>> {
  const until = ports.clock.now() + CLOCK_SKEW_MS;
  const { store, archive } = ports;
  const isForeign = await isOfAnotherTenant(ports, tenant, sessionId);
  // A record that cannot be read is there; if the store is away, the note fails.
  const noted = !isForeign && !(await isAbsent(store, sessionId).catch(() => false));
  if (noted) await store.notePurge();
  const live = !isForeign && (await end(ports, sessionId));
  // The session began in between, or only some of its keys were left.
  if (live && !noted) await store.notePurge();
  const archivedLives = await archive.of(tenant).eraseSession(sessionId, until, () => store.notePurge());
  await store.purge();
  return { session_id: sessionId, erased: true, live, archived_lives: archivedLives };
}

async function eraseUser(
  ports: HttpPorts,
  tenant: string,
  userId: string,
  rewrite: boolean,
): Promise<z.infer<typeof erasedUserSchema>> {
  const { store, archive } = ports;
  if (rewrite) await store.notePurge();
  let ended = 0;
  for (let round = 0; ; round += 1) {
    const { sessionIds } = await store.list({ userId: indexUser(tenant, userId), limit: PAGE });
    if (sessionIds.length === 0) break;
    if (round === 0) await store.notePurge();
    if (round === ROUNDS_MAX) throw new Refusal('overloaded');
    for (let first = 0; first < sessionIds.length; first += TOGETHER) {
      const together = sessionIds.slice(first, first + TOGETHER).map((sessionId) => end(ports, sessionId));
      ended += (await Promise.all(together)).filter(Boolean).length;
    }
  }
  const until = ports.clock.now() + CLOCK_SKEW_MS;
  const archived = await archive.of(tenant).eraseUser(userId, until, () => store.notePurge());
  await store.purge();
  return { erased: true, live_sessions: ended, archived_sessions: archived.length };
}

/** Ends the session without a trace, on any instance; false if there was none. Rejects if it may still be live. */
async function end({ sessions, store, clock }: HttpPorts, sessionId: string): Promise<boolean> {
  const event = { type: 'close', at: clock.now(), reason: 'admin', erase: true } as const;
  const outcome = await sessions.send(sessionId, event, null);
  if (outcome.kind === 'refused') {
    // A store that lost some of the session's keys may still hold the others.
    if (outcome.code === 'session_not_found') return (await sessions.discard(sessionId)) === 'discarded';
    if (!CANNOT_END.has(outcome.code)) throw new Refusal(outcome.code);
    const isGone = async () => (await sessions.discard(sessionId)) !== 'held';
    if (!(await becomesTrue(clock, GONE_WITHIN_MS, isGone))) throw new Refusal(outcome.code);
    return true;
  }
  if (outcome.kind !== 'passed') return true;
  // The event waits in the session's inbox: if the owner is dead, the next one handles it.
  if (!(await becomesTrue(clock, GONE_WITHIN_MS, () => isAbsent(store, sessionId))))
    throw new Refusal('session_moved');
  return true;
}

/** The store has the session, but the key that opens it is lost, or its record is damaged. */
const UNREADABLE: ReadonlySet<string> = new Set(['STORE_SEALED', 'STORE_REPLY']);

/** False also if what is stored of the session cannot be read: then it names no tenant. */
async function isOfAnotherTenant(
  { sessions }: HttpPorts,
  tenant: string,
  sessionId: string,
): Promise<boolean> {
  const view = await sessions.view(sessionId).catch((error: unknown) => {
    // A store that failed for a moment must not make a foreign session one that cannot be read.
    if (UNREADABLE.has(codeOf(error))) return null;
    throw error;
  });
  return view !== null && !isSameTenant(view.context.tenant, tenant);
}

/** No owner can end the session: what is stored of it cannot be read, or a step of it fails. */
const CANNOT_END: ReadonlySet<ErrorCode> = new Set(['internal', 'version_unsupported', 'store_unavailable']);

async function isAbsent(store: Store, sessionId: string): Promise<boolean> {
  try {
    return (await store.read(sessionId)) === null;
  } catch (error) {
    // The session is there, but the key that opens it is lost.
    if (codeOf(error) === 'STORE_SEALED') return false;
    throw error;
  }
}

/** Turns any error that stopped an erasure into a refusal. */
export function refuseErasure(error: unknown): never {
  const code = codeOf(error);
  if (isErrorCode(code)) throw new Refusal(code);
  // The log must not get this error: its message, or a driver's, may name the user.
  const state = code.endsWith('_NOT_SCRUBBED') ? 'deleted, but bytes remain in the files' : 'not finished';
  const refusal = code.startsWith('ARCHIVE_') ? 'archive_unavailable' : 'store_unavailable';
  throw new Refusal(refusal, `${state}; send the request again`);
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}
