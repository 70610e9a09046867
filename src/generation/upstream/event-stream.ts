/**
 * AnswerReader parses the body of an answer, piece by piece, into the JSON values that the server sent.
 *
 * BODY-1  Chunk boundaries and the kind of line end do not change the result.
 * BODY-2  A last event without its blank line counts if its data is complete; half an event never does.
 * BODY-3  The reader stops at [DONE], because some servers keep the body open after it.
 * BODY-4  A body that is one JSON document is one value. Any other body is an error, never an empty answer.
 */
import { StringDecoder } from 'node:string_decoder';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { isRecord, parseJson } from './loose-json.ts';

export type BodyProblem =
  /** The data of an event is not JSON, or never ends. */
  | 'malformed'
  /** The bytes end in the middle of a document. */
  | 'truncated'
  /** The body is neither an event stream nor JSON: a web page, as a rule. */
  | 'not-an-answer';

/** `done`: [DONE] came, and the rest of the body holds nothing. A reader that is not open any more stays as it is. */
export type BodyState = 'open' | 'done' | BodyProblem;

export interface AnswerReader {
  push(piece: Uint8Array): BodyState;
  /** The bytes have ended, or the connection broke: the last event may be whole all the same. */
  end(): BodyState;
}

const DONE = '[DONE]';
/** Bounds memory: a line or document may never end. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

export function createAnswerReader(onValue: (value: unknown) => void): AnswerReader {
  const decode = createDecoder();
  let body: TextReader | null = null;
  let start = '';

  return {
    push(piece) {
      let text = decode(piece);
      if (body === null) {
        start = (start + text).trimStart(); // with the byte order mark
        if (start === '') return 'open';
        body = isEventStream(start) ? createEventReader(onValue) : createDocumentReader(onValue, start);
        text = start;
      }
      return body.push(text);
    },
    end: () => body?.end(decode(null)) ?? 'open',
  };
}

interface TextReader {
  push(text: string): BodyState;
  end(text: string): BodyState;
}

/** The content type proves nothing: proxies and small servers send streams as text/plain and pages as anything. */
function isEventStream(start: string): boolean {
  return !/^[{[<]/.test(start);
}

function createEventReader(onValue: (value: unknown) => void): TextReader {
  let state: BodyState = 'open';
  const parser = createParser({
    onEvent(event) {
      if (state !== 'open') return;
      if (event.data.trim() === DONE) {
        state = 'done'; // BODY-3
        return;
      }
      const value = valueIn(event);
      if (value === MALFORMED) state = 'malformed';
      else if (value !== undefined) onValue(value);
    },
    onError({ type }) {
      if (type === 'max-buffer-size-exceeded' && state === 'open') state = 'malformed';
    },
    maxBufferSize: MAX_CHARACTERS,
  });
  const push = (text: string): BodyState => {
    if (state === 'open') parser.feed(text);
    return state;
  };
  return {
    push,
    end(text) {
      if (push(text) !== 'open') return state;
      parser.feed('\n\n'); // BODY-2
      // A malformed last event is half an event: the stream ends without it.
      return state === 'malformed' ? 'open' : state;
    },
  };
}

const MALFORMED = Symbol('malformed');

/** undefined: the event holds nothing for this client. */
function valueIn({ event, data }: EventSourceMessage): unknown {
  if (data.trim() === '') return undefined;
  const value = parseJson(data);
  if (event === 'error') return isRecord(value) && 'error' in value ? value : { error: value ?? data };
  if (value === undefined && (event === undefined || event === 'message')) return MALFORMED;
  return value;
}

function createDocumentReader(onValue: (value: unknown) => void, start: string): TextReader {
  let state: BodyState = start.startsWith('<') ? 'not-an-answer' : 'open';
  const parts: string[] = [];
  let length = 0;

  const push = (text: string): BodyState => {
    if (state !== 'open') return state;
    length += text.length;
    if (length > MAX_CHARACTERS) state = 'malformed';
    else parts.push(text);
    return state;
  };
  return {
    push,
    end(text) {
      if (push(text) !== 'open') return state;
      const value = parseJson(parts.join(''));
      if (value === undefined) return 'truncated';
      onValue(value);
      return 'open';
    },
  };
}

/**
 * Decodes text with `\n` as the only line end. After a bare `\r` the parser waits for the next character, which would
 * hold back the last event of a body that stays open.
 */
function createDecoder(): (bytes: Uint8Array | null) => string {
  const decoder = new StringDecoder('utf8');
  let endsInReturn = false;
  return (bytes) => {
    let text = bytes === null ? decoder.end() : decoder.write(bytes as Buffer);
    if (endsInReturn && text.startsWith('\n')) {
      text = text.slice(1);
      endsInReturn = false;
    }
    if (text !== '') endsInReturn = text.endsWith('\r');
    return text.includes('\r') ? text.replace(/\r\n?/g, '\n') : text;
  };
}
