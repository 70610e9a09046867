/**
 * TestClient hides nothing: it sends the frames of the test, keeps every frame that arrives, and never reconnects.
 *
 *  WAIT-1  `waitFor` returns each frame at most once: it searches after the last frame that it returned.
 *  WAIT-2  A wait ends with its frame, with the connection, or with its time.
 */
import { once } from 'node:events';
import { type RawData, WebSocket } from 'ws';
import type { DurableFrame, ServerFrame } from '../../../src/protocol/server-frames.ts';

export type Frame<T extends ServerFrame['type']> = Extract<ServerFrame, { type: T }>;
export type TurnEnd = Frame<'turn.completed'> | Frame<'turn.failed'> | Frame<'turn.cancelled'>;

export interface Closed {
  readonly code: number;
  readonly reason: string;
}

export interface WaitOptions {
  readonly timeoutMs?: number;
  /** Index in `frames` where the search begins; absent: after the frame that the last `waitFor` returned. */
  readonly from?: number;
}

const WAIT_MS = 60_000;
const GREETINGS_MAX = 60;
const GREETING_PAUSE_MS = 250;

export class TestClient {
  readonly frames: ServerFrame[] = [];
  readonly closed: Promise<Closed>;
  readonly #socket: WebSocket;
  readonly #watchers = new Set<() => void>();
  #cursor = 0;
  #ended: Closed | null = null;
  /** Why the connection broke, where that is known: a close of 1006 alone does not say. */
  #failure = '';

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        this.#ended = { code, reason: reason.toString() };
        resolve(this.#ended);
        this.#check();
      });
    });
    // `close` follows; without a listener the process would end.
    socket.on('error', ({ message }) => {
      this.#failure = message;
    });
    socket.on('message', (data: RawData) => {
      this.frames.push(JSON.parse(data.toString()) as ServerFrame);
      this.#check();
    });
  }

  static async open(
    url: string,
    protocols: readonly string[] = [],
    headers: Readonly<Record<string, string>> = {},
    /** The certificate of a TLS server that is its own authority. */
    ca?: string,
  ): Promise<TestClient> {
    const socket = new WebSocket(url, [...protocols], { headers, ...(ca !== undefined && { ca }) });
    const client = new TestClient(socket);
    await once(socket, 'open');
    return client;
  }

  /**
   * Opens a connection, sends hello, and waits for welcome. While the machine is too busy for new clients, it asks again, as
   * the protocol says.
   */
  static async greet(url: string, fields: Readonly<Record<string, unknown>> = {}): Promise<TestClient> {
    for (let attempt = 1; ; attempt += 1) {
      const client = await TestClient.open(url);
      try {
        await client.hello(fields);
        return client;
      } catch (error) {
        if (client.#ended?.reason !== 'overloaded' || attempt === GREETINGS_MAX) throw error;
        await new Promise((resume) => setTimeout(resume, GREETING_PAUSE_MS));
      }
    }
  }

  get protocol(): string {
    return this.#socket.protocol;
  }

  get isOpen(): boolean {
    return this.#ended === null;
  }

  /** The last welcome; throws if there was none. */
  get welcome(): Frame<'welcome'> {
    const welcome = this.frames.findLast((frame) => frame.type === 'welcome');
    if (welcome === undefined) throw new Error('this client was not welcomed');
    return welcome;
  }

  get sessionId(): string {
    return this.welcome.session_id;
  }

  get durable(): readonly DurableFrame[] {
    return this.frames.filter(isDurable);
  }

  async hello(fields: Readonly<Record<string, unknown>> = {}): Promise<Frame<'welcome'>> {
    this.send({ type: 'hello', ...fields });
    return this.waitForType('welcome');
  }

  send(frame: Readonly<Record<string, unknown>>): void {
    this.sendRaw(JSON.stringify(frame));
  }

  sendRaw(data: string | Buffer): void {
    this.#socket.send(data);
  }

  message(id: string, content: string, extra: Readonly<Record<string, unknown>> = {}): void {
    this.send({ type: 'message', id, content, ...extra });
  }

  waitFor<T extends ServerFrame>(
    predicate: (frame: ServerFrame) => frame is T,
    what: string,
    timeoutMs?: number | WaitOptions,
  ): Promise<T>;
  waitFor(
    predicate: (frame: ServerFrame) => boolean,
    what: string,
    timeoutMs?: number | WaitOptions,
  ): Promise<ServerFrame>;
  waitFor(
    predicate: (frame: ServerFrame) => boolean,
    what: string,
    options: number | WaitOptions = {},
  ): Promise<ServerFrame> {
    const { timeoutMs = WAIT_MS, from } = typeof options === 'number' ? { timeoutMs: options } : options;
    let next = from ?? this.#cursor;
    return new Promise((resolve, reject) => {
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const fail = (why: string): void => {
        stop();
        reject(new Error(`waited for ${what}: ${why}\n${this.#description()}`));
      };
      const check = (): void => {
        for (; next < this.frames.length; next += 1) {
          const frame = this.frames[next];
          if (frame === undefined || !predicate(frame)) continue;
          if (from === undefined) this.#cursor = Math.max(this.#cursor, next + 1);
          stop();
          return resolve(frame);
        }
        if (this.#ended !== null)
          fail(`the connection closed, ${this.#ended.code} ${this.#ended.reason} ${this.#failure}`);
      };
      const timer = setTimeout(() => fail(`not within ${timeoutMs} ms`), timeoutMs);
      this.#watchers.add(check);
      check();
    });
  }

  waitForType<T extends ServerFrame['type']>(type: T, options?: number | WaitOptions): Promise<Frame<T>> {
    return this.waitFor((frame): frame is Frame<T> => frame.type === type, type, options);
  }

  /** The end of a message's turn, in earlier or later frames. */
  completed(messageId: string, timeoutMs: number = WAIT_MS): Promise<TurnEnd> {
    const isEnd = (frame: ServerFrame): frame is TurnEnd =>
      (frame.type === 'turn.completed' || frame.type === 'turn.failed' || frame.type === 'turn.cancelled') &&
      frame.message_id === messageId;
    return this.waitFor(isEnd, `the end of ${messageId}`, { timeoutMs, from: 0 });
  }

  /**
   * Sends a message, and again whenever the instance cannot keep up, after the wait that it asks for. Resolves once the turn
   * is completed, with the number of refusals.
   */
  async ask(id: string, content: string): Promise<number> {
    for (let refusals = 0; ; refusals += 1) {
      const from = this.frames.length;
      const isAbout = (frame: ServerFrame): frame is Frame<'turn.completed'> | Frame<'error'> =>
        (frame.type === 'turn.completed' || frame.type === 'error') && frame.message_id === id;
      this.message(id, content);
      const answer = await this.waitFor(isAbout, `an answer to ${id}`, { from });
      if (answer.type === 'turn.completed') return refusals;
      if (answer.code !== 'overloaded') throw new Error(JSON.stringify(answer));
      await new Promise((resume) => setTimeout(resume, answer.retry_after_ms ?? 1_000));
    }
  }

  /** The refusal of a message. */
  refused(messageId: string, timeoutMs: number = WAIT_MS): Promise<Frame<'error'>> {
    const isRefusal = (frame: ServerFrame): frame is Frame<'error'> =>
      frame.type === 'error' && frame.message_id === messageId;
    return this.waitFor(isRefusal, `an error about ${messageId}`, { timeoutMs, from: 0 });
  }

  turnText(turnId: string): string {
    return this.frames
      .filter((frame) => frame.type === 'delta')
      .filter((frame) => frame.turn_id === turnId)
      .map((frame) => frame.text)
      .join('');
  }

  /** The offsets of the durable frames, in the order of arrival. */
  offsets(): readonly number[] {
    return this.durable.map((frame) => frame.offset);
  }

  /** Cuts the TCP connection without a close frame. */
  drop(): void {
    this.#socket.terminate();
  }

  /** Stops reading, so that the server's buffer fills up. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  async close(code = 1000): Promise<Closed> {
    this.#socket.close(code);
    return this.closed;
  }

  #check(): void {
    for (const check of [...this.#watchers]) check();
  }

  #description(): string {
    const tail = this.frames.slice(-12).map((frame) => JSON.stringify(frame).slice(0, 200));
    return `received ${this.frames.length} frames, the last of them:\n${tail.join('\n')}`;
  }
}

export function isDurable(frame: ServerFrame): frame is DurableFrame {
  return 'offset' in frame && frame.type !== 'welcome' && frame.type !== 'reset';
}
