/**
 * An HTTP client for tests: turns of `POST /api/protocol`, checked against the documented schema, and event streams.
 */
import type { z } from 'zod';
import { problemSchema } from '../../../src/http/core/answer.ts';
import { protocolAnswerSchema } from '../../../src/http/turns/clinical/protocol-answer.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';

export type Fields = Readonly<Record<string, unknown>>;
export type ProtocolAnswer = z.infer<typeof protocolAnswerSchema>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return replyOf(response);
}

export async function get(url: string, init: RequestInit = {}): Promise<Reply> {
  return replyOf(await fetch(url, init));
}

/** Sends a turn and returns its answer; throws unless the turn completes. */
export async function ask(
  http: string,
  body: Fields,
  headers: Readonly<Record<string, string>> = {},
): Promise<ProtocolAnswer> {
  const reply = await post(`${http}/api/protocol`, body, headers);
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`);
  return protocolAnswerSchema.parse(reply.body);
}

/** The error in a reply. */
export function problemOf(reply: Reply): z.infer<typeof problemSchema>['error'] {
  return problemSchema.parse(reply.body).error;
}

export async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}

export interface SentEvent {
  readonly id: number | null;
  readonly event: string;
  /** The delay before a reconnect, if the server names one. */
  readonly retryMs: number | null;
  readonly frame: ServerFrame;
}

export interface EventSourceRequest {
  readonly url: string;
  /** Absent: a GET. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Reads all events until the stream ends, or cuts the connection as soon as `enough` holds. */
export async function readEvents(
  { url, body, headers }: EventSourceRequest,
  enough: (events: readonly SentEvent[]) => boolean = () => false,
): Promise<readonly SentEvent[]> {
  const cut = new AbortController();
  const asked = { accept: 'text/event-stream', ...headers };
  const response = await fetch(url, {
    ...(body === undefined
      ? { headers: asked }
      : {
          method: 'POST',
          headers: { 'content-type': 'application/json', ...asked },
          body: JSON.stringify(body),
        }),
    signal: cut.signal,
  });
  if (response.status !== 200 || response.body === null)
    throw new Error(`${response.status} ${await response.text()}`);
  const events: SentEvent[] = [];
  let text = '';
  try {
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      const blocks = (text + piece).split('\n\n');
      text = blocks.pop() ?? '';
      events.push(...blocks.flatMap(eventOf));
      if (enough(events)) break;
    }
  } finally {
    cut.abort();
  }
  return events;
}

/** The reply to a stream that the server refuses. */
export function refusedStream({ url, body, headers }: EventSourceRequest) {
  return post(url, body, { accept: 'text/event-stream', ...headers });
}

function eventOf(block: string): readonly SentEvent[] {
  const field = (name: string) =>
    block
      .split('\n')
      .find((line) => line.startsWith(`${name}: `))
      ?.slice(name.length + 2);
  const data = field('data');
  if (data === undefined) return [];
  const id = field('id');
  const retry = field('retry');
  return [
    {
      id: id === undefined ? null : Number(id),
      event: field('event') ?? '',
      retryMs: retry === undefined ? null : Number(retry),
      frame: JSON.parse(data),
    },
  ];
}
