/**
 * The closed vocabulary of a session: what it hears (events), what it asks for (effects), what it remembers (context).
 *
 * Everything here is plain JSON: context is stored as it stands, effects leave the machine through `emit` and are
 * carried out by the session actor once the transition is stored. Every event says when it happened (`at`), because
 * the machine has no clock.
 */

export type OverlapPolicy = 'queue' | 'reject' | 'interrupt' | 'rollback' | 'merge';
export type EndReason = 'idle' | 'absolute' | 'closed' | 'admin';
export type TopState = 'connected' | 'processing' | 'idle' | 'expired';

export interface TurnOptions {
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly stop?: readonly string[];
}

export interface QueuedMessage {
  readonly turnId: string;
  /** More than one where messages were merged; the last one names the turn's message. */
  readonly messageIds: readonly string[];
  readonly content: string;
  /** Who wrote it, where that is known. */
  readonly author?: string | null;
  readonly policy: OverlapPolicy;
  readonly options: TurnOptions;
}

/** Somebody who was invited into a session that is not theirs. */
export interface Share {
  readonly id: string;
  readonly userId: string;
  readonly access: 'read' | 'write';
  readonly expiresAt: number;
}

/** Somebody who is in the session now, and through which instance. */
export interface Present {
  readonly userId: string;
  readonly instance: string;
}

export interface Turn {
  readonly id: string;
  readonly messageIds: readonly string[];
  readonly options: TurnOptions;
  /** 1 for the first try; counts failures of the upstream. */
  readonly attempt: number;
  /** How often another owner, or a retry, went on from the stored prefix. */
  readonly resumed: number;
  /** The replica that failed last, to be avoided. */
  readonly failedReplica: string | null;
  /** How often the answer started over, because its stored part could not be continued. Absent until it did. */
  readonly restarts?: number;
}

export interface SessionLimits {
  readonly idleMs: number;
  readonly absoluteMs: number;
  readonly warnMs: number;
  /** How many messages may wait while a turn runs. */
  readonly queueMax: number;
  /** How many upstream failures one turn survives, and how many deaths of its owner. */
  readonly attemptsMax: number;
  readonly resumesMax: number;
}

export interface SessionInput {
  readonly at: number;
  readonly sessionId: string;
  readonly instance: string;
  readonly clientId: string | null;
  readonly userId: string | null;
  readonly diagnosisId: string | null;
  readonly patient?: Readonly<Record<string, unknown>>;
  readonly limits: SessionLimits;
}

export interface SessionContext {
  readonly sessionId: string;
  readonly clientId: string | null;
  readonly userId: string | null;
  readonly diagnosisId: string | null;
  readonly createdAt: number;
  readonly connectedAt: number;
  readonly lastActivityAt: number;
  readonly limits: SessionLimits;
  /** Instances that hold at least one socket of this session. */
  readonly attached: readonly string[];
  readonly queue: readonly QueuedMessage[];
  readonly turn: Turn | null;
  /** The patient picture, gathered over the turns. Its host merges; the machine keeps what it is told. */
  readonly patient: Readonly<Record<string, unknown>>;
  readonly shares: readonly Share[];
  readonly present: readonly Present[];
  /** Turns begun so far. */
  readonly turnCount: number;
  /** The replica that answered last: its prefix cache is warm. */
  readonly lastReplica: string | null;
  /** `expiring` was said for the idle deadline that stands now. */
  readonly warned: boolean;
  readonly endReason: EndReason | null;
  /** Ended to be forgotten: it is not archived. */
  readonly erased: boolean;
}

export type SessionEvent =
  | {
      readonly type: 'attach';
      readonly at: number;
      readonly instance: string;
      readonly clientId?: string;
      readonly userId?: string;
      readonly diagnosisId?: string;
      /** As the client sent it; the host replaces it with the merged picture before the machine sees it. */
      readonly patient?: Readonly<Record<string, unknown>>;
      /** The client resumes and may repeat an old hello: its patient adds to the picture and changes nothing in it. */
      readonly addsOnly?: boolean;
    }
  /** With `userId` only that user left the instance; without, its last socket is gone. */
  | { readonly type: 'detach'; readonly at: number; readonly instance: string; readonly userId?: string }
  | {
      readonly type: 'message';
      readonly at: number;
      readonly messageId: string;
      readonly turnId: string;
      readonly content: string;
      readonly author?: string | null;
      /** As the client sent it; the host puts the whole picture in its place before the machine sees it. */
      readonly patient?: Readonly<Record<string, unknown>>;
      readonly policy: OverlapPolicy;
      readonly options: TurnOptions;
    }
  | { readonly type: 'share'; readonly at: number; readonly share: Share }
  | { readonly type: 'unshare'; readonly at: number; readonly shareId: string }
  /** The turns up to and with `through` were summarised in the background. */
  | { readonly type: 'summarised'; readonly at: number; readonly through: string; readonly content: string }
  | { readonly type: 'cancel'; readonly at: number; readonly turnId?: string }
  | { readonly type: 'extend'; readonly at: number }
  /** `erase`: nothing of the session may be kept anywhere. */
  | {
      readonly type: 'close';
      readonly at: number;
      readonly reason: 'closed' | 'admin';
      readonly erase?: boolean;
    }
  /** A new owner found a turn under way. */
  | { readonly type: 'recover'; readonly at: number };

export interface GenerationInput {
  readonly turnId: string;
  readonly attempt: number;
}

export interface GenerationOutput {
  readonly finishReason: string;
  readonly usage: {
    readonly prompt_tokens: number;
    readonly completion_tokens: number;
    readonly cached_tokens?: number;
  };
  readonly totalMs: number;
  readonly firstTokenMs: number | null;
  readonly model: string;
  readonly replica: string;
  readonly temperature: number;
  readonly maxTokens: number;
  readonly simulated: boolean;
  /** What of the conversation the model was sent. */
  readonly window?: Readonly<Record<string, unknown>>;
}

/** The message or messages of a turn, as its `turn.started` repeats them. */
export interface Question {
  readonly content: string;
  readonly author: string | null;
}

export interface GenerationError {
  readonly code: string;
  readonly retryable: boolean;
  readonly replica: string | null;
  /** The shortest wait before the next attempt, where a model server asked for one. */
  readonly retryAfterMs?: number;
  /** The stored part of the answer cannot be continued: the answer to this question starts over. */
  readonly startOver?: Question;
}

/** A durable frame before the log numbers it. `turn.failed` names a code; the table of errors has its words. */
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
      /** Present where the answer starts over: clients clear the text that they have of this turn. */
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
      readonly reason: 'client' | 'interrupt' | 'rollback';
    }
  | { readonly type: 'message.queued'; readonly message_id: string; readonly position: number }
  | { readonly type: 'expiring'; readonly expires_at: number; readonly reason: 'idle' | 'absolute' }
  | { readonly type: 'presence'; readonly user_id: string; readonly event: 'joined' | 'left' }
  | {
      readonly type: 'shared';
      readonly share_id: string;
      readonly user_id: string;
      readonly access: 'read' | 'write';
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

/** What the machine asks of its host. All but `refused` are stored with the transition. */
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
  /** The host knows the turn's text; the machine never carries it. */
  | { readonly type: 'answer'; readonly turnId: string; readonly at: number }
  | { readonly type: 'forget'; readonly turnId: string }
  | { readonly type: 'summary'; readonly through: string; readonly content: string; readonly at: number }
  /** Said to the sender alone: nothing changed. */
  | {
      readonly type: 'refused';
      readonly code: RefusalCode;
      readonly messageId?: string;
    };
