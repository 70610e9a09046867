/**
 * readAnswerBody parses the body of an answer into the JSON values that the server sent.
 *
 * BODY-1  Chunk boundaries and the kind of line end do not change the result.
 * BODY-2  A last event without its blank line counts if its data is complete; half an event never does.
 * BODY-3  The reader stops at [DONE], because some servers keep the body open after it.
 * BODY-4  A body that is one JSON document is one value. Any other body is an error, never an empty answer.
 */
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { isRecord, parseJson } from './loose-json.ts';

export type BodyProblem =
  /** The data of an event is not JSON, or never ends. */
  | 'malformed'
  /** The bytes end in the middle of a document. */
  | 'truncated'
  /** The body is neither an event stream nor JSON: a web page, as a rule. */
  | 'not-an-answer';

export class BodyError extends Error {
  readonly problem: BodyProblem;
  constructor(problem: BodyProblem) {
    super(problem);
    this.problem = problem;
  }
}

const DONE = '[DONE]';
/** Bounds memory: a line or document may never end. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export async function* readAnswerBody(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<unknown, void> {
  const decode = createDecoder();
  let body: BodyReader | null = null;
  let start = '';
  let broken: { readonly error: unknown } | null = null;
  try {
    for await (const piece of bytes) {
      let text = decode(piece);
      if (body === null) {
        start = (start + text).trimStart();
        if (start === '') continue;
        body = isEventStream(start) ? createEventReader() : createDocumentReader(start);
        text = start;
      }
      yield* body.push(text);
      if (body.isDone) return; // BODY-3
    }
  } catch (error) {
    // The last event may be whole even though the connection broke after it.
    broken = { error };
  }
  if (body !== null && !(broken?.error instanceof BodyError)) yield* body.end(decode(null));
  if (broken !== null && body?.isDone !== true) throw broken.error;
}

interface BodyReader {
  readonly isDone: boolean;
  push(text: string): Iterable<unknown>;
  end(text: string): Iterable<unknown>;
}

/** The content type proves nothing: proxies and small servers send streams as text/plain and pages as anything. */
function isEventStream(start: string): boolean {
  return !/^[{[<]/.test(start);
}

function createEventReader(): BodyReader {
  let events: EventSourceMessage[] = [];
  let isDone = false;
  let isTooLong = false;
  const parser = createParser({
    onEvent: (event) => void events.push(event),
    onError: ({ type }) => {
      if (type === 'max-buffer-size-exceeded') isTooLong = true;
    },
    maxBufferSize: MAX_CHARACTERS,
  });

  function* read(text: string): Generator<unknown, void> {
    parser.feed(text);
    const received = events;
    events = [];
    for (const event of received) {
      if (event.data.trim() === DONE) {
        isDone = true;
        return;
      }
      const value = jsonOf(event);
      if (value !== undefined) yield value;
    }
    if (isTooLong) throw new BodyError('malformed');
  }

  return {
    get isDone() {
      return isDone;
    },
    push: (text) => read(text),
    *end(text) {
      yield* read(text);
      try {
        yield* read('\n\n'); // BODY-2
      } catch {
        // Half an event: the stream ends without it.
      }
    },
  };
}

/** undefined: the event holds nothing for this client. */
function jsonOf({ event, data }: EventSourceMessage): unknown {
  if (data.trim() === '') return undefined;
  const value = parseJson(data);
  if (event === 'error') return isRecord(value) && 'error' in value ? value : { error: value ?? data };
  if (value === undefined && (event === undefined || event === 'message')) throw new BodyError('malformed');
  return value;
}

function createDocumentReader(start: string): BodyReader {
  if (start.startsWith('<')) throw new BodyError('not-an-answer');
  const parts: string[] = [];
  let length = 0;

  const push = (text: string): Iterable<unknown> => {
    length += text.length;
    if (length > MAX_CHARACTERS) throw new BodyError('malformed');
    parts.push(text);
    return [];
  };
  return {
    isDone: false,
    push,
    end(text) {
      push(text);
      const value = parseJson(parts.join(''));
      if (value === undefined) throw new BodyError('truncated');
      return [value];
    },
  };
}

/**
 * Decodes text with `\n` as the only line end. After a bare `\r` the parser waits for the next character, which would
 * hold back the last event of a body that stays open.
 */
function createDecoder(): (bytes: Uint8Array | null) => string {
  const decoder = new TextDecoder(); // removes the byte order mark
  let endsInReturn = false;
  return (bytes) => {
    let text = bytes === null ? decoder.decode() : decoder.decode(bytes, { stream: true });
    if (endsInReturn && text.startsWith('\n')) {
      text = text.slice(1);
      endsInReturn = false;
    }
    if (text !== '') endsInReturn = text.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  };
}
