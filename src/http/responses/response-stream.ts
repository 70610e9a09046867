/**
 * ResponseStream maps the frames of one turn to the events of a Responses stream. It is pure: the same frames give the same
 * events under the same numbers on every instance, so a client resumes after a number on any of them.
 *
 *  RESPSTREAM-1  A number is `offset × 16 + place`, where `place` counts the events of one frame. Numbers only grow.
 *  RESPSTREAM-2  An event that was sent stays valid. A new try of the answer sends only what goes beyond the sent text.
 *  RESPSTREAM-3  The protocol cannot take text back. Where a new try differs from the sent text, an `error` ends the stream.
 *  RESPSTREAM-4  Every regular end closes its part and its item, and gives the whole response.
 */
import { errorBody } from '../../errors.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import { answerIdOf, reasoningIdOf } from './ids.ts';
import { answerItem, type ItemStatus, outputText, type ReasoningItem } from './items.ts';
import type { EventBody, ResponseEvent } from './response-event.ts';
import {
  type ResponseFacts,
  type ResponseObject,
  type ResponseProgress,
  type ResponseStatus,
  responseObject,
} from './response-object.ts';

export interface ResponseStream {
  readonly facts: ResponseFacts;
  readonly status: 'new' | ResponseStatus;
  /** Null: there is no reasoning. */
  readonly reasoning: string | null;
  readonly isReasoningOpen: boolean;
  /** All text that was sent; null: the item of the answer has not begun. */
  readonly text: string | null;
  /** The text of a new try, while it is not longer than what was sent; null: the stream sends what comes. */
  readonly again: string | null;
  readonly end: Pick<
    ResponseProgress,
    'usage' | 'error' | 'incomplete_details' | 'completedAt' | 'model' | 'temperature' | 'maxOutputTokens'
  >;
  readonly hasEnded: boolean;
  /** The number of the last event. */
  readonly last: number;
}

interface Step {
  readonly stream: ResponseStream;
  readonly events: readonly EventBody[];
}

export interface NumberedStep {
  readonly stream: ResponseStream;
  readonly events: readonly ResponseEvent[];
}

const PLACES = 16;

const NOTHING_YET: ResponseStream['end'] = {
  usage: null,
  error: null,
  incomplete_details: null,
  completedAt: null,
  model: null,
  temperature: null,
  maxOutputTokens: null,
};

export const responseStreamOf = (facts: ResponseFacts): ResponseStream => ({
  facts,
  status: 'new',
  reasoning: null,
  isReasoningOpen: false,
  text: null,
  again: null,
  end: NOTHING_YET,
  hasEnded: false,
  last: 0,
});

/** Takes one frame of the turn, in the order of the log. */
export function takeFrame(stream: ResponseStream, frame: TurnFrame): NumberedStep {
  return numbered(stepOf(stream, frame), frame.offset * PLACES);
}

/** Ends the stream of a reader that gets no more of the turn. */
export function breakOff(
  stream: ResponseStream,
  { code, message }: { readonly code: string; readonly message: string },
): NumberedStep {
  if (stream.hasEnded) return { stream, events: [] };
  const failure: EventBody = { type: 'error', code, message, param: null };
  return numbered({ stream: { ...stream, hasEnded: true }, events: [failure] }, 0);
}

/** The response as it is after the frames of the stream. */
export function responseNow(stream: ResponseStream): ResponseObject {
  const { facts, status, text, end } = stream;
  const reasoning = stream.reasoning === null ? [] : [reasoningItem(stream, stream.isReasoningOpen)];
  const answer = text === null ? [] : [messageItem(stream, itemStatusOf(status), text)];
  return responseObject(facts, {
    ...end,
    status: status === 'new' ? 'queued' : status,
    output: [...reasoning, ...answer],
  });
}

/** RESPSTREAM-1 */
function numbered({ stream, events }: Step, first: number): NumberedStep {
  const start = Math.max(first, stream.last + 1);
  return {
    stream: events.length === 0 ? stream : { ...stream, last: start + events.length - 1 },
    events: events.map((event, place) => ({ ...event, sequence_number: start + place })),
  };
}

function stepOf(stream: ResponseStream, frame: TurnFrame): Step {
  if (stream.hasEnded) return { stream, events: [] };
  switch (frame.type) {
    case 'message.queued':
      return enqueue(stream);
    case 'turn.started': {
      const { tags } = frame;
      return begin(tags === undefined ? stream : { ...stream, facts: { ...stream.facts, metadata: tags } });
    }
    case 'delta':
      return takeDelta(stream, frame);
    case 'turn.completed':
      return complete(stream, frame);
    case 'turn.failed': {
      const { code, message } = frame.error;
      return finish(stream, 'failed', { error: { code, message } });
    }
    case 'turn.cancelled':
      return finish(stream, 'cancelled', {});
    default:
      return { stream, events: [] };
  }
}

function create(stream: ResponseStream, status: 'queued' | 'in_progress'): Step {
  if (stream.status !== 'new') return { stream: { ...stream, status }, events: [] };
  const created = { ...stream, status };
  return { stream: created, events: [{ type: 'response.created', response: responseNow(created) }] };
}

function enqueue(stream: ResponseStream): Step {
  if (stream.status !== 'new') return { stream, events: [] };
  const { stream: queued, events } = create(stream, 'queued');
  return { stream: queued, events: [...events, { type: 'response.queued', response: responseNow(queued) }] };
}

function begin(stream: ResponseStream): Step {
  if (stream.status === 'in_progress') {
    const hasText = stream.text !== null && stream.text !== '';
    return closeReasoning({ stream: { ...stream, again: hasText ? '' : null }, events: [] }); // RESPSTREAM-2
  }
  const { stream: begun, events } = create(stream, 'in_progress');
  return {
    stream: begun,
    events: [...events, { type: 'response.in_progress', response: responseNow(begun) }],
  };
}

function takeDelta(stream: ResponseStream, frame: Extract<TurnFrame, { readonly type: 'delta' }>): Step {
  const begun = stream.status === 'in_progress' ? { stream, events: [] } : begin(stream);
  const thought = addReasoning(begun, frame.reasoning ?? '');
  if (frame.text === '') return thought;
  const { again, text } = thought.stream;
  if (again === null) return addText(thought, frame.text);
  const sent = text ?? '';
  const told = again + frame.text;
  if (told.length <= sent.length)
    return sent.startsWith(told)
      ? { ...thought, stream: { ...thought.stream, again: told } }
      : diverged(thought);
  if (!told.startsWith(sent)) return diverged(thought);
  return addText({ ...thought, stream: { ...thought.stream, again: null } }, told.slice(sent.length));
}

/** The reasoning of one answer is one item, before its text. Later reasoning is left out. */
function addReasoning(step: Step, delta: string): Step {
  const { stream, events } = step;
  const isOver = stream.text !== null || (stream.reasoning !== null && !stream.isReasoningOpen);
  if (delta === '' || isOver) return step;
  const place = { item_id: reasoningIdOf(stream.facts.turnId), output_index: 0, content_index: 0 } as const;
  const opening: readonly EventBody[] = stream.isReasoningOpen
    ? []
    : [
        { type: 'response.output_item.added', output_index: 0, item: emptyReasoning(stream) },
        { type: 'response.content_part.added', ...place, part: { type: 'reasoning_text', text: '' } },
      ];
  return {
    stream: { ...stream, isReasoningOpen: true, reasoning: (stream.reasoning ?? '') + delta },
    events: [...events, ...opening, { type: 'response.reasoning_text.delta', ...place, delta }],
  };
}

function closeReasoning(step: Step): Step {
  const { stream, events } = step;
  if (!stream.isReasoningOpen) return step;
  const place = { item_id: reasoningIdOf(stream.facts.turnId), output_index: 0, content_index: 0 } as const;
  const text = stream.reasoning ?? '';
  return {
    stream: { ...stream, isReasoningOpen: false },
    events: [
      ...events,
      { type: 'response.reasoning_text.done', ...place, text },
      { type: 'response.content_part.done', ...place, part: { type: 'reasoning_text', text } },
      { type: 'response.output_item.done', output_index: 0, item: reasoningItem(stream, false) },
    ],
  };
}

function addText(step: Step, delta: string): Step {
  const { stream, events } = closeReasoning(step);
  const place = placeOfAnswer(stream);
  const { output_index } = place;
  const opening: readonly EventBody[] =
    stream.text !== null
      ? []
      : [
          {
            type: 'response.output_item.added',
            output_index,
            item: answerItem(stream.facts.turnId, 'in_progress', []),
          },
          { type: 'response.content_part.added', ...place, part: outputText('') },
        ];
  return {
    stream: { ...stream, text: (stream.text ?? '') + delta },
    events: [...events, ...opening, { type: 'response.output_text.delta', ...place, delta, logprobs: [] }],
  };
}

function complete(
  stream: ResponseStream,
  frame: Extract<TurnFrame, { readonly type: 'turn.completed' }>,
): Step {
  const isShorter = stream.again !== null && stream.again !== stream.text;
  if (isShorter) return diverged({ stream, events: [] });
  const { usage, metadata, finish_reason } = frame;
  const isCut = finish_reason === 'length';
  const { prompt_tokens, completion_tokens, cached_tokens = 0 } = usage;
  const isCounted = prompt_tokens + completion_tokens > 0;
  return finish(stream, isCut ? 'incomplete' : 'completed', {
    // A frame that was rebuilt from the transcript has no count.
    usage: isCounted
      ? {
          input_tokens: prompt_tokens,
          input_tokens_details: { cached_tokens },
          output_tokens: completion_tokens,
          output_tokens_details: { reasoning_tokens: 0 },
          total_tokens: prompt_tokens + completion_tokens,
        }
      : null,
    incomplete_details: isCut ? { reason: 'max_output_tokens' } : null,
    completedAt: metadata.completed_at ?? null,
    // A rebuilt frame has no model.
    ...(metadata.model === ''
      ? {}
      : {
          model: metadata.model,
          temperature: metadata.temperature,
          maxOutputTokens: metadata.max_tokens,
        }),
  });
}

/** RESPSTREAM-3. The turn goes on, and its response can be retrieved. */
function diverged({ stream, events }: Step): Step {
  const { code, message } = errorBody('stream_lost');
  return {
    stream: { ...stream, hasEnded: true },
    events: [...events, { type: 'error', code, message, param: null }],
  };
}

/** RESPSTREAM-4 */
function finish(
  stream: ResponseStream,
  status: 'completed' | 'incomplete' | 'failed' | 'cancelled',
  end: Partial<ResponseStream['end']>,
): Step {
  const opened = stream.status === 'new' ? begin(stream) : { stream, events: [] };
  const thought = closeReasoning(opened);
  const ended = { ...thought.stream, status, end: { ...stream.end, ...end }, hasEnded: true };
  const response = responseNow(ended);
  return {
    stream: ended,
    events: [
      ...thought.events,
      ...closeAnswer(ended),
      // No event says that a response was cancelled, so its status does.
      { type: status === 'cancelled' ? 'response.incomplete' : `response.${status}`, response },
    ],
  };
}

function closeAnswer(stream: ResponseStream): readonly EventBody[] {
  const { text, status } = stream;
  if (text === null) return [];
  const place = placeOfAnswer(stream);
  const { output_index } = place;
  const item = messageItem(stream, itemStatusOf(status), text);
  return [
    { type: 'response.output_text.done', ...place, text, logprobs: [] },
    { type: 'response.content_part.done', ...place, part: outputText(text) },
    { type: 'response.output_item.done', output_index, item },
  ];
}

const placeOfAnswer = ({ facts, reasoning }: ResponseStream) =>
  ({
    item_id: answerIdOf(facts.turnId),
    output_index: reasoning === null ? 0 : 1,
    content_index: 0,
  }) as const;

const messageItem = ({ facts }: ResponseStream, status: ItemStatus, text: string) =>
  answerItem(facts.turnId, status, [outputText(text)]);

const emptyReasoning = ({ facts }: ResponseStream): ReasoningItem => ({
  id: reasoningIdOf(facts.turnId),
  type: 'reasoning',
  summary: [],
  content: [],
  status: 'in_progress',
});

const reasoningItem = (stream: ResponseStream, isOpen: boolean): ReasoningItem => ({
  ...emptyReasoning(stream),
  content: [{ type: 'reasoning_text', text: stream.reasoning ?? '' }],
  status: isOpen ? 'in_progress' : 'completed',
});

function itemStatusOf(status: ResponseStream['status']): ItemStatus {
  if (status === 'completed') return 'completed';
  return status === 'in_progress' || status === 'queued' || status === 'new' ? 'in_progress' : 'incomplete';
}
