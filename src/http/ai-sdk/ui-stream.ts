/**
 * UiStream maps the frames of one turn to the chunks of a UI message stream. It is pure: the same frames give the same
 * chunks on every instance, so a chunk's index names it (`startIndex`).
 *
 *  UISTREAM-1  A chunk that was sent stays valid. A new try of the answer sends only what goes beyond the text that was sent.
 *  UISTREAM-2  The protocol cannot take text back. Where a new try differs from the text that was sent, an `error` ends the
 *              stream: a page would show both texts in a row.
 *  UISTREAM-3  Every end closes its parts and finishes: clients ask again and again for a stream without `finish`.
 */
import { errorBody } from '../../errors.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import { type UiChunk, type UiFinishReason, uiErrorText, uiFinishReason } from './ui-chunk.ts';

export interface UiStream {
  readonly messageId: string;
  readonly hasStarted: boolean;
  /** Between `start-step` and `finish-step`. */
  readonly isStepOpen: boolean;
  readonly isTextOpen: boolean;
  readonly isReasoningOpen: boolean;
  /** Names the parts with reasoning. */
  readonly reasoningParts: number;
  /** All text that was sent. */
  readonly sent: string;
  /** The text of the new try, while it is not longer than what was sent; null: the stream sends what comes. */
  readonly again: string | null;
  /** False once a new try began after something was sent. */
  readonly takesReasoning: boolean;
  readonly isSimulated: boolean;
  readonly hasEnded: boolean;
}

interface Step {
  readonly stream: UiStream;
  readonly chunks: readonly UiChunk[];
}

const TEXT_ID = 'text';

export const uiStreamOf = (messageId: string): UiStream => ({
  messageId,
  hasStarted: false,
  isStepOpen: false,
  isTextOpen: false,
  isReasoningOpen: false,
  reasoningParts: 0,
  sent: '',
  again: null,
  takesReasoning: true,
  isSimulated: false,
  hasEnded: false,
});

/** Takes one frame of the turn, in the order of the log. */
export function takeFrame(stream: UiStream, frame: TurnFrame): Step {
  if (stream.hasEnded) return { stream, chunks: [] };
  switch (frame.type) {
    case 'message.queued':
      return open(stream);
    case 'turn.started':
      return begin(stream);
    case 'delta':
      return takeDelta(stream, frame);
    case 'turn.completed': {
      const isShorter = stream.again !== null && stream.again !== stream.sent;
      return isShorter ? diverged(stream) : finish(stream, [], uiFinishReason(frame.finish_reason));
    }
    case 'turn.failed':
      return endWithError(stream, uiErrorText(frame.error));
    case 'turn.cancelled':
      return finish(stream, [{ type: 'abort' }], 'other');
    default:
      return { stream, chunks: [] };
  }
}

/** The end of a stream whose reader gets no more of the turn. */
export function endWithError(stream: UiStream, errorText: string): Step {
  return stream.hasEnded ? { stream, chunks: [] } : finish(stream, [{ type: 'error', errorText }], 'error');
}

/** The chunks of several frames. */
export function takeFrames(stream: UiStream, frames: readonly TurnFrame[]): Step {
  const chunks: UiChunk[] = [];
  let now = stream;
  for (const frame of frames) {
    const step = takeFrame(now, frame);
    chunks.push(...step.chunks);
    now = step.stream;
  }
  return { stream: now, chunks };
}

function open(stream: UiStream): Step {
  if (stream.hasStarted) return { stream, chunks: [] };
  const { messageId } = stream;
  return { stream: { ...stream, hasStarted: true }, chunks: [{ type: 'start', messageId }] };
}

function begin(stream: UiStream): Step {
  const opened = open(stream);
  const { isStepOpen, sent, reasoningParts } = opened.stream;
  if (isStepOpen) {
    const takesReasoning = sent === '' && reasoningParts === 0;
    return { ...opened, stream: { ...opened.stream, again: sent === '' ? null : '', takesReasoning } }; // UISTREAM-1
  }
  return {
    stream: { ...opened.stream, isStepOpen: true },
    chunks: [...opened.chunks, { type: 'start-step' }],
  };
}

function takeDelta(stream: UiStream, frame: Extract<TurnFrame, { readonly type: 'delta' }>): Step {
  const begun = stream.isStepOpen ? { stream, chunks: [] } : begin(stream);
  const isSimulated = begun.stream.isSimulated || frame.simulated === true;
  const marked = { ...begun, stream: { ...begun.stream, isSimulated } };
  const { reasoning = '' } = frame;
  const thought = reasoning !== '' && marked.stream.takesReasoning ? addReasoning(marked, reasoning) : marked;
  if (frame.text === '') return thought;
  const { again, sent } = thought.stream;
  if (again === null) return addText(thought, frame.text);
  const text = again + frame.text;
  if (text.length <= sent.length)
    return sent.startsWith(text)
      ? { ...thought, stream: { ...thought.stream, again: text } }
      : diverged(thought.stream);
  if (!text.startsWith(sent)) return diverged(thought.stream);
  return addText({ ...thought, stream: { ...thought.stream, again: null } }, text.slice(sent.length));
}

function addReasoning({ stream, chunks }: Step, delta: string): Step {
  const { isReasoningOpen } = stream;
  const reasoningParts = stream.reasoningParts + (isReasoningOpen ? 0 : 1);
  const id = reasoningId(reasoningParts);
  const start: readonly UiChunk[] = isReasoningOpen ? [] : [{ type: 'reasoning-start', id }];
  return {
    stream: { ...stream, isReasoningOpen: true, reasoningParts },
    chunks: [...chunks, ...start, { type: 'reasoning-delta', id, delta }],
  };
}

function addText({ stream, chunks }: Step, delta: string): Step {
  const { isTextOpen, sent } = stream;
  const start: readonly UiChunk[] = isTextOpen ? [] : [{ type: 'text-start', id: TEXT_ID }];
  return {
    stream: { ...stream, isReasoningOpen: false, isTextOpen: true, sent: sent + delta },
    chunks: [...chunks, ...endOfReasoning(stream), ...start, { type: 'text-delta', id: TEXT_ID, delta }],
  };
}

/** UISTREAM-2. The turn goes on, and the history of the chat has its answer. */
function diverged(stream: UiStream): Step {
  return endWithError(stream, uiErrorText(errorBody('stream_lost')));
}

function finish(stream: UiStream, how: readonly UiChunk[], finishReason: UiFinishReason): Step {
  const opened = open(stream);
  const text: readonly UiChunk[] = stream.isTextOpen ? [{ type: 'text-end', id: TEXT_ID }] : [];
  const step: readonly UiChunk[] = stream.isStepOpen ? [{ type: 'finish-step' }] : [];
  const mark = stream.isSimulated ? { messageMetadata: { simulated: true } as const } : {};
  return {
    stream: {
      ...opened.stream,
      isStepOpen: false,
      isTextOpen: false,
      isReasoningOpen: false,
      hasEnded: true,
    },
    chunks: [
      ...opened.chunks,
      ...endOfReasoning(stream),
      ...text,
      ...step,
      ...how,
      { type: 'finish', finishReason, ...mark },
    ],
  };
}

function endOfReasoning({ isReasoningOpen, reasoningParts }: UiStream): readonly UiChunk[] {
  return isReasoningOpen ? [{ type: 'reasoning-end', id: reasoningId(reasoningParts) }] : [];
}

const reasoningId = (count: number): string => `reasoning-${count}`;
