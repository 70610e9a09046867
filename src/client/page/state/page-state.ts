/**
 * PageState is what the page shows beside the turns: the connection, waiting messages, deadlines, notices. It is pure: the
 * same events give the same state.
 *
 *  PAGESTATE-1  A message waits from its sending until its turn, its cancellation or its refusal names it.
 *  PAGESTATE-2  A warning of an end that has moved since is not shown: a replay brings old warnings.
 */
import type { ClientConversation, ClientEvent, DurableFrame, ErrorFrame } from '../../package/client.ts';

export type Link =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'connected'; readonly instance: string }
  | { readonly kind: 'lost'; readonly retryAt: number; readonly attempt: number }
  | { readonly kind: 'over'; readonly why: string; readonly code: number; readonly reason: string };

export interface Waiting {
  readonly id: string;
  /** Null: another client of the session sent it, and only its turn will show its words. */
  readonly content: string | null;
}

export interface Ending {
  readonly at: number;
  readonly reason: 'idle' | 'absolute';
}

export interface PageState {
  readonly link: Link;
  readonly waiting: readonly Waiting[];
  readonly ending: Ending | null;
  readonly simulated: boolean;
  /** This user is a guest who may only read. */
  readonly isReader: boolean;
  readonly notice: string | null;
  readonly welcomes: number;
  /** The offset after which the last connection went on. */
  readonly resumedAfter: number | null;
  /** When the session ends without activity, as far as the page knows. */
  readonly deadline: number;
}

/** The moment and the client's own view of it. */
export interface Moment {
  readonly now: number;
  readonly userId: string | null;
  readonly conversation: Pick<ClientConversation, 'offset' | 'state'>;
}

export const firstState: PageState = {
  link: { kind: 'connecting' },
  waiting: [],
  ending: null,
  simulated: false,
  isReader: false,
  notice: null,
  welcomes: 0,
  resumedAfter: null,
  deadline: 0,
};

export const withWaiting = (state: PageState, message: Waiting): PageState => ({
  ...state,
  notice: null,
  waiting: [...state.waiting.filter(({ id }) => id !== message.id), message],
});

export const withNotice = (state: PageState, notice: string | null): PageState => ({ ...state, notice });

const without = (state: PageState, ids: readonly string[]): PageState => ({
  ...state,
  waiting: state.waiting.filter(({ id }) => !ids.includes(id)),
});

export function afterEvent(state: PageState, event: ClientEvent, moment: Moment): PageState {
  switch (event.type) {
    case 'dialling':
      return { ...state, link: { kind: 'connecting' } };
    case 'welcomed': {
      const { instance, simulated = false, expires_at } = event.welcome;
      return {
        ...state,
        link: { kind: 'connected', instance },
        simulated,
        deadline: expires_at,
        ending: null,
        welcomes: state.welcomes + 1,
        resumedAfter: state.welcomes === 0 ? null : moment.conversation.offset,
      };
    }
    case 'lost':
      return {
        ...state,
        link: { kind: 'lost', retryAt: moment.now + event.retryInMs, attempt: event.attempt },
      };
    case 'over': {
      const { why, code, reason } = event;
      return { ...state, ending: null, link: { kind: 'over', why, code, reason } };
    }
    case 'extended':
      return { ...state, ending: null, deadline: event.extended.expires_at };
    case 'error':
      return afterError(state, event.error);
    case 'reset':
      return event.reason === 'fresh'
        ? withNotice(state, 'The conversation had ended. This is a new one.')
        : state;
    case 'frame':
      return afterFrame(state, event.frame, moment);
    default:
      return state;
  }
}

/** The client sends the message again after these. */
const OPEN_FATE = ['store_unavailable', 'session_moved', 'session_not_found', 'overloaded'];

function afterError(state: PageState, { code, message, message_id }: ErrorFrame): PageState {
  if (code === 'duplicate_message' || OPEN_FATE.includes(code)) return state;
  // The answer has ended before the click on Stop.
  if (code === 'unknown_turn' && message_id === undefined) return state;
  return withNotice(message_id === undefined ? state : without(state, [message_id]), message);
}

function afterFrame(state: PageState, frame: DurableFrame, { now, userId }: Moment): PageState {
  switch (frame.type) {
    case 'turn.started':
      return { ...without(state, [frame.message_id, ...(frame.message_ids ?? [])]), ending: null };
    case 'turn.cancelled':
      return without(state, [frame.message_id]);
    case 'message.queued': {
      const isKnown = state.waiting.some(({ id }) => id === frame.message_id);
      return isKnown ? state : withWaiting(state, { id: frame.message_id, content: null });
    }
    case 'expiring': {
      const isOld = frame.expires_at <= now || (frame.reason === 'idle' && frame.expires_at < state.deadline);
      return isOld ? state : { ...state, ending: { at: frame.expires_at, reason: frame.reason } }; // PAGESTATE-2
    }
    case 'shared':
      return frame.user_id === userId ? { ...state, isReader: frame.access === 'read' } : state;
    case 'presence':
      return frame.user_id === userId
        ? state
        : withNotice(state, `${frame.user_id} ${frame.event === 'joined' ? 'has joined' : 'has left'}.`);
    default:
      return state;
  }
}

/** Messages to show as waiting. Without a running turn no message waits, whatever a trimmed log left out. */
export function shownWaiting(
  { waiting }: PageState,
  state: ClientConversation['state'],
  unacknowledged: readonly string[],
): readonly Waiting[] {
  return state === 'processing' ? waiting : waiting.filter(({ id }) => unacknowledged.includes(id));
}
