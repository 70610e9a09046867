/**
 * ReconnectingClient behaves like a patient's browser: it reconnects after every loss, resumes after the last offset
 * that it saw, and resends undecided messages.
 *
 *  RECONN-1  It inspects every frame before its session drops or repairs any: see `violations`.
 *  RECONN-2  `frames` holds what the user saw, in order, since the last reset.
 */
import { WebSocket } from 'ws';
import type { ClientConversation, TurnView } from '../../../src/client/assembler.ts';
import type { SocketLike } from '../../../src/client/connection.ts';
import type { ClientEvent, Session } from '../../../src/client/session.ts';
import { openSession } from '../../../src/client/session-client.ts';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import type { Frame } from './client.ts';
import { inspected } from './frame-inspector.ts';

export interface ReconnectingOptions {
  /** Names that `resolve` turns into addresses at each dial; an address is its own name. */
  readonly urls: readonly string[];
  readonly resolve?: (name: string) => string;
  readonly sessionId?: string;
  readonly after?: number;
  readonly clientId?: string;
  readonly random?: () => number;
}

export interface ResetSeen {
  readonly reason: string;
  /** The frames that the user had seen until then. */
  readonly before: readonly DurableFrame[];
}

export interface SentMessage {
  readonly id: string;
  readonly content: string;
}

export interface Arrival {
  readonly atMs: number;
  readonly offset: number;
  readonly type: DurableFrame['type'];
}

const WAIT_MS = 120_000;
let clients = 0;

export class ReconnectingClient {
  readonly session: Session;
  readonly frames: DurableFrame[] = [];
  readonly resets: ResetSeen[] = [];
  readonly errors: Frame<'error'>[] = [];
  readonly violations: string[] = [];
  /** The arrival of each frame; a reset keeps them. */
  readonly arrivals: Arrival[] = [];
  /** Close codes of lost connections; 1006 is a broken line. */
  readonly closes: number[] = [];
  /** Dials per welcome. */
  readonly attempts: number[] = [];
  readonly instances: string[] = [];
  readonly #watchers = new Set<() => void>();
  readonly #name: string;
  #socket: WebSocket | null = null;
  #dials = 0;
  #sent = 0;

  constructor(options: ReconnectingOptions) {
    clients += 1;
    this.#name = `c${clients}`;
    const { resolve = (name) => name, sessionId, after, clientId, random } = options;
    this.session = openSession({
      urls: options.urls,
      connect: (name) => this.#connect(resolve(name)),
      onEvent: (event) => this.#onEvent(event),
      ...(sessionId === undefined ? {} : { sessionId }),
      ...(after === undefined ? {} : { after }),
      ...(clientId === undefined ? {} : { clientId }),
      ...(random === undefined ? {} : { random }),
    });
  }

  get sessionId(): string {
    if (this.session.id === null) throw new Error('this client was never welcomed');
    return this.session.id;
  }

  get conversation(): ClientConversation {
    return this.session.conversation;
  }

  get offset(): number {
    return this.conversation.offset;
  }

  say(content: string, options: { readonly id?: string; readonly maxTokens?: number } = {}): SentMessage {
    this.#sent += 1;
    const id = options.id ?? `${this.#name}-m${this.#sent}`;
    const limits = options.maxTokens === undefined ? {} : { options: { max_tokens: options.maxTokens } };
    this.session.send(content, { id, ...limits });
    return { id, content };
  }

  /** The message's turn; in a reset's transcript only the question identifies it. */
  turnOf({ id, content }: SentMessage): TurnView | undefined {
    return this.conversation.turns.findLast(
      ({ messageId, question }) => messageId === id || (messageId === null && question === content),
    );
  }

  async answered(message: SentMessage, timeoutMs = WAIT_MS): Promise<TurnView> {
    const ended = () => {
      const turn = this.turnOf(message);
      return turn !== undefined && turn.outcome.kind !== 'running' && this.session.state !== 'processing';
    };
    await this.until(ended, `the end of ${message.id}`, timeoutMs);
    return this.turnOf(message) as TurnView;
  }

  until(condition: () => boolean, what: string, timeoutMs = WAIT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const check = (): void => {
        if (!condition()) return;
        stop();
        resolve();
      };
      const stop = (): void => {
        clearTimeout(timer);
        this.#watchers.delete(check);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${this.#name} waited ${timeoutMs} ms for ${what}\n${this.#description()}`));
      }, timeoutMs);
      this.#watchers.add(check);
      check();
    });
  }

  welcomed(timeoutMs?: number): Promise<void> {
    return this.until(() => this.session.connected, 'a welcome', timeoutMs);
  }

  /** Cuts the TCP connection without a close frame. */
  drop(): void {
    this.#socket?.terminate();
  }

  stop(): void {
    this.session.stop();
    this.#socket?.terminate();
  }

  #connect(url: string): SocketLike {
    this.#dials += 1;
    const socket = new WebSocket(url);
    this.#socket = socket;
    return inspected(socket, (what) => this.violations.push(`${this.#name} at ${url}: ${what}`));
  }

  #onEvent(event: ClientEvent): void {
    switch (event.type) {
      case 'welcomed':
        this.attempts.push(this.#dials);
        this.#dials = 0;
        this.instances.push(event.welcome.instance);
        break;
      case 'frame':
        this.frames.push(event.frame);
        this.arrivals.push({ atMs: Date.now(), offset: event.frame.offset, type: event.frame.type });
        break;
      case 'reset':
        this.resets.push({ reason: event.reason, before: this.frames.splice(0) });
        break;
      case 'gap':
        this.violations.push(`${this.#name}: a gap, ${event.got} instead of ${event.expected}`);
        break;
      case 'error':
        this.errors.push(event.error);
        break;
      case 'lost':
        this.closes.push(event.code);
        break;
      case 'dialling':
      case 'over':
        break;
    }
    for (const check of [...this.#watchers]) check();
  }

  #description(): string {
    const { id, state, conversation, unacknowledged, connected } = this.session;
    const turns = conversation.turns.map((turn) => `${turn.messageId}:${turn.outcome.kind}`).join(' ');
    const errors = this.errors.slice(-5).map((error) => error.code);
    return `session ${id}, ${state}, connected ${connected}, offset ${conversation.offset}, turns ${turns}, undecided ${unacknowledged}, errors ${errors}, closes ${this.closes.slice(-5)}, instances ${this.instances}`;
  }
}
