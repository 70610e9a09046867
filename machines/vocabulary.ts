/**
 * The closed vocabulary of a session: its context and the events that it accepts. effects.ts has the effects that it emits.
 *
 * All of it is plain JSON. The store keeps the context, and an inbox keeps events: the schemas here validate both when
 * they are read back. Effects leave the machine through `emit`; the session actor carries them out once
 * the transition is stored. Every event carries its time (`at`), because the machine has no clock.
 */
import { z } from 'zod';

/** How a session handles a message that arrives while a turn runs. */
export const overlapPolicySchema = z.enum(['queue', 'reject', 'interrupt', 'rollback', 'merge']);
export const endReasonSchema = z.enum(['idle', 'absolute', 'closed', 'admin']);
export const topStateSchema = z.enum(['connected', 'processing', 'idle', 'expired']);
export const cancelReasonSchema = z.enum(['client', 'interrupt', 'rollback']);
const accessSchema = z.enum(['read', 'write']);

const text = z.string();
const textOrNull = z.string().nullable();
const timeMs = z.number();
/** The patient's data. The host merges new data into it; the machine stores the result as it comes. */
const patientSchema = z.record(z.string(), z.unknown());

/** Drops unknown keys: an instance of a later version may have stored more options. */
const turnOptionsSchema = z.object({
  maxTokens: z.number().exactOptional(),
  temperature: z.number().exactOptional(),
  stop: z.array(text).exactOptional(),
});

const TAGS_MAX = 16;
/** Short notes that a client attaches to a session or a message. Neither the machine nor the model reads them. */
export const tagsSchema = z
  .record(z.string().min(1).max(64), z.string().max(512))
  .refine((tags) => Object.keys(tags).length <= TAGS_MAX, { error: `more than ${TAGS_MAX} tags` });

/** What a turn has besides its question. */
const turnExtras = {
  /** Added to the system prompt of this turn alone. */
  instructions: text.exactOptional(),
  tags: tagsSchema.exactOptional(),
};

const queuedMessageSchema = z.strictObject({
  turnId: text,
  /** More than one where messages were merged; the last one names the turn's message. */
  messageIds: z.array(text),
  content: text,
  /** User that wrote the message, where that is known. */
  author: textOrNull.exactOptional(),
  policy: overlapPolicySchema,
  options: turnOptionsSchema,
  ...turnExtras,
});

/** Turns that a client takes back, from one turn to the last, and the question of the first. */
const retractionSchema = z.strictObject({
  turnIds: z.array(text),
  content: text,
  /** User that wrote the question; null: unknown. */
  author: textOrNull,
  /** Every question was written by `author`. */
  isOneAuthor: z.boolean(),
});

/** The session and turn at which a session was forked. */
const originSchema = z.strictObject({
  sessionId: text,
  /** The last turn that was copied; null: none was. */
  turnId: textOrNull,
});

/**
 * The client that sent an event. Without `author` an instance or an administrator acts, with full access. The tenant is
 * beside it because an id may be used again: the event of a client of the ended session must not reach the next one.
 */
const sender = {
  /** The user that the client acts for; null: it names none. */
  author: textOrNull.exactOptional(),
  /** Absent: the default tenant. */
  tenant: text.exactOptional(),
};

/** A user's access to a session of another owner. */
const shareSchema = z.strictObject({
  id: text,
  userId: text,
  access: accessSchema,
  expiresAt: timeMs,
});

/** A user with a socket of the session, and the instance that holds it. */
const presentSchema = z.strictObject({ userId: text, instance: text });

const turnSchema = z.strictObject({
  id: text,
  messageIds: z.array(text),
  options: turnOptionsSchema,
  /** 1 for the first try; each failure of a model server adds one. */
  attempt: z.number(),
  /** How often a new owner or a retry continued from the stored text. */
  resumed: z.number(),
  /** The replica that failed last; the next attempt avoids it. */
  failedReplica: textOrNull,
  /** How often the answer started over, because its stored text could not be continued. Absent before the first time. */
  restarts: z.number().exactOptional(),
  ...turnExtras,
});

const limitsSchema = z.strictObject({
  idleMs: z.number(),
  absoluteMs: z.number(),
  warnMs: z.number(),
  /** Messages that may wait while a turn runs. */
  queueMax: z.number(),
  /** Attempts of one turn: the first, and one after each failure of a model server. */
  attemptsMax: z.number(),
  /** A turn that was resumed this often fails when its owner dies. */
  resumesMax: z.number(),
});

export const contextSchema = z.strictObject({
  sessionId: text,
  clientId: textOrNull,
  userId: textOrNull,
  /** Absent: the default tenant. */
  tenant: text.exactOptional(),
  diagnosisId: textOrNull,
  createdAt: timeMs,
  connectedAt: timeMs,
  lastActivityAt: timeMs,
  limits: limitsSchema,
  /** Instances that hold a socket of the session. */
  attached: z.array(text),
  queue: z.array(queuedMessageSchema),
  turn: turnSchema.nullable(),
  patient: patientSchema,
  shares: z.array(shareSchema),
  present: z.array(presentSchema),
  /** Turns begun so far. */
  turnCount: z.number(),
  /** The replica that answered last: its prefix cache is warm. */
  lastReplica: textOrNull,
  /** Absent: the session was not forked. */
  origin: originSchema.exactOptional(),
  tags: tagsSchema.exactOptional(),
  /** `expiring` was emitted for the current idle deadline. */
  warned: z.boolean(),
  endReason: endReasonSchema.nullable(),
  /** Ended without an archive, to leave no trace. */
  erased: z.boolean(),
});

/** Events that clients and instances send to a session. Another instance may pass them on through the inbox. */
export const sentEventSchema = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('attach'),
    at: timeMs,
    instance: text,
    clientId: text.exactOptional(),
    userId: text.exactOptional(),
    /** Absent: the default tenant. */
    tenant: text.exactOptional(),
    /** A credential proves `userId`: the client acts for that user and for no other. */
    isProven: z.boolean().exactOptional(),
    /** The instance attaches again after others took it for dead. The session admitted its clients before. */
    isReturn: z.boolean().exactOptional(),
    diagnosisId: text.exactOptional(),
    /** Replace those of the session. */
    tags: tagsSchema.exactOptional(),
    /** As the client sent it; the host replaces it with the merged picture before the machine sees it. */
    patient: patientSchema.exactOptional(),
    /** A resuming client may repeat an old hello: its patient data adds to the picture and changes nothing in it. */
    addsOnly: z.boolean().exactOptional(),
  }),
  /** With `userId`, that user's last socket on the instance closed; without, the instance's last socket did. */
  z.strictObject({ type: z.literal('detach'), at: timeMs, instance: text, userId: text.exactOptional() }),
  z.strictObject({
    type: z.literal('message'),
    at: timeMs,
    messageId: text,
    turnId: text,
    content: text,
    ...sender,
    /** As the client sent it; the host replaces it with the merged picture before the machine sees it. */
    patient: patientSchema.exactOptional(),
    policy: overlapPolicySchema,
    options: turnOptionsSchema,
    ...turnExtras,
  }),
  /** Takes back a turn and all after it, and answers its question again. */
  z.strictObject({
    type: z.literal('regenerate'),
    at: timeMs,
    messageId: text,
    /** Of the new answer. */
    turnId: text,
    ...sender,
    /** The first turn to take back. Absent: the last one. */
    from: text.exactOptional(),
    /** A new question in place of the old one. */
    content: text.exactOptional(),
    options: turnOptionsSchema,
    ...turnExtras,
    /** The host reads it from the transcript. Absent: the transcript has no such turn. */
    retraction: retractionSchema.exactOptional(),
    /** The transcript has the new turn: the client repeats its request. */
    isRepeat: z.boolean().exactOptional(),
  }),
  /** The host has copied the turns up to `turnId` into a new session. */
  z.strictObject({
    type: z.literal('fork'),
    at: timeMs,
    ...sender,
    messageId: text,
    sessionId: text,
    turnId: textOrNull,
  }),
  z.strictObject({ type: z.literal('share'), at: timeMs, ...sender, share: shareSchema }),
  z.strictObject({ type: z.literal('unshare'), at: timeMs, ...sender, shareId: text }),
  /** The turn that runs, or the waiting one that turn or message id names. */
  z.strictObject({
    type: z.literal('cancel'),
    at: timeMs,
    ...sender,
    turnId: text.exactOptional(),
    messageId: text.exactOptional(),
  }),
  z.strictObject({ type: z.literal('extend'), at: timeMs, ...sender }),
  z.strictObject({
    type: z.literal('close'),
    at: timeMs,
    ...sender,
    reason: z.enum(['closed', 'admin']),
    /** Keep nothing of the session anywhere. */
    erase: z.boolean().exactOptional(),
  }),
]);

/** The schemas' types, deeply read-only. */
type Stored<T> = T extends readonly (infer Item)[]
  ? readonly Stored<Item>[]
  : T extends object
    ? { readonly [Key in keyof T]: Stored<T[Key]> }
    : T;

export type OverlapPolicy = z.infer<typeof overlapPolicySchema>;
export type EndReason = z.infer<typeof endReasonSchema>;
export type TopState = z.infer<typeof topStateSchema>;
export type CancelReason = z.infer<typeof cancelReasonSchema>;
export type QueuedMessage = Stored<z.infer<typeof queuedMessageSchema>>;
export type Share = Stored<z.infer<typeof shareSchema>>;
export type Present = Stored<z.infer<typeof presentSchema>>;
export type Tags = Stored<z.infer<typeof tagsSchema>>;
export type Retraction = Stored<z.infer<typeof retractionSchema>>;
export type Turn = Stored<z.infer<typeof turnSchema>>;
export type SessionLimits = Stored<z.infer<typeof limitsSchema>>;
export type SessionContext = Stored<z.infer<typeof contextSchema>>;

export type SessionEvent =
  | Stored<z.infer<typeof sentEventSchema>>
  /** The turns up to and including `through` were summarised in the background. */
  | { readonly type: 'summarised'; readonly at: number; readonly through: string; readonly content: string }
  /** A new owner found a turn under way. */
  | { readonly type: 'recover'; readonly at: number };

/** A client's own data when it attaches. `patient` is the result of `patientFromChat`. */
export type AttachRequest = Omit<
  Extract<SessionEvent, { readonly type: 'attach' }>,
  'type' | 'at' | 'instance' | 'isReturn'
>;

export type SessionInput = Pick<
  SessionContext,
  'sessionId' | 'clientId' | 'userId' | 'diagnosisId' | 'limits'
> &
  Partial<Pick<SessionContext, 'patient' | 'tenant' | 'origin' | 'tags' | 'turnCount'>> & {
    readonly at: number;
    readonly instance: string;
  };

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
  /** Which parts of the conversation the model got. */
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
