/**
 * A client as a patient's browser is one: it comes back after every loss, resumes after the last offset it has seen,
 * and says again what was not decided.
 *
 *  R1  What a connection brings is looked at before the client forgives anything: see `violations`.
 *  R2  `frames` is what the user was shown, in order, since the last reset.
 */
import { WebSocket } from 'ws';
import type { ClientConversation, TurnView } from '../../src/client/assembler.ts';
import type { ClientEvent, Session } from '../../src/client/session.ts';
import { openSession } from '../../src/client/session-client.ts';
import type { SocketLike } from '../../src/client/socket.ts';
import type { DurableFrame } from '../../src/protocol/server-frames.ts';
import { inspected } from './chaos-inspector.ts';
import type { Frame } from './client.ts';

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
  /** What the user had been shown until then. */
  readonly before: readonly DurableFrame[];
}

export interface Said {
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
  /** When each frame came; resets do not forget them. */
  readonly arrivals: Arrival[] = [];
  /** Closes that the other side spoke, by code; 1006 is a line that broke. */
  readonly closes: number[] = [];
  /** For each time it came back: how many dials that took. */
  readonly attempts: number[] = [];
  readonly instances: string[] = [];
  readonly #lookers = new Set<() => void>();
  readonly #name: string;
  #socket: WebSocket | null = null;
  #dials = 0;
  #said = 0;

  constructor(options: ReconnectingOptions) {
    clients += 1;
    this.#name = `c${clients}`;
    const { resolve = (name) => name, sessionId, after, clientId, random } = options;
    this.session = openSession({
      urls: options.urls,
      connect: (name) => this.#connect(resolve(name)),
      onEvent: (event) => this.#hear(event),
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

  say(content: string, options: { readonly id?: string; readonly maxTokens?: number } = {}): Said {
    this.#said += 1;
    const id = options.id ?? `${this.#name}-m${this.#said}`;
    const limits = options.maxTokens === undefined ? {} : { options: { max_tokens: options.maxTokens } };
    this.session.send(content, { id, ...limits });
    return { id, content };
  }

  /** The message's turn as far as it is known; after a reset only its question tells which one it is. */
  turnOf({ id, content }: Said): TurnView | undefined {
    return this.conversation.turns.findLast((turn) => turn.messageId === id || turn.question === content);
  }

  async answered(said: Said, timeoutMs = WAIT_MS): Promise<TurnView> {
    const ended = () => {
      const turn = this.turnOf(said);
      return turn !== undefined && turn.outcome.kind !== 'running' && this.session.state !== 'processing';
    };
    await this.until(ended, `the end of ${said.id}`, timeoutMs);
    return this.turnOf(said) as TurnView;
  }

  until(condition: () => boolean, what: string, timeoutMs = WAIT_MS): Promise<void> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!condition()) return;
        stop();
        resolve();
      };
      const stop = (): void => {
        clearTimeout(timer);
        this.#lookers.delete(look);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`${this.#name} waited ${timeoutMs} ms for ${what}\n${this.#told()}`));
      }, timeoutMs);
      this.#lookers.add(look);
      look();
    });
  }

  welcomed(timeoutMs?: number): Promise<void> {
    return this.until(() => this.session.connected, 'a welcome', timeoutMs);
  }

  /** Cuts the TCP connection without a word. */
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

  #hear(event: ClientEvent): void {
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
        this.violations.push(`${this.#name}: a gap, ${event.got} where ${event.expected} was to come`);
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
    for (const look of [...this.#lookers]) look();
  }

  #told(): string {
    const { id, state, conversation, unacknowledged, connected } = this.session;
    const turns = conversation.turns.map((turn) => `${turn.messageId}:${turn.outcome.kind}`).join(' ');
    const errors = this.errors.slice(-5).map((error) => error.code);
    return `session ${id}, ${state}, connected ${connected}, offset ${conversation.offset}, turns ${turns}, undecided ${unacknowledged}, errors ${errors}, closes ${this.closes.slice(-5)}, instances ${this.instances}`;
  }
}
