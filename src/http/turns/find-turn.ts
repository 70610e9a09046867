/**
 * findTurn finds one turn wherever it is: in the queue, running on any instance, in the log, in the transcript, or in the
 * archive of an ended session.
 *
 *  FINDTURN-1  To a caller, a turn of a session that it may not reach is absent.
 *  FINDTURN-2  The session is read before its log. A turn that was not under way then has its end in the log, unless the
 *              log was trimmed.
 */
import { accessOf } from '../../../machines/access.ts';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { ArchivedSession } from '../../archive/archive.ts';
import type { Participant } from '../../identity/acting-user.ts';
import type { SessionView } from '../../session/router/session-view.ts';
import { refuseArchive } from '../archive/refuse-archive.ts';
import { Refusal } from '../core/answer.ts';
import { type HttpRequest, participantIn } from '../core/request.ts';
import { conversationTurns } from './conversation-turns.ts';
import { isTurnFrame, OwnTurn, type TurnFrame } from './own-turn.ts';
import { rebuildTurn } from './rebuilt-turn.ts';
import { readTurnLog } from './turn-log.ts';
import type { TurnPorts } from './turn-request.ts';

/** The turn that is looked for, and the caller that looks for it. */
export interface TurnQuery {
  readonly sessionId: string;
  readonly turnId: string;
  /** Finds the turn that took the message together with others. Absent: looks for the turn's id only. */
  readonly messageId?: string;
  readonly participant: Participant;
  readonly reach: HttpRequest['reach'];
}

export type FoundTurn =
  /** `after` and `epoch`: place in the log up to which `frames` has everything. */
  | {
      readonly state: 'queued' | 'running';
      /** Differs from the query's if another message took the message in. */
      readonly turnId: string;
      readonly messageId: string | null;
      readonly frames: readonly TurnFrame[];
      readonly after: number;
      readonly epoch: number | null;
    }
  /** `isRebuilt`: the log has lost at least the beginning; the text is one `delta`. */
  | {
      readonly state: 'ended';
      readonly messageId: string | null;
      readonly frames: readonly TurnFrame[];
      readonly isRebuilt: boolean;
    };

export function turnQuery(
  request: HttpRequest,
  sessionId: string,
  turnId: string,
  participant = participantIn(request),
): TurnQuery {
  return { ...sessionQuery(request, sessionId, participant), turnId };
}

export type SessionQuery = Pick<TurnQuery, 'sessionId' | 'participant' | 'reach'>;

export function sessionQuery(
  request: HttpRequest,
  sessionId: string,
  participant = participantIn(request),
): SessionQuery {
  return { sessionId, participant, reach: request.reach };
}

/** The live session; null if there is none that the caller may reach. */
export async function reachableSession(
  { sessions, clock }: TurnPorts,
  { sessionId, participant, reach }: SessionQuery,
): Promise<SessionView | null> {
  const view = await sessions.view(sessionId).catch(() => undefined);
  if (view === undefined) throw new Refusal('store_unavailable');
  if (view === null) return null;
  const mayReach =
    reach === 'own'
      ? accessOf(view.context, participant, clock.now()) !== 'none'
      : participant.tenant === (view.context.tenant ?? '');
  return mayReach ? view : null;
}

/** The ended lives of a session that the caller may read, newest first. Shares end with their session. */
export async function reachableLives(
  { archive }: TurnPorts,
  { sessionId, participant, reach }: SessionQuery,
): Promise<readonly ArchivedSession[]> {
  const lives = await archive.of(participant.tenant).read(sessionId).catch(refuseArchive);
  return reach === 'all' ? lives : lives.filter(({ userId }) => userId === participant.userId);
}

/** Null: the caller finds no such turn. Throws a Refusal if store or archive do not answer. */
export async function findTurn(ports: TurnPorts, query: TurnQuery): Promise<FoundTurn | null> {
  const view = await reachableSession(ports, query);
  const found = view === null ? null : await findInSession(ports, query, view.context);
  return found ?? findInArchive(ports, query);
}

async function findInSession(
  { store }: TurnPorts,
  query: TurnQuery,
  context: SessionContext,
): Promise<FoundTurn | null> {
  const { sessionId, turnId } = query;
  const underWay = findUnderWay(context, query);
  const messageId = query.messageId ?? underWay?.messageId ?? null;
  const refuse = () => {
    throw new Refusal('store_unavailable');
  };
  const logged = await readTurnLog(store, sessionId, turnId, messageId).catch(refuse);
  if (logged === null || logged.isRetracted) return null;
  const { frames, head, epoch } = logged;
  const known = messageId ?? messageIdIn(frames);
  const end = frames.findLast((frame) => isEnd(frame)) ?? null;
  const isWhole = end !== null && isWholeTurn(turnId, known, frames);
  if (isWhole) return { state: 'ended', messageId: known, frames, isRebuilt: false };
  if (end === null && underWay !== null) return { ...underWay, messageId: known, frames, after: head, epoch };
  const entries = await store.readTranscript(sessionId).catch(refuse);
  const turn = conversationTurns(entries).find((one) => one.turnId === (end?.turn_id ?? turnId));
  if (turn === undefined) return null;
  return {
    state: 'ended',
    messageId: known,
    frames: rebuildTurn(turn, known ?? turnId, end, null),
    isRebuilt: true,
  };
}

async function findInArchive(ports: TurnPorts, query: TurnQuery): Promise<FoundTurn | null> {
  for (const { lines, turns } of await reachableLives(ports, query)) {
    const turn = conversationTurns(lines).find(({ turnId }) => turnId === query.turnId);
    if (turn === undefined) continue;
    const archived = turns.find(({ turnId }) => turnId === query.turnId) ?? null;
    const messageId = query.messageId ?? null;
    const frames = rebuildTurn(turn, messageId ?? query.turnId, null, archived);
    return { state: 'ended', messageId, frames, isRebuilt: true };
  }
  return null;
}

/** The running or waiting turn of the query. */
export function findUnderWay(
  { turn, queue }: SessionContext,
  { turnId, messageId = null }: { readonly turnId: string; readonly messageId?: string | null },
): Pick<Extract<FoundTurn, { state: 'running' | 'queued' }>, 'state' | 'turnId' | 'messageId'> | null {
  const isNamed = (id: string, messageIds: readonly string[]) =>
    id === turnId || (messageId !== null && messageIds.includes(messageId));
  if (turn !== null && isNamed(turn.id, turn.messageIds))
    return { state: 'running', turnId: turn.id, messageId: turn.messageIds.at(-1) ?? null };
  const queued = queue.find((one) => isNamed(one.turnId, one.messageIds));
  if (queued === undefined) return null;
  return { state: 'queued', turnId: queued.turnId, messageId: queued.messageIds.at(-1) ?? null };
}

type EndFrame = Extract<TurnFrame, { type: 'turn.completed' | 'turn.failed' | 'turn.cancelled' }>;

const isEnd = (frame: TurnFrame): frame is EndFrame =>
  frame.type === 'turn.completed' || frame.type === 'turn.failed' || frame.type === 'turn.cancelled';

/** A log that was trimmed within the turn has its end without its beginning. */
function isWholeTurn(turnId: string, messageId: string | null, frames: readonly TurnFrame[]): boolean {
  const own = new OwnTurn(turnId, messageId);
  return frames.some((frame) => {
    const taken = own.take(frame);
    return taken !== null && isTurnFrame(taken) && isEnd(taken);
  });
}

function messageIdIn(frames: readonly TurnFrame[]): string | null {
  const named = frames.find((frame) => 'message_id' in frame);
  return named !== undefined && 'message_id' in named ? named.message_id : null;
}
