/**
 * Strips an event of every word of the conversation, and stands in for those words when a history is replayed.
 *
 *  STRIP-1  Each event has a decision of its own here, field by field: tsc refuses an event without one.
 *  STRIP-2  Ids, times, counts, policies and codes stay. Questions, summaries, patient data, instructions, tags and stop
 *           sequences go; of a text only its length stays.
 *  STRIP-3  What decides a transition stays, so the machine takes a restored event as it took the original one.
 */
import type { SessionInput } from '../../../machines/vocabulary.ts';
import type { StepEvent } from '../machine/step.ts';

type Flat = string | number | boolean | null;
/** An event without words, as plain fields. Absent fields are absent in the event. */
export type HistoryEvent = { readonly type: string } & { readonly [field: string]: Flat | readonly Flat[] };

type EventOf<Type extends StepEvent['type']> = Extract<StepEvent, { readonly type: Type }>;
type Options = EventOf<'message'>['options'];

/** What a session begins with, and a migration of its snapshot, are no events of the machine. */
export const BEGINS = 'begin';
export const MIGRATES = 'migrate';

/** A field that is undefined is absent: the record does not write it. */
const present = (fields: Readonly<Record<string, unknown>>): HistoryEvent => fields as HistoryEvent;

const sender = ({ author, tenant }: { readonly author?: string | null; readonly tenant?: string }) => ({
  author,
  tenant,
});
const numbers = ({ maxTokens, temperature }: Options) => ({ maxTokens, temperature });

export function beginningOf(input: SessionInput, isFork: boolean): HistoryEvent {
  const { clientId, userId, tenant, diagnosisId, turnCount } = input;
  return present({
    type: BEGINS,
    clientId,
    userId,
    diagnosisId,
    tenant,
    turnCount: turnCount === 0 ? undefined : turnCount,
    isFork: isFork ? true : undefined,
  });
}

/** `begun` has what never changes in a session, which its history leaves out. */
export function inputFrom(
  event: HistoryEvent,
  begun: Pick<SessionInput, 'at' | 'sessionId' | 'instance' | 'limits' | 'origin'>,
): SessionInput {
  const { clientId = null, userId = null, diagnosisId = null } = event;
  const { tenant, turnCount } = event;
  return {
    ...begun,
    clientId,
    userId,
    diagnosisId,
    ...(tenant === undefined ? {} : { tenant }),
    ...(turnCount === undefined ? {} : { turnCount }),
  } as unknown as SessionInput;
}

/** STRIP-1, STRIP-2 */
export function strippedOf(event: StepEvent): HistoryEvent {
  switch (event.type) {
    case 'attach': {
      const { type, instance, userId, clientId, tenant, diagnosisId, isProven, isReturn } = event;
      return present({ type, instance, userId, clientId, tenant, diagnosisId, isProven, isReturn });
    }
    case 'detach':
      return present({ type: event.type, instance: event.instance, userId: event.userId });
    case 'message': {
      // The most frequent event, so it is written out: each spread would cost as much as the rest.
      const { type, messageId, turnId, policy, author, tenant } = event;
      const { maxTokens, temperature } = event.options;
      const length = event.content.length;
      return present({ type, messageId, turnId, length, policy, author, tenant, maxTokens, temperature });
    }
    case 'regenerate': {
      const { type, messageId, turnId, from, content, options, retraction, isRepeat } = event;
      return present({
        ...{ type, messageId, turnId, from, length: content?.length, isRepeat },
        retracted: retraction?.turnIds,
        asker: retraction?.author,
        isOneAuthor: retraction?.isOneAuthor,
        ...sender(event),
        ...numbers(options),
      });
    }
    case 'fork': {
      const { type, messageId, sessionId, turnId } = event;
      return present({ type, messageId, sessionId, turnId, ...sender(event) });
    }
    case 'share': {
      const { id, userId, access, expiresAt } = event.share;
      return present({ type: event.type, shareId: id, userId, access, expiresAt, ...sender(event) });
    }
    case 'unshare':
      return present({ type: event.type, shareId: event.shareId, ...sender(event) });
    case 'cancel': {
      const { type, turnId, messageId } = event;
      return present({ type, turnId, messageId, ...sender(event) });
    }
    case 'extend':
      return present({ type: event.type, author: event.author, tenant: event.tenant });
    case 'close':
      return present({ type: event.type, reason: event.reason, erase: event.erase, ...sender(event) });
    case 'summarised':
      return present({ type: event.type, through: event.through, length: event.content.length });
    case 'recover':
      return { type: event.type };
    case 'xstate.done.actor.generation': {
      const { replica, model, totalMs, firstTokenMs, finishReason, usage, simulated } = event.output;
      const tokens = { promptTokens: usage.prompt_tokens, completionTokens: usage.completion_tokens };
      const cached = { cachedTokens: usage.cached_tokens };
      const end = { totalMs, firstTokenMs, finishReason, simulated };
      return present({ type: event.type, replica, model, ...tokens, ...end, ...cached });
    }
    case 'xstate.error.actor.generation': {
      const { code, retryable, replica, retryAfterMs, startOver } = event.error;
      const again = startOver === undefined ? undefined : true;
      return present({ type: event.type, code, retryable, replica, retryAfterMs, startsOver: again });
    }
    default:
      return timerOf(event);
  }
}

function timerOf({ type }: Extract<StepEvent, { readonly type: `xstate.after.${string}` }>): HistoryEvent {
  return { type };
}

/** STRIP-3. Null: this version knows no such event. */
export function restored(event: HistoryEvent, at: number): StepEvent | null {
  const { type, length, promptTokens, completionTokens, shareId, startsOver, ...rest } = event;
  const { maxTokens, temperature, ...named } = rest;
  const asked = {
    ...(maxTokens === undefined ? {} : { maxTokens }),
    ...(temperature === undefined ? {} : { temperature }),
  };
  switch (type as StepEvent['type']) {
    case 'attach':
    case 'detach':
    case 'fork':
    case 'cancel':
    case 'extend':
    case 'close':
    case 'recover':
      return { type, at, ...named } as unknown as StepEvent;
    case 'message':
      return { type, at, ...named, content: '', options: asked } as unknown as StepEvent;
    case 'regenerate': {
      const { retracted, asker, isOneAuthor, ...others } = named;
      const retraction = { turnIds: retracted, content: '', author: asker, isOneAuthor };
      return {
        ...{ type, at, ...others, options: asked },
        ...(length === undefined ? {} : { content: '' }),
        ...(retracted === undefined ? {} : { retraction }),
      } as unknown as StepEvent;
    }
    case 'share': {
      const { userId, access, expiresAt, ...from } = named;
      return { type, at, ...from, share: { id: shareId, userId, access, expiresAt } } as unknown as StepEvent;
    }
    case 'unshare':
      return { type, at, ...named, shareId } as unknown as StepEvent;
    case 'summarised':
      return { type, at, through: named.through, content: '' } as unknown as StepEvent;
    case 'xstate.done.actor.generation': {
      const usage = { prompt_tokens: promptTokens, completion_tokens: completionTokens };
      return { type, at, output: { ...named, usage } } as unknown as StepEvent;
    }
    case 'xstate.error.actor.generation': {
      const again = startsOver === true ? { startOver: { content: '', author: null } } : {};
      return { type, at, error: { ...named, ...again } } as unknown as StepEvent;
    }
    default:
      return type.startsWith('xstate.after.') ? ({ type, at } as StepEvent) : null;
  }
}

/** The user that sent the event; null: an instance, an administrator, or a client without a user. */
export function actorOf(event: HistoryEvent): string | null {
  const named = event.type === 'attach' || event.type === BEGINS ? event.userId : event.author;
  return typeof named === 'string' ? named : null;
}

/** The turn that the event names. */
export function turnOf({ turnId }: HistoryEvent): string | null {
  return typeof turnId === 'string' ? turnId : null;
}
