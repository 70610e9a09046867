/**
 * forkSession copies the turns of a session into a new session of the same owner.
 *
 *  FORK-1  Only the owner forks: the patient's data goes with the turns.
 *  FORK-2  The new session is stored whole, in one commit, before the old one names it. It counts in its owner's quota.
 *  FORK-3  Its id follows from the request, so a repeated request gets the same session.
 */
import { accessOf } from '../../../machines/access.ts';
import { tenantField } from '../../../machines/tenant.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Participant } from '../../identity/acting-user.ts';
import { derivedUuid } from '../../protocol/derived-uuid.ts';
import type { Store, TranscriptEntry } from '../../store/contract.ts';
import type { Origin as Sender } from './inbox.ts';
import type { SessionRouter } from './session-router.ts';

export interface ForkRequest {
  readonly sessionId: string;
  /** Names the request for the life of the session. */
  readonly id: string;
  /** The last turn that is copied, or the first that is not. Without either, all ended turns are. */
  readonly after?: string | undefined;
  readonly before?: string | undefined;
  readonly participant: Pick<Participant, 'userId' | 'tenant' | 'isProven'>;
}

export type Forked =
  /** `turnId`: the last turn that was copied; null: none was. */
  | { readonly kind: 'forked'; readonly sessionId: string; readonly turnId: string | null }
  | { readonly kind: 'refused'; readonly code: ErrorCode };

interface ForkPorts {
  readonly sessions: Pick<SessionRouter, 'view' | 'create' | 'send'>;
  readonly store: Pick<Store, 'readTranscript'>;
  readonly clock: Clock;
}

/** `sender` gets a refusal that another instance answers later. */
export async function forkSession(
  ports: ForkPorts,
  request: ForkRequest,
  sender: Sender | null,
): Promise<Forked> {
  const { sessions, clock } = ports;
  const source = await readSource(ports, request);
  if ('code' in source) return source;
  const { context, transcript } = source;
  const turnId = transcript.findLast(({ role }) => role === 'user')?.turnId ?? null;
  const { id, participant } = request;
  const { tenant } = context;
  const sessionId = forkIdOf(context, id);
  const created = await sessions.create({
    sessionId,
    clientId: context.clientId,
    userId: context.userId,
    ...tenantField(tenant),
    diagnosisId: context.diagnosisId,
    patient: context.patient,
    ...(context.tags === undefined ? {} : { tags: context.tags }),
    origin: { sessionId: context.sessionId, turnId },
    turnCount: transcript.filter(({ role }) => role === 'user').length,
    transcript,
  });
  if (created.kind === 'refused') return created;
  const from = { at: clock.now(), author: participant.userId, ...tenantField(tenant) };
  const event = { type: 'fork', ...from, messageId: id, sessionId, turnId } as const;
  const outcome = await sessions.send(context.sessionId, event, sender);
  return outcome.kind === 'refused' ? outcome : { kind: 'forked', sessionId, turnId };
}

/** FORK-3 */
export const forkIdOf = (
  { sessionId, createdAt }: Pick<SessionContext, 'sessionId' | 'createdAt'>,
  id: string,
): string => derivedUuid('fork', sessionId, String(createdAt), id);

type Source =
  | { readonly context: SessionContext; readonly transcript: readonly TranscriptEntry[] }
  | Extract<Forked, { readonly kind: 'refused' }>;

async function readSource({ sessions, store, clock }: ForkPorts, request: ForkRequest): Promise<Source> {
  const { sessionId, after, before, participant } = request;
  try {
    // The transcript first: a turn that starts meanwhile is then not in it.
    const all = await store.readTranscript(sessionId);
    const view = await sessions.view(sessionId);
    if (view === null) return refused('session_not_found');
    const { context } = view;
    if (accessOf(context, participant, clock.now()) !== 'owner') return refused('forbidden'); // FORK-1
    const ended = all.filter(({ turnId }) => turnId !== context.turn?.id);
    if (after === undefined && before === undefined) return { context, transcript: ended };
    const transcript = after === undefined ? upTo(ended, before ?? '', false) : upTo(ended, after, true);
    // A client may go back to before the turn that runs.
    if (transcript === null && before !== undefined && before === context.turn?.id)
      return { context, transcript: ended };
    return transcript === null ? refused('unknown_turn') : { context, transcript };
  } catch {
    return refused('store_unavailable');
  }
}

/** The entries of the turns up to one, with or without it, and the summaries of those turns; null: there is no such turn. */
function upTo(
  entries: readonly TranscriptEntry[],
  turnId: string,
  isIncluded: boolean,
): readonly TranscriptEntry[] | null {
  const ids = entries.filter(({ role }) => role === 'user').map((entry) => entry.turnId);
  const place = ids.indexOf(turnId);
  if (place < 0) return null;
  const kept = new Set(ids.slice(0, isIncluded ? place + 1 : place));
  return entries.filter((entry) => kept.has(entry.turnId));
}

const refused = (code: ErrorCode) => ({ kind: 'refused', code }) as const;
