/** The effects of a transition, which the machine emits and its host carries out: frames, records, answers to the sender. */
import type { CancelReason, EndReason, GenerationOutput, Share, Tags, TopState } from './vocabulary.ts';

/** A durable frame before the log numbers it. `turn.failed` names a code; the error table has its text. */
export type FrameBody =
  | { readonly type: 'state'; readonly value: TopState }
  | {
      readonly type: 'turn.started';
      readonly turn_id: string;
      readonly message_id: string;
      readonly queued: number;
      readonly content: string;
      readonly author?: string;
      readonly message_ids?: readonly string[];
      readonly tags?: Tags;
      /** Present if the answer starts over: clients clear the text that they have of this turn. */
      readonly restarts?: number;
    }
  | {
      readonly type: 'turn.completed';
      readonly turn_id: string;
      readonly message_id: string;
      readonly finish_reason: string;
      readonly usage: GenerationOutput['usage'];
      readonly metadata: {
        readonly inference_time_ms: number;
        readonly time_to_first_token_ms: number | null;
        readonly model: string;
        readonly temperature: number;
        readonly max_tokens: number;
        readonly conversation_count: number;
        readonly replica: string;
        readonly resumed: number;
        readonly simulated: boolean;
        readonly completed_at: number;
        readonly window?: Readonly<Record<string, unknown>>;
      };
    }
  | {
      readonly type: 'turn.failed';
      readonly turn_id: string;
      readonly message_id: string;
      readonly code: string;
    }
  | {
      readonly type: 'turn.cancelled';
      readonly turn_id: string;
      readonly message_id: string;
      readonly reason: CancelReason;
    }
  /** The turn is no longer part of the conversation. */
  | { readonly type: 'turn.retracted'; readonly turn_id: string }
  | {
      readonly type: 'forked';
      readonly message_id: string;
      readonly session_id: string;
      readonly after?: string;
    }
  | { readonly type: 'message.queued'; readonly message_id: string; readonly position: number }
  | { readonly type: 'expiring'; readonly expires_at: number; readonly reason: 'idle' | 'absolute' }
  | { readonly type: 'presence'; readonly user_id: string; readonly event: 'joined' | 'left' }
  | {
      readonly type: 'shared';
      readonly share_id: string;
      readonly user_id: string;
      readonly access: Share['access'];
      readonly expires_at: number;
    }
  | { readonly type: 'unshared'; readonly share_id: string; readonly user_id: string }
  | { readonly type: 'expired'; readonly reason: EndReason };

export type RefusalCode =
  | 'session_busy'
  | 'queue_full'
  | 'unknown_turn'
  | 'forbidden'
  | 'duplicate_message'
  | 'too_many_shares';

/** When the session ends if no input comes, in ms since the epoch. */
export interface SessionEnds {
  /** The earlier of the idle and the absolute deadline. */
  readonly expiresAt: number;
  readonly absoluteExpiresAt: number;
}

/** Effects that the host carries out for the machine. All but `refused` and `extended` are stored with the transition. */
export type SessionEffect =
  | { readonly type: 'frame'; readonly frame: FrameBody }
  | { readonly type: 'taken'; readonly messageId: string }
  | {
      readonly type: 'question';
      readonly turnId: string;
      readonly content: string;
      readonly author: string | null;
      readonly at: number;
    }
  /** The host has the turn's text; the machine never carries it. */
  | { readonly type: 'answer'; readonly turnId: string; readonly at: number }
  | { readonly type: 'forget'; readonly turnId: string }
  | { readonly type: 'summary'; readonly through: string; readonly content: string; readonly at: number }
  /** For the sender alone, once the transition is stored. */
  | ({ readonly type: 'extended' } & SessionEnds)
  /** For the sender alone: the session did not change. */
  | {
      readonly type: 'refused';
      readonly code: RefusalCode;
      readonly messageId?: string;
    };
