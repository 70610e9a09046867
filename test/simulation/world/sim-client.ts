/**
 * SimClient behaves as the protocol asks: it says hello to any instance, sends each message under one id until the
 * server has decided, resumes after its offset and epoch, and assembles the text.
 *
 *  SIMCLIENT-1  It resends a message after each welcome until a durable frame, or a final error, settles it.
 *  SIMCLIENT-2  It drops its frames after `resumed: false`, another `created_at` or `reset`, and only then.
 *  SIMCLIENT-3  It never waits for ever: if it misses an answer and receives nothing, it reconnects.
 *  SIMCLIENT-4  Without faults, a client that was connected for a while receives the last frame of its session.
 *  SIMCLIENT-5  A client without an epoch gets no report of a loss while it was away. It does get one while it is
 *               connected, and when an instance closes its socket because the session moved.
 */
import type { DurableFrame, ServerFrame, TransientFrame } from '../../../src/protocol/server-frames.ts';
import type { Act, ClientPlan } from '../fault-plan.ts';
import type { History } from '../judge/history.ts';
import { Reader } from '../judge/reader.ts';
import type { Violations } from '../judge/violations.ts';
import type { Random } from '../random.ts';
import type { Scheduler } from './scheduler.ts';
import type { SimModel } from './sim-generator.ts';
import type { SimSocket } from './sim-socket.ts';

export interface ClientPorts {
  readonly plan: ClientPlan;
  readonly sessionId: string;
  /** Nothing goes wrong in this world. */
  readonly isCalm: boolean;
  readonly scheduler: Scheduler;
  readonly history: History;
  readonly model: SimModel;
  readonly violations: Violations;
  readonly random: Random;
  readonly note: (line: () => string) => void;
  /** Opens a connection to some instance; null where none answers. */
  readonly dial: (client: SimClient, link: LinkEvents) => SimSocket | null;
}

export interface LinkEvents {
  readonly onFrame: (frame: string) => void;
  readonly onClose: (code: number, reason: string) => void;
}

interface Message {
  readonly id: string;
  readonly policy: string;
  readonly content: string;
}

type Phase =
  | { readonly kind: 'away' }
  | { readonly kind: 'linked'; readonly socket: SimSocket; readonly helloAt: number; welcomed: boolean }
  /** It saw the end of the session and has nothing more to say. */
  | { readonly kind: 'over' };

const UNDECIDED = new Set(['store_unavailable', 'session_moved', 'session_not_found', 'overloaded']);
const PATIENCE_MS = 2_600;
const LOOK_EVERY_MS = 650;
/** A client with a `welcome` this old has read every earlier frame. */
const AT_HOME_MS = 500;

export class SimClient {
  readonly name: string;
  readonly #ports: ClientPorts;
  readonly #outbox = new Map<string, Message>();
  readonly #reader: Reader;
  #phase: Phase = { kind: 'away' };
  #links = 0;
  /** Its connections before this one. */
  readonly #former: SimSocket[] = [];
  #current: SimSocket | null = null;
  #said = 0;
  #actsLeft: number;
  #welcome: Extract<TransientFrame, { type: 'welcome' }> | null = null;
  /** The last frame that it has: its offset and its epoch. */
  #after: number;
  #epoch: number | null = null;
  /** SIMCLIENT-5 */
  #mayMiss = false;
  #turnId: string | null = null;
  #text = '';
  #heardAt = 0;
  #lastType: DurableFrame['type'] | null = null;
  /** Inputs of this connection that are still undecided, in order. */
  #inOrder: string[] = [];
  readonly #overtaken = new Map<string, string>();

  constructor(ports: ClientPorts) {
    this.#ports = ports;
    const { plan, sessionId, history, violations, scheduler } = ports;
    this.name = plan.name;
    this.#after = 0;
    this.#actsLeft = plan.acts.length;
    this.#reader = new Reader(plan.name, sessionId, history, violations);
    this.#reader.startAt(0);
    const firstMs = Math.min(...plan.acts.map(({ atMs }) => atMs), 400);
    scheduler.after(Math.max(20, firstMs - 50), () => this.#dial());
    for (const act of plan.acts) scheduler.after(act.atMs, () => this.#act(act));
    scheduler.after(LOOK_EVERY_MS, () => this.#look());
  }

  get over(): boolean {
    return this.#phase.kind === 'over';
  }

  get done(): boolean {
    return this.#actsLeft === 0 && this.#outbox.size === 0;
  }

  get outstanding(): readonly string[] {
    return [...this.#outbox.keys()];
  }

  /** True while the client is connected, and got its `welcome` at least so long ago. */
  isSettled(forMs: number): boolean {
    return this.#phase.kind === 'linked' && this.#phase.socket.open && this.#isAtHome(forMs);
  }

  get reader(): Reader {
    return this.#reader;
  }

  #dial(): void {
    if (this.#phase.kind !== 'away') return;
    const { scheduler, dial, random } = this.#ports;
    this.#links += 1;
    const link = this.#links;
    const socket = dial(this, {
      onFrame: (frame) => {
        if (link === this.#links) this.#hear(frame);
      },
      onClose: (code, reason) => {
        if (link === this.#links) this.#closed(code, reason);
      },
    });
    if (socket === null) return void scheduler.after(random.between(20, 200), () => this.#dial());
    if (this.#current !== null) this.#former.push(this.#current);
    this.#current = socket;
    this.#phase = { kind: 'linked', socket, helloAt: scheduler.now, welcomed: false };
    this.#heardAt = scheduler.now;
    this.#inOrder = [];
    this.#overtaken.clear();
    this.#sayHello(socket);
  }

  #sayHello(socket: SimSocket): void {
    const { plan, sessionId, note } = this.#ports;
    const fresh = this.#welcome === null && plan.from === 'now';
    note(() => `${this.name} says hello${fresh ? '' : ` after ${this.#after} of epoch ${this.#epoch}`}`);
    socket.say({
      type: 'hello',
      session_id: sessionId,
      client_id: this.name,
      ...(fresh ? {} : { after: this.#after }),
      ...(this.#epoch === null || !plan.saysEpoch ? {} : { epoch: this.#epoch }),
    });
  }

  #act(act: Act): void {
    this.#actsLeft -= 1;
    const phase = this.#phase;
    const socket = phase.kind === 'linked' && phase.welcomed ? phase.socket : null;
    switch (act.kind) {
      case 'say': {
        this.#said += 1;
        const id = `${this.name}.${this.#said}`;
        const message: Message = { id, policy: act.policy, content: `question ${id}` };
        this.#outbox.set(id, message);
        if (phase.kind === 'over') this.#return(1);
        if (socket === null) return;
        this.#inOrder.push(id);
        return this.#sayMessage(socket, message);
      }
      case 'cancel':
        return socket?.say({ type: 'cancel', ...(this.#turnId === null ? {} : { turn_id: this.#turnId }) });
      case 'extend':
        return socket?.say({ type: 'extend' });
      case 'close':
        return socket?.say({ type: 'close' });
      case 'stall':
        return socket?.stall(this.#ports.scheduler.now + act.forMs);
      case 'drop':
        if (phase.kind === 'linked') this.#leave(act.heardMs, act.awayMs);
    }
  }

  #sayMessage(socket: SimSocket, { id, policy, content }: Message): void {
    this.#ports.note(() => `${this.name} says ${id} (${policy})`);
    socket.say({ type: 'message', id, content, policy });
  }

  #leave(heardMs: number, awayMs: number): void {
    this.#mayMiss = !this.#ports.plan.saysEpoch;
    if (this.#phase.kind === 'linked') this.#phase.socket.leave(heardMs);
    this.#ports.note(() => `${this.name} leaves`);
    this.#links += 1;
    this.#return(awayMs);
  }

  #return(awayMs: number): void {
    this.#phase = { kind: 'away' };
    this.#ports.scheduler.after(awayMs, () => this.#dial());
  }

  #look(): void {
    const { scheduler } = this.#ports;
    scheduler.after(LOOK_EVERY_MS, () => this.#look());
    const phase = this.#phase;
    if (phase.kind !== 'linked') return;
    const waits = !phase.welcomed || this.#outbox.size > 0 || this.#turnId !== null;
    if (waits && scheduler.now - this.#heardAt > PATIENCE_MS) this.#leave(1, 50);
  }

  #closed(code: number, reason: string): void {
    const { note, violations, random } = this.#ports;
    note(() => `${this.name} is closed: ${code} ${reason}`);
    // Instances cannot know which of two living connections is the newer one; one that they saw end is none.
    if (code === 4009 && !this.#former.some((socket) => socket.mayCount))
      violations.found('LIVE', `${this.name} was told that it was replaced, by a connection that had ended`);
    this.#mayMiss ||= !this.#ports.plan.saysEpoch && reason !== 'session_moved';
    this.#links += 1;
    const over = code === 4011 || (code === 1000 && reason === 'closed');
    if (over && this.#ports.isCalm && this.#isAtHome(AT_HOME_MS) && this.#lastType !== 'expired')
      violations.found('G5', `${this.name} was not told the last words of its session`);
    if (over && this.#outbox.size === 0) this.#phase = { kind: 'over' };
    else this.#return(random.between(20, 250));
  }

  #isAtHome(forMs: number): boolean {
    const phase = this.#phase;
    return phase.kind === 'linked' && phase.welcomed && this.#ports.scheduler.now - phase.helloAt > forMs;
  }

  #hear(data: string): void {
    const phase = this.#phase;
    if (phase.kind !== 'linked') return;
    this.#heardAt = this.#ports.scheduler.now;
    const frame = JSON.parse(data) as ServerFrame;
    switch (frame.type) {
      case 'welcome':
        return this.#onWelcome(phase, frame);
      case 'reset':
        this.#drop(frame.offset, frame.epoch);
        this.#ports.note(() => `${this.name} is reset to ${frame.offset}: ${frame.reason}`);
        return;
      case 'error':
        return this.#onError(phase, frame);
      case 'extended':
      case 'authenticated':
      case 'pong':
        return;
      default:
        return this.#onDurable(data, frame);
    }
  }

  #onWelcome(
    phase: Extract<Phase, { kind: 'linked' }>,
    welcome: Extract<TransientFrame, { type: 'welcome' }>,
  ): void {
    this.#ports.note(
      () => `${this.name} is welcomed by ${welcome.instance}: ${welcome.offset}, epoch ${welcome.epoch}`,
    );
    const known = this.#welcome;
    this.#welcome = welcome;
    const another = welcome.resumed && known !== null && known.created_at !== welcome.created_at;
    if (known === null && this.#ports.plan.from === 'now') this.#drop(welcome.offset, welcome.epoch);
    else if (!welcome.resumed || another) this.#drop(0, welcome.epoch);
    // What this connection replays is of the log that it asked for: of the session that is gone.
    if (another) return this.#leave(1, 5);
    phase.welcomed = true;
    for (const message of this.#outbox.values()) this.#sayMessage(phase.socket, message);
  }

  #onError(
    phase: Extract<Phase, { kind: 'linked' }>,
    error: Extract<TransientFrame, { type: 'error' }>,
  ): void {
    this.#ports.note(() => `${this.name} hears ${error.code} ${error.message_id ?? ''}`);
    const id = error.message_id;
    this.#inOrder = [];
    if (error.code === 'internal') this.#ports.violations.found('R24', `${this.name} was told: internal`);
    if (id !== undefined && !UNDECIDED.has(error.code)) this.#outbox.delete(id);
    if (error.code !== 'store_unavailable') return;
    // The client may repeat its hello on this connection; a new connection does as well.
    if (phase.welcomed || this.#ports.random.chance(0.5)) return this.#leave(1, 100);
    this.#ports.scheduler.after(150, () => {
      if (this.#phase === phase && !phase.welcomed) this.#sayHello(phase.socket);
    });
  }

  #onDurable(data: string, frame: DurableFrame): void {
    const taken = this.#reader.take(data, frame, this.#mayMiss);
    if (taken === 'wrong') return;
    // What it put together is of two stories.
    if (taken === 'missed') this.#turnId = null;
    this.#mayMiss = false;
    this.#after = frame.offset;
    this.#epoch = frame.epoch;
    this.#lastType = frame.type;
    this.#ports.note(() => `${this.name} gets ${frame.offset} ${frame.type} of epoch ${frame.epoch}`);
    switch (frame.type) {
      case 'turn.started':
        this.#turnId = frame.turn_id;
        this.#text = '';
        for (const id of frame.message_ids ?? [frame.message_id]) this.#settle(id);
        return;
      case 'message.queued':
        return this.#settle(frame.message_id);
      case 'delta':
        this.#text += frame.text;
        return;
      case 'turn.completed':
      case 'turn.failed':
      case 'turn.cancelled':
        this.#settle(frame.message_id);
        this.#judge(frame);
        this.#turnId = null;
        return;
    }
  }

  /** G7: the assembled text is the model's text. */
  #judge(frame: Extract<DurableFrame, { type: 'turn.completed' | 'turn.failed' | 'turn.cancelled' }>): void {
    if (this.#turnId !== frame.turn_id) return;
    const { model, violations } = this.#ports;
    const answers = [...model.answersOf(frame.turn_id)];
    const fits = answers.some((answer) =>
      frame.type === 'turn.completed' ? answer === this.#text : answer.startsWith(this.#text),
    );
    if (fits || (frame.type !== 'turn.completed' && this.#text === '')) return;
    const words = `${this.name} has ${JSON.stringify(this.#text)}, the model said ${JSON.stringify(answers)}`;
    violations.found('G7', words);
  }

  /** G3: inputs of one connection are taken in their order. */
  #settle(id: string): void {
    this.#outbox.delete(id);
    const place = this.#inOrder.indexOf(id);
    if (place < 0) return;
    const by = this.#overtaken.get(id);
    if (by !== undefined)
      this.#ports.violations.found('G3', `${by} was taken before ${id}, which was said first`);
    // What is never taken was refused, and word of that may be lost: it was not overtaken.
    if (this.#ports.plan.acts.every((act) => act.kind !== 'say' || act.policy === 'queue'))
      for (const earlier of this.#inOrder.slice(0, place)) this.#overtaken.set(earlier, id);
    this.#inOrder.splice(place, 1);
  }

  /** Everything that it had is void; it goes on after this offset. */
  #drop(offset: number, epoch: number | null): void {
    this.#after = offset;
    this.#epoch = epoch;
    this.#mayMiss = false;
    this.#turnId = null;
    this.#text = '';
    this.#reader.startAt(offset);
  }
}
