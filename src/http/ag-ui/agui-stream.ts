/**
 * AgUiStream maps the frames of one turn to the events of an AG-UI run. It is pure: the same frames give the same events on
 * every instance, so offset and place within a frame name an event.
 *
 *  AGUI-1  A new try of an answer sends only what goes beyond the text that was sent.
 *  AGUI-2  Where a new try differs from the text that was sent, MESSAGES_SNAPSHOT takes the message back and the answer
 *          starts again under the same id. Stock clients would otherwise keep the void text.
 *  AGUI-3  A stream that begins with a new try takes back whatever its reader has of the answer.
 *  AGUI-4  Every message and every thought is closed before the run ends: clients refuse a run that leaves one open.
 */

import { answerIdOf, questionIdOf } from '../chats/chat-ids.ts';
import type { TurnFrame } from '../turns/own-turn.ts';
import type { AgUiEvent, AgUiMessage, RunEnd, ShownState } from './agui-event.ts';

/** What the events of a run say besides the frames. */
export interface AgUiRun {
  readonly threadId: string;
  readonly runId: string;
  readonly sessionId: string;
  readonly turnId: string;
  /** The messages of earlier turns that `asked` does not have. */
  readonly earlier: readonly AgUiMessage[];
  /** The messages of the client, the question last. Null: the question is that of the turn. */
  readonly asked: readonly AgUiMessage[] | null;
  /** The client's own state, which a snapshot must not lose. */
  readonly state: Readonly<Record<string, unknown>>;
}

export interface AgUiStream {
  readonly run: AgUiRun;
  readonly question: readonly AgUiMessage[];
  readonly hasStarted: boolean;
  /** Between the first `turn.started` and the end. */
  readonly hasBegun: boolean;
  readonly isTextOpen: boolean;
  readonly isReasoningOpen: boolean;
  /** Names the thoughts. */
  readonly thoughts: number;
  /** The text that a reader of all events shows. */
  readonly sent: string;
  /** The text of the new try, while it is not longer than what was sent; null: the stream sends what comes. */
  readonly again: string | null;
  /** False once a new try began after something was sent. */
  readonly takesReasoning: boolean;
  readonly isSimulated: boolean;
  /** The last event, once the turn has ended. Its encoder knows the state of the session by then. */
  readonly end: RunEnd | null;
}

interface Step {
  readonly stream: AgUiStream;
  readonly events: readonly AgUiEvent[];
}

export const agUiStreamOf = (run: AgUiRun): AgUiStream => ({
  run,
  question: run.asked ?? [],
  hasStarted: false,
  hasBegun: false,
  isTextOpen: false,
  isReasoningOpen: false,
  thoughts: 0,
  sent: '',
  again: null,
  takesReasoning: true,
  isSimulated: false,
  end: null,
});

/** Takes one frame of the turn, in the order of the log. */
export function takeFrame(stream: AgUiStream, frame: TurnFrame): Step {
  if (stream.end !== null) return { stream, events: [] };
  switch (frame.type) {
    case 'message.queued':
      return stream.hasStarted ? { stream, events: [] } : open(stream, 'processing');
    case 'turn.started':
      return begin(stream, frame);
    case 'delta':
      return takeDelta(stream, frame);
    case 'turn.completed':
    case 'turn.failed':
    case 'turn.cancelled':
      return finish(stream, frame);
  }
}

/** Closes what is open, for a reader that gets no more of the turn. */
export function closeStream(stream: AgUiStream): Step {
  const { isTextOpen, run } = stream;
  const text: readonly AgUiEvent[] = isTextOpen
    ? [{ type: 'TEXT_MESSAGE_END', messageId: answerIdOf(run.turnId) }]
    : [];
  return {
    stream: { ...stream, isTextOpen: false, isReasoningOpen: false },
    events: [...endOfThought(stream), ...text],
  };
}

/** The state of the session in its machine's own words, beside the client's own state. */
export function stateEvent({ state, sessionId, turnId }: AgUiRun, shown: ShownState): AgUiEvent {
  return { type: 'STATE_SNAPSHOT', snapshot: { ...state, session: { id: sessionId, turnId, state: shown } } };
}

function open(stream: AgUiStream, shown: ShownState): Step {
  const { run, hasStarted } = stream;
  const { threadId, runId } = run;
  const started: readonly AgUiEvent[] = hasStarted ? [] : [{ type: 'RUN_STARTED', threadId, runId }];
  return { stream: { ...stream, hasStarted: true }, events: [...started, stateEvent(run, shown)] };
}

function begin(stream: AgUiStream, frame: Extract<TurnFrame, { readonly type: 'turn.started' }>): Step {
  const { run, sent, thoughts, hasBegun } = stream;
  const asked = { id: questionIdOf(run.turnId), role: 'user', content: frame.content };
  const opened = open({ ...stream, hasBegun: true, question: run.asked ?? [asked] }, 'processing.generating');
  if (!hasBegun) return frame.restarts === undefined ? opened : takeBack(opened); // AGUI-3
  const takesReasoning = sent === '' && thoughts === 0;
  return { ...opened, stream: { ...opened.stream, again: sent === '' ? null : '', takesReasoning } }; // AGUI-1
}

function takeDelta(stream: AgUiStream, frame: Extract<TurnFrame, { readonly type: 'delta' }>): Step {
  const marked = { ...stream, isSimulated: stream.isSimulated || frame.simulated === true };
  const { reasoning = '', text } = frame;
  const thought: Step =
    reasoning !== '' && marked.takesReasoning
      ? addThought(marked, reasoning)
      : { stream: marked, events: [] };
  if (text === '') return thought;
  const { again, sent } = thought.stream;
  if (again === null) return addText(thought, text);
  const whole = again + text;
  if (sent.startsWith(whole)) return { ...thought, stream: { ...thought.stream, again: whole } };
  const isLonger = whole.startsWith(sent);
  const now = isLonger ? { ...thought, stream: { ...thought.stream, again: null } } : takeBack(thought);
  return addText(now, isLonger ? whole.slice(sent.length) : whole);
}

/** AGUI-2: the messages without the answer. */
function takeBack({ stream, events }: Step): Step {
  const closed = closeStream(stream);
  const messages = [...stream.run.earlier, ...stream.question];
  return {
    stream: { ...closed.stream, sent: '', again: null },
    events: [...events, ...closed.events, { type: 'MESSAGES_SNAPSHOT', messages }],
  };
}

function addThought(stream: AgUiStream, delta: string): Step {
  const { isReasoningOpen, run } = stream;
  const thoughts = stream.thoughts + (isReasoningOpen ? 0 : 1);
  const messageId = thoughtId(run.turnId, thoughts);
  const start: readonly AgUiEvent[] = isReasoningOpen
    ? []
    : [
        { type: 'REASONING_START', messageId },
        { type: 'REASONING_MESSAGE_START', messageId, role: 'reasoning' },
      ];
  return {
    stream: { ...stream, isReasoningOpen: true, thoughts },
    events: [...start, { type: 'REASONING_MESSAGE_CONTENT', messageId, delta }],
  };
}

function addText({ stream, events }: Step, delta: string): Step {
  const { isTextOpen, sent, run, isSimulated } = stream;
  const messageId = answerIdOf(run.turnId);
  const mark = isSimulated ? { metadata: { simulated: true } as const } : {};
  const start: readonly AgUiEvent[] = isTextOpen
    ? []
    : [{ type: 'TEXT_MESSAGE_START', messageId, role: 'assistant', ...mark }];
  return {
    stream: { ...stream, isReasoningOpen: false, isTextOpen: true, sent: sent + delta },
    events: [
      ...events,
      ...endOfThought(stream),
      ...start,
      { type: 'TEXT_MESSAGE_CONTENT', messageId, delta },
    ],
  };
}

type EndFrame = Extract<TurnFrame, { readonly type: 'turn.completed' | 'turn.failed' | 'turn.cancelled' }>;

function finish(stream: AgUiStream, frame: EndFrame): Step {
  const opened: Step = stream.hasStarted ? { stream, events: [] } : open(stream, 'processing');
  const closed = closeAll(withLastText(opened)); // AGUI-4
  return { ...closed, stream: { ...closed.stream, end: runEnd(stream, frame) } };
}

/** A new try that ended before it reached the text that was sent. */
function withLastText(step: Step): Step {
  const { again, sent } = step.stream;
  if (again === null || again === sent) return step;
  const without = takeBack(step);
  return again === '' ? without : addText(without, again);
}

function closeAll({ stream, events }: Step): Step {
  const closed = closeStream(stream);
  return { stream: closed.stream, events: [...events, ...closed.events] };
}

function runEnd({ run, isSimulated }: AgUiStream, frame: EndFrame): RunEnd {
  if (frame.type === 'turn.failed') {
    const { message, code } = frame.error;
    return { type: 'RUN_ERROR', message, code };
  }
  const { threadId, runId } = run;
  const mark = isSimulated ? { simulated: true as const } : {};
  const finishReason = frame.type === 'turn.completed' ? frame.finish_reason : 'cancelled';
  const head = { type: 'RUN_FINISHED', threadId, runId, result: { finishReason, ...mark } } as const;
  if (frame.type === 'turn.cancelled') return head;
  const { prompt_tokens: inputTokens, completion_tokens: outputTokens } = frame.usage;
  const { model } = frame.metadata;
  // A turn that only the transcript has is without its counts.
  if (inputTokens + outputTokens === 0) return head;
  return { ...head, usage: [{ ...(model === '' ? {} : { model }), inputTokens, outputTokens }] };
}

function endOfThought({ isReasoningOpen, thoughts, run }: AgUiStream): readonly AgUiEvent[] {
  if (!isReasoningOpen) return [];
  const messageId = thoughtId(run.turnId, thoughts);
  return [
    { type: 'REASONING_MESSAGE_END', messageId },
    { type: 'REASONING_END', messageId },
  ];
}

const thoughtId = (turnId: string, count: number): string => `${answerIdOf(turnId)}_r${count}`;
