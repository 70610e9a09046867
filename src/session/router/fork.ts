/**
 * forkSession copies the turns of a session into a new session of the same owner.
 *
 *  FORK-1  Only the owner forks: the patient's data goes with the turns.
 *  FORK-2  The new session is stored whole, in one commit, before the old one names it. It counts in its owner's quota.
 *  FORK-3  Its id follows from the request, so a repeated request gets the same session, and learns what that one has.
 *  FORK-4  What is copied is the session at one moment: a turn that ends between two reads would lose its answer.
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
import type { SessionView } from './session-view.ts';

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
  const { id, participant } = request;
  const fork = await storedFork(ports, request);
  if (fork.kind === 'refused') return fork;
  const { tenant, sessionId: from } = fork.source;
  const { sessionId, origin } = fork.copy;
  // Another client has a session under the id, which it could work out.
  if (origin?.sessionId !== from) return refused('forbidden');
  const { turnId } = origin;
  const by = { at: clock.now(), author: participant.userId, ...tenantField(tenant) };
  const event = { type: 'fork', ...by, messageId: id, sessionId, turnId } as const;
  const outcome = await sessions.send(from, event, sender);
  return outcome.kind === 'refused' ? outcome : { kind: 'forked', sessionId, turnId };
}

/** FORK-3 */
export const forkIdOf = (
  { sessionId, createdAt }: Pick<SessionContext, 'sessionId' | 'createdAt'>,
  id: string,
): string => derivedUuid('fork', sessionId, String(createdAt), id);

type Refused = Extract<Forked, { readonly kind: 'refused' }>;

type StoredFork =
  | { readonly kind: 'stored'; readonly source: SessionContext; readonly copy: SessionContext }
  | Refused;

/** FORK-2, FORK-3 */
async function storedFork(ports: ForkPorts, request: ForkRequest): Promise<StoredFork> {
  const { sessions } = ports;
  try {
    const view = await ownView(ports, request);
    if ('code' in view) return view;
    const earlier = await sessions.view(forkIdOf(view.context, request.id));
    if (earlier !== null) return { kind: 'stored', source: view.context, copy: earlier.context };
    const source = await readSource(ports, request);
    if ('code' in source) return source;
    const created = await sessions.create(copyOf(source, request.id));
    return created.kind === 'refused'
      ? created
      : { kind: 'stored', source: source.context, copy: created.context };
  } catch {
    return refused('store_unavailable');
  }
}

function copyOf({ context, transcript }: Source, id: string) {
  const { sessionId, clientId, userId, tenant, diagnosisId, patient, tags } = context;
  const questions = transcript.filter(({ role }) => role === 'user');
  return {
    sessionId: forkIdOf(context, id),
    clientId,
    userId,
    ...tenantField(tenant),
    diagnosisId,
    patient,
    ...(tags === undefined ? {} : { tags }),
    origin: { sessionId, turnId: questions.at(-1)?.turnId ?? null },
    turnCount: questions.length,
    transcript,
  };
}

/** Rejects when the store does. */
async function ownView({ sessions, clock }: ForkPorts, request: ForkRequest): Promise<SessionView | Refused> {
  const view = await sessions.view(request.sessionId);
  if (view === null) return refused('session_not_found');
  const isOwner = accessOf(view.context, request.participant, clock.now()) === 'owner';
  return isOwner ? view : refused('forbidden'); // FORK-1
}

interface Source {
  readonly context: SessionContext;
  readonly transcript: readonly TranscriptEntry[];
}

/** How often the session may change while it is read. */
const READS_MAX = 8;

/** FORK-4 */
async function readSource(ports: ForkPorts, request: ForkRequest): Promise<Source | Refused> {
  for (let read = 0; read < READS_MAX; read++) {
    const view = await ownView(ports, request);
    if ('code' in view) return view;
    const entries = await ports.store.readTranscript(request.sessionId);
    const { context, version } = view;
    if ((await ports.sessions.view(request.sessionId))?.version !== version) continue;
    const transcript = copiedOf(entries, context, request);
    return transcript === null ? refused('unknown_turn') : { context, transcript };
  }
  return refused('overloaded');
}

/** Null: there is no such turn. */
function copiedOf(
  entries: readonly TranscriptEntry[],
  { turn }: SessionContext,
  { after, before }: ForkRequest,
): readonly TranscriptEntry[] | null {
  const ended = entries.filter(({ turnId }) => turnId !== turn?.id);
  if (after !== undefined) return upTo(ended, after, true);
  // A client may go back to before the turn that runs.
  return before === undefined || before === turn?.id ? ended : upTo(ended, before, false);
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
