/** Writes responses: whole bodies, and streams of server-sent events in the forms that servers and proxies use. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { FaultPlan } from '../engine/faults.ts';
import type { Pause } from '../engine/pause.ts';
import type { Refusal } from './refusals.ts';

export function sendJson(res: ServerResponse, status: number, body: unknown): void {
  sendText(res, status, JSON.stringify(body), 'application/json');
}

export function sendRefusal(res: ServerResponse, { status, body, contentType, headers }: Refusal): void {
  if (contentType === undefined) sendText(res, status, JSON.stringify(body), 'application/json', headers);
  else sendText(res, status, String(body), contentType, headers);
}

export function sendText(
  res: ServerResponse,
  status: number,
  body: string,
  contentType: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (res.headersSent || res.destroyed) return;
  const length = Buffer.byteLength(body);
  res.writeHead(status, { ...headers, 'content-type': contentType, 'content-length': length });
  res.end(body);
}

const LINE_ENDS: ReadonlyMap<string, string> = new Map([
  ['cr', '\r'],
  ['crlf', '\r\n'],
]);

/** Sends each value as one event, with the faults of a stream. */
export class EventStream {
  readonly #res: ServerResponse;
  readonly #faults: FaultPlan;
  readonly #pause: Pause;
  readonly #lineEnd: string;
  /** Only the end shows which event is the last, so an odd last event makes each event wait for the next one. */
  #held = '';

  /** Sends the headers. */
  constructor(res: ServerResponse, faults: FaultPlan, pause: Pause) {
    this.#res = res;
    this.#faults = faults;
    this.#pause = pause;
    this.#lineEnd = LINE_ENDS.get(faults.get('line-end') ?? '') ?? '\n';
    const contentType = faults.get('content-type') ?? 'text/event-stream; charset=utf-8';
    res.writeHead(200, { 'content-type': contentType, 'x-accel-buffering': 'no' });
    res.flushHeaders();
  }

  async send(value: unknown): Promise<void> {
    const values = this.#faults.has('second-choice') ? [value, secondChoice(value)] : [value];
    const text = values.map((each) => this.#event(JSON.stringify(each))).join('');
    if (!this.#faults.has('last-event')) return await this.#write(text);
    await this.#write(this.#held);
    this.#held = text;
  }

  /** The regular end: [DONE], and no more bytes. */
  async end(): Promise<void> {
    if (this.#faults.has('last-event')) {
      const bare = this.#held.slice(0, this.#held.length - 2 * this.#lineEnd.length);
      this.#res.end(bare + (this.#faults.get('last-event') === 'line' ? this.#lineEnd : ''));
      return;
    }
    await this.#write(this.#event('[DONE]'));
    if (this.#faults.has('open-after-done')) await this.#pause.sleep(Number.POSITIVE_INFINITY);
    this.#res.end();
  }

  #event(data: string): string {
    const before = this.#faults.has('comments') ? [': keep-alive', '', 'event: ping', 'data: {}', ''] : [];
    return [...before, `data: ${data}`, '', ''].join(this.#lineEnd);
  }

  async #write(text: string): Promise<void> {
    if (this.#pause.cancelled || text === '' || this.#res.write(text)) return;
    await Promise.race([once(this.#res, 'drain'), once(this.#res, 'close')]);
  }
}

/** The same chunk for a second choice: a client that asked for one answer must ignore it. */
function secondChoice(value: unknown): unknown {
  const { choices, ...chunk } = value as { readonly choices?: readonly object[] };
  const [choice] = choices ?? [];
  if (choice === undefined) return value;
  return {
    ...chunk,
    choices: [{ ...choice, index: 1, delta: { content: 'Quite another answer.' }, text: 'No.' }],
  };
}
