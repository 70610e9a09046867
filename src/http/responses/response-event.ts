/** ResponseEvent is one event of a stream of the OpenAI Responses API. Clients throw at a type that they do not know. */
import type { AnswerItem, OutputText, ReasoningItem, ReasoningText } from './items.ts';
import type { ResponseObject } from './response-object.ts';

interface Lifecycle {
  readonly type:
    | 'response.created'
    | 'response.queued'
    | 'response.in_progress'
    | 'response.completed'
    | 'response.incomplete'
    | 'response.failed';
  readonly response: ResponseObject;
}

interface OfItem {
  readonly type: 'response.output_item.added' | 'response.output_item.done';
  readonly output_index: number;
  readonly item: AnswerItem | ReasoningItem;
}

interface InItem {
  readonly item_id: string;
  readonly output_index: number;
  readonly content_index: 0;
}

interface OfPart extends InItem {
  readonly type: 'response.content_part.added' | 'response.content_part.done';
  readonly part: OutputText | ReasoningText;
}

interface TextDelta extends InItem {
  readonly type: 'response.output_text.delta';
  readonly delta: string;
  readonly logprobs: readonly unknown[];
}

interface TextDone extends InItem {
  readonly type: 'response.output_text.done';
  readonly text: string;
  readonly logprobs: readonly unknown[];
}

interface ReasoningDelta extends InItem {
  readonly type: 'response.reasoning_text.delta';
  readonly delta: string;
}

interface ReasoningDone extends InItem {
  readonly type: 'response.reasoning_text.done';
  readonly text: string;
}

interface Failure {
  readonly type: 'error';
  readonly code: string;
  readonly message: string;
  readonly param: null;
}

export type EventBody =
  | Lifecycle
  | OfItem
  | OfPart
  | TextDelta
  | TextDone
  | ReasoningDelta
  | ReasoningDone
  | Failure;

export type ResponseEvent = EventBody & { readonly sequence_number: number };

/**
 * Joins neighbouring deltas of one part under the last number: a client that does not read for a while keeps a bounded
 * number of events.
 */
export function mergeDeltas(events: readonly ResponseEvent[]): readonly ResponseEvent[] {
  const merged: ResponseEvent[] = [];
  for (const event of events) {
    const before = merged.at(-1);
    const joined = before === undefined ? null : joinedDelta(before, event);
    if (joined === null) merged.push(event);
    else merged[merged.length - 1] = joined;
  }
  return merged;
}

function joinedDelta(one: ResponseEvent, next: ResponseEvent): ResponseEvent | null {
  if (next.type === 'response.output_text.delta' && one.type === next.type)
    return { ...next, delta: one.delta + next.delta };
  if (next.type === 'response.reasoning_text.delta' && one.type === next.type)
    return { ...next, delta: one.delta + next.delta };
  return null;
}

export const isDelta = ({ type }: ResponseEvent): boolean => type.endsWith('.delta');

export const textOfEvent = (event: ResponseEvent): string =>
  `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
