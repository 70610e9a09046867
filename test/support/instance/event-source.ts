/** Server-sent events as they come: read until the stream ends, or given up in the middle as a client does that dies. */
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { post } from './ask.ts';

export interface SentEvent {
  readonly id: number | null;
  readonly event: string;
  /** When to come back, where the server says so. */
  readonly retryMs: number | null;
  readonly frame: ServerFrame;
}

export interface EventSourceRequest {
  readonly url: string;
  readonly body: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** All events until the stream ends, or until `enough` says so: then the connection is cut. */
export async function readEvents(
  { url, body, headers }: EventSourceRequest,
  enough: (events: readonly SentEvent[]) => boolean = () => false,
): Promise<readonly SentEvent[]> {
  const cut = new AbortController();
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'text/event-stream', ...headers },
    body: JSON.stringify(body),
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

/** The refusal of a stream: it has a status of its own. */
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
