/**
 * A world is a store, instances, a model, clients and faults on one scheduler.
 *
 *  WORLD-1  A run is a function of its plan, and depends on nothing of the machine that it runs on.
 *  WORLD-2  It ends at the first broken promise, or when no task is left. A world that does not come to rest in time
 *           breaks a promise too.
 *
 * Read next: fault-plan.ts (what may happen), history.ts and reader.ts (what must not).
 */
import { createHash } from 'node:crypto';
import type { StoreOptions } from '../../../src/store/contract.ts';
import { ACTIVE_MS, type Fault, type Plan } from '../fault-plan.ts';
import { History } from '../judge/history.ts';
import { type Violation, Violations } from '../judge/violations.ts';
import { type Random, randomStream } from '../random.ts';
import { SimStore } from '../store/sim-store.ts';
import { storeHandle } from '../store/store-handle.ts';
import { SOUND, type StoreRules } from '../store/store-options.ts';
import { Scheduler } from './scheduler.ts';
import { type LinkEvents, SimClient } from './sim-client.ts';
import { SimModel } from './sim-generator.ts';
import { SimNetwork } from './sim-network.ts';
import { IDLE_MS, LEASE_MS, SimNode, type WrapStore } from './sim-node.ts';
import { SimProcess } from './sim-process.ts';
import { SimSocket } from './sim-socket.ts';

/** How a world differs from the real service: the planted bugs. */
export interface Variant {
  readonly rules: StoreRules;
  readonly wrap: WrapStore;
}

export const FAITHFUL: Variant = { rules: SOUND, wrap: (store) => store };

export interface Run {
  readonly violation: Violation | null;
  readonly steps: number;
  readonly elapsedMs: number;
  readonly ended: number;
  readonly trace: readonly string[];
  readonly hash: string;
}

export interface RunOptions {
  readonly variant?: Variant;
  /** Keeps a trace of the events. */
  readonly traced?: boolean;
  readonly rounds?: number;
}

/** All faults are over by then, and the dead are back. */
const HEALED_MS = ACTIVE_MS + 5_500;
/** Long enough to decide every outstanding input, and to end sessions without clients. */
const REST_MS = HEALED_MS + 3 * IDLE_MS + 8 * LEASE_MS;
const STEPS_MAX = 120_000;

export async function runWorld(plan: Plan, options: RunOptions = {}): Promise<Run> {
  const world = new World(plan, options);
  const unhandled = (error: unknown) => world.unhandled(error);
  process.on('unhandledRejection', unhandled);
  try {
    return await world.run();
  } finally {
    process.off('unhandledRejection', unhandled);
  }
}

class World {
  readonly #plan: Plan;
  readonly #variant: Variant;
  readonly #scheduler: Scheduler;
  readonly #violations: Violations;
  readonly #history: History;
  readonly #network: SimNetwork;
  readonly #store: SimStore;
  readonly #model: SimModel;
  readonly #nodes = new Map<string, SimNode>();
  readonly #clients: readonly SimClient[];
  readonly #births = new Map<string, number>();
  readonly #options: StoreOptions;
  readonly #trace: string[] | null;
  readonly #random: Random;
  #tokens = 0;

  constructor(plan: Plan, { variant = FAITHFUL, traced = false, rounds }: RunOptions) {
    const { seed, faults } = plan;
    this.#plan = plan;
    this.#variant = variant;
    this.#trace = traced ? [] : null;
    this.#scheduler = new Scheduler(rounds);
    this.#random = randomStream(seed, 'world');
    const scheduler = this.#scheduler;
    this.#violations = new Violations(() => scheduler.elapsed);
    this.#history = new History(this.#violations, () => scheduler.now);
    const note = this.#note;
    this.#model = new SimModel({ seed, faults, history: this.#history, violations: this.#violations, note });
    this.#options = {
      leaseMs: LEASE_MS,
      frameLogMax: plan.frameLogMax,
      inboxMax: plan.inboxMax,
    };
    this.#network = new SimNetwork({
      scheduler,
      seed,
      faults,
      note,
      crash: (process) => this.#crash(process, false),
    });
    this.#store = new SimStore(
      this.#options,
      () => scheduler.now,
      this.#history,
      (hint) => this.#network.publish(hint),
      variant.rules,
    );
    for (const slot of plan.nodes) this.#start(slot);
    this.#clients = plan.clients.map((client) => this.#client(client));
    for (const fault of faults) this.#arrange(fault);
    scheduler.after(HEALED_MS + 2 * LEASE_MS, () => this.#everybodyKnows());
  }

  async run(): Promise<Run> {
    while (this.#violations.first === null && !this.#atRest()) {
      const goesOn = await this.#scheduler.step();
      const late = this.#scheduler.elapsed > REST_MS || this.#scheduler.steps > STEPS_MAX;
      if (goesOn && !late) continue;
      this.#violations.found('LIVE', `not at rest: ${this.#whatIsLeft()}`);
    }
    // Node reports unhandled promises only after a turn of the event loop.
    await new Promise((resume) => setImmediate(resume));
    const { steps, elapsed } = this.#scheduler;
    const trace = this.#trace ?? [];
    return {
      violation: this.#violations.first,
      steps,
      elapsedMs: elapsed,
      ended: this.#history.ended,
      trace,
      hash: createHash('sha256').update(trace.join('\n')).digest('hex'),
    };
  }

  unhandled(error: unknown): void {
    const words = error instanceof Error ? error.stack : String(error);
    this.#violations.found('R24', `unhandled: ${words}`);
  }

  readonly #note = (line: () => string): void => {
    this.#trace?.push(`${this.#scheduler.elapsed.toFixed(2).padStart(9)}  ${line()}`);
  };

  #start(slot: string): void {
    const birth = (this.#births.get(slot) ?? 0) + 1;
    this.#births.set(slot, birth);
    const { seed, queueMax } = this.#plan;
    const skewMs = randomStream(seed, `skew of ${slot}`).pick([0, 0, -300, 40, 900]);
    const process = new SimProcess(this.#scheduler, `${slot}${birth}`, skewMs);
    const store = storeHandle({
      server: this.#store,
      line: this.#network.connect(slot, process),
      options: this.#options,
      token: () => this.#token(),
      now: process.clock.now,
    });
    const node = new SimNode({
      slot,
      process,
      store,
      wrap: this.#variant.wrap,
      consumed: (sessionId, entries) => this.#history.consumed(sessionId, entries),
      generator: this.#model.generatorOf(process),
      violations: this.#violations,
      note: this.#note,
      queueMax,
      exit: (gone) => this.#crash(gone.process, false),
    });
    this.#nodes.set(slot, node);
  }

  #token(): string {
    this.#tokens += 1;
    return `t${this.#tokens}`;
  }

  /** `silent`: the machine is gone, and with it whatever would have closed its connections. */
  #crash(process: SimProcess, silent: boolean): void {
    if (!process.alive) return;
    const node = [...this.#nodes.values()].find((one) => one.process === process);
    if (node === undefined) return;
    process.kill();
    this.#note(() => `${process.name} is gone`);
    for (const socket of node.sockets) socket.breakOff(silent ? 1_800 : 5);
    this.#scheduler.after(this.#random.pick([20, 300, 2_500]), () => this.#start(node.slot));
  }

  #client(plan: Plan['clients'][number]): SimClient {
    const { seed } = this.#plan;
    const random = randomStream(seed, plan.name);
    return new SimClient({
      plan,
      sessionId: sessionIdOf(seed, plan.session),
      isCalm: this.#plan.faults.length === 0,
      scheduler: this.#scheduler,
      history: this.#history,
      model: this.#model,
      violations: this.#violations,
      random,
      note: this.#note,
      dial: (_, events) => this.#dial(random, sessionIdOf(seed, plan.session), events),
    });
  }

  #dial(random: Random, sessionId: string, events: LinkEvents): SimSocket | null {
    const node = this.#nodes.get(random.pick(this.#plan.nodes));
    if (node?.listening !== true) return null;
    const socket = new SimSocket({
      scheduler: this.#scheduler,
      process: node.process,
      connection: node.connection,
      latencyMs: () => 0.5 + random.next() * 12,
      onSent: (frame) => this.#judgeSent(sessionId, frame),
      ...events,
    });
    node.sockets.add(socket);
    return socket;
  }

  /** G2: what leaves an instance is stored already. */
  #judgeSent(sessionId: string, data: string): void {
    const { type, offset } = JSON.parse(data) as { readonly type: string; readonly offset?: number };
    if (offset === undefined || type === 'welcome' || type === 'reset') return;
    if (this.#history.nodesOf(sessionId, data).length === 0)
      this.#violations.found('G2', `${type} ${offset} was sent before it was stored`);
  }

  #arrange(fault: Fault): void {
    if (fault.kind === 'call' || fault.kind === 'word' || fault.kind === 'generation') return;
    this.#scheduler.after(fault.atMs, () => {
      const node = 'node' in fault ? this.#nodes.get(fault.node) : undefined;
      this.#note(() => `fault: ${JSON.stringify(fault)}`);
      switch (fault.kind) {
        case 'crash':
          return node === undefined ? undefined : this.#crash(node.process, fault.silent);
        case 'pause':
          return node?.process.freeze(fault.forMs);
        case 'jump':
          return node?.process.jump(fault.byMs);
        case 'drain':
          return node?.process.io(0, () => node.drain());
        case 'partition':
          return this.#network.cut(fault.node, fault.from, fault.silent, fault.forMs);
        case 'outage':
          return this.#network.cut(null, 'both', fault.silent, fault.forMs);
        case 'failover': {
          this.#network.cut(null, 'both', false, fault.forMs);
          const lost = this.#store.failOver(fault.lost);
          return this.#note(() => `${lost} changes are lost`);
        }
      }
    });
  }

  /** After all faults healed, turns go on, and every connected client has the whole log. */
  #everybodyKnows(): void {
    for (const [sessionId, { tip }] of this.#history.lives)
      if (tip.turnId !== null && this.#scheduler.now - tip.storedAt > 2 * LEASE_MS)
        this.#violations.found('LIVE', `a turn of ${sessionId.slice(0, 4)} stands still`);
    for (const client of this.#clients) {
      if (!client.isSettled(LEASE_MS)) continue;
      const missed = client.reader.misses();
      if (missed !== null && this.#scheduler.now - missed.storedAt > LEASE_MS)
        this.#violations.found(
          'LIVE',
          `${client.name} was never sent offset ${missed.offset}, and is connected`,
        );
    }
  }

  #atRest(): boolean {
    if (this.#scheduler.elapsed < 500 || !this.#clients.every((client) => client.done && client.over))
      return false;
    return [...this.#store.state.rows.values()].every(({ expiresAt }) => expiresAt <= this.#scheduler.now);
  }

  #whatIsLeft(): string {
    const clients = this.#clients
      .filter((client) => !client.done || !client.over)
      .map(
        (client) => `${client.name} ${client.over ? 'is over' : 'goes on'}, waits for ${client.outstanding}`,
      );
    const rows = [...this.#store.state.rows].map(
      ([id, row]) => `${id.slice(0, 4)} version ${row.version} ${row.snapshot.slice(0, 120)}`,
    );
    return [...clients, ...rows].join('; ') || 'nothing, yet the queue is empty';
  }
}

/** A uuid that is the same each time. */
function sessionIdOf(seed: number, session: number): string {
  const random = randomStream(seed, `session ${session}`);
  const hex = (digits: number) =>
    Array.from({ length: digits }, () => random.below(16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`;
}
