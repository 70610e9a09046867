/** Reads turns as values: one turn with its frames, or the whole conversation as questions and answers. */
import type { EndReason, SessionContext, Tags } from '../../../machines/vocabulary.ts';
import type { Participant } from '../../identity/acting-user.ts';
import { Refusal } from '../core/answer.ts';
import type { HttpRequest } from '../core/request.ts';
import { conversationTurns } from './conversation-turns.ts';
import {
  findTurn,
  reachableLives,
  reachableSession,
  type SessionQuery,
  sessionQuery,
  type TurnQuery,
  turnQuery,
} from './find-turn.ts';
import { OwnTurn, type TurnFrame } from './own-turn.ts';
import type { ConversationTurn } from './rebuilt-turn.ts';
import type { TurnPorts } from './turn-request.ts';

export interface TurnSnapshot {
  readonly state: 'queued' | 'running' | 'ended';
  /** In the order of the log. */
  readonly frames: readonly TurnFrame[];
  /** The log has lost at least the beginning of the turn: its text is one `delta`. */
  readonly isRebuilt: boolean;
}

/** `running`: it runs or waits. A turn whose end nothing tells has an answer. */
export type TurnState = 'running' | 'completed' | 'failed' | 'cancelled';

export function turnStateOf({ state, frames }: TurnSnapshot): TurnState {
  if (state !== 'ended') return 'running';
  const ends = frames.flatMap(({ type }) => {
    if (type === 'turn.cancelled') return ['cancelled'] as const;
    if (type === 'turn.failed') return ['failed'] as const;
    return type === 'turn.completed' ? (['completed'] as const) : [];
  });
  return ends.at(-1) ?? 'completed';
}

export interface Conversation {
  readonly sessionId: string;
  readonly isLive: boolean;
  /** Why the session ended; null: it lives. */
  readonly endReason: EndReason | null;
  readonly createdAt: number;
  /** The session and turn at which this one was forked; null: it was not, or it has ended. */
  readonly origin: NonNullable<SessionContext['origin']> | null;
  /** Neither the archive nor the model has them. */
  readonly tags: Tags;
  readonly turns: readonly ConversationTurn[];
  /** The running turn, whose answer is not complete, or null. */
  readonly runningTurnId: string | null;
  /** Turns of the messages that wait, in order. */
  readonly queuedTurnIds: readonly string[];
}

/** Null: the caller finds no such turn. */
export function readTurn(
  ports: TurnPorts,
  request: HttpRequest,
  sessionId: string,
  turnId: string,
  participant?: Participant,
): Promise<TurnSnapshot | null> {
  return ports.longReads.read(() => snapshotOf(ports, turnQuery(request, sessionId, turnId, participant)));
}

async function snapshotOf(ports: TurnPorts, query: TurnQuery): Promise<TurnSnapshot | null> {
  const found = await findTurn(ports, query);
  if (found === null) return null;
  if (found.state === 'ended' && found.isRebuilt)
    return { state: 'ended', frames: found.frames, isRebuilt: true };
  const own = new OwnTurn(query.turnId, found.messageId);
  const frames = found.frames.flatMap((frame) => own.take(frame) ?? []);
  return { state: found.state, frames, isRebuilt: false };
}

/** The conversation of the live session, else of its latest ended life; null: the caller finds neither. */
export function readTurns(
  ports: TurnPorts,
  request: HttpRequest,
  sessionId: string,
  participant?: Participant,
): Promise<Conversation | null> {
  const query = sessionQuery(request, sessionId, participant);
  return ports.longReads.read(async () => (await liveTurns(ports, query)) ?? archivedTurns(ports, query));
}

async function liveTurns(ports: TurnPorts, query: SessionQuery): Promise<Conversation | null> {
  const view = await reachableSession(ports, query);
  if (view === null) return null;
  const { sessionId } = query;
  const entries = await ports.store.readTranscript(sessionId).catch(() => {
    throw new Refusal('store_unavailable');
  });
  const { turn, queue, createdAt, origin = null, tags = {} } = view.context;
  return {
    sessionId,
    isLive: true,
    endReason: null,
    createdAt,
    origin,
    tags,
    turns: conversationTurns(entries),
    runningTurnId: turn?.id ?? null,
    queuedTurnIds: queue.map(({ turnId }) => turnId),
  };
}

async function archivedTurns(ports: TurnPorts, query: SessionQuery): Promise<Conversation | null> {
  const [latest] = await reachableLives(ports, query);
  if (latest === undefined) return null;
  const { sessionId, createdAt, endReason, lines } = latest;
  const turns = conversationTurns(lines);
  return {
    sessionId,
    isLive: false,
    endReason,
    createdAt,
    origin: null,
    tags: {},
    turns,
    runningTurnId: null,
    queuedTurnIds: [],
  };
}
