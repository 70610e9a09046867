/**
 * A plan holds the faults of one world and the acts of its clients, as data. It follows from its seed. Without any one
 * part the rest still means the same, so that a failing plan can be shrunk.
 */
import type { OverlapPolicy } from '../../machines/vocabulary.ts';
import { type Random, randomStream } from './random.ts';
import type { CallName } from './store/store-handle.ts';

/** What happens to one call to the store. */
export type CallEffect =
  /** Never arrives; the caller gets a broken connection. */
  | 'lose request'
  /** Applied, but the caller gets a broken connection. */
  | 'lose reply'
  /** The connection breaks, and the request is applied later all the same: after what was asked meanwhile. */
  | 'late request'
  /** The answer and all after it on this connection come late. */
  | 'slow reply'
  /** Applied a second time, later; the caller gets the first answer. */
  | 'twice'
  /** The instance dies as it sends it, or once it was applied and before the answer came. */
  | 'crash before'
  | 'crash after';

export type Fault =
  | {
      readonly kind: 'call';
      readonly node: string;
      /** The nth call of this name, or of all. */
      readonly of: CallName | 'any';
      readonly nth: number;
      readonly effect: CallEffect;
      readonly ms: number;
    }
  /** One hint or signal to an instance is lost, and all for a while after it. */
  | { readonly kind: 'word'; readonly node: string; readonly nth: number }
  | { readonly kind: 'crash'; readonly node: string; readonly atMs: number; readonly silent: boolean }
  | { readonly kind: 'pause'; readonly node: string; readonly atMs: number; readonly forMs: number }
  | {
      readonly kind: 'partition';
      readonly node: string;
      readonly from: 'store' | 'words' | 'both';
      /** Nothing is refused: calls wait until their time is up. */
      readonly silent: boolean;
      readonly atMs: number;
      readonly forMs: number;
    }
  | { readonly kind: 'jump'; readonly node: string; readonly atMs: number; readonly byMs: number }
  | { readonly kind: 'drain'; readonly node: string; readonly atMs: number }
  | { readonly kind: 'outage'; readonly atMs: number; readonly forMs: number; readonly silent: boolean }
  /** Another server takes over; the last `lost` changes never reached it. */
  | { readonly kind: 'failover'; readonly atMs: number; readonly forMs: number; readonly lost: number }
  | {
      readonly kind: 'generation';
      readonly nth: number;
      readonly effect: 'fail' | 'refuse' | 'stall';
      readonly after: number;
    };

export type Act =
  | { readonly kind: 'say'; readonly atMs: number; readonly policy: OverlapPolicy }
  | { readonly kind: 'cancel'; readonly atMs: number }
  | { readonly kind: 'extend'; readonly atMs: number }
  | { readonly kind: 'close'; readonly atMs: number }
  /** The connection goes; the server learns of it after `heardMs`. The client comes back after the offset it has. */
  | { readonly kind: 'drop'; readonly atMs: number; readonly heardMs: number; readonly awayMs: number }
  /** Reads nothing for a while. */
  | { readonly kind: 'stall'; readonly atMs: number; readonly forMs: number };

export interface ClientPlan {
  readonly name: string;
  readonly session: number;
  /** Wants all that is kept, or only what comes from now on. */
  readonly from: 'beginning' | 'now';
  /** Without it, no instance can report a loss that happened while the client was away. */
  readonly saysEpoch: boolean;
  readonly acts: readonly Act[];
}

export interface Plan {
  readonly seed: number;
  readonly nodes: readonly string[];
  readonly sessions: number;
  readonly clients: readonly ClientPlan[];
  readonly faults: readonly Fault[];
  readonly frameLogMax: number;
  readonly inboxMax: number;
  readonly queueMax: number;
}

/** Faults begin and clients speak within this time. */
export const ACTIVE_MS = 9_000;

const POLICIES: readonly OverlapPolicy[] = [
  'queue',
  'queue',
  'queue',
  'queue',
  'reject',
  'interrupt',
  'rollback',
  'merge',
];
const EFFECTS: readonly CallEffect[] = [
  'lose request',
  'lose reply',
  'lose reply',
  'late request',
  'slow reply',
  'twice',
  'crash before',
  'crash after',
];
const CALLS: readonly (CallName | 'any')[] = [
  'any',
  'any',
  'any',
  'acquire',
  'claim',
  'commit',
  'commit',
  'append',
  'release',
  'renew',
  'push',
  'readInbox',
  'readLog',
];
/** Most plans have one theme, so that a fault meets what is left of another of its kind; some have all at once. */
const THEMES: readonly (readonly Fault['kind'][])[] = [
  [],
  ['call', 'word'],
  ['call', 'call', 'generation'],
  ['crash', 'call', 'generation'],
  ['pause', 'pause', 'call'],
  ['partition', 'pause', 'word'],
  ['failover', 'crash', 'call'],
  ['outage', 'call', 'drain'],
  ['jump', 'pause', 'crash'],
  ['drain', 'crash', 'pause'],
  ['call', 'word', 'crash', 'pause', 'partition', 'jump', 'drain', 'outage', 'generation'],
];

export function planOf(seed: number): Plan {
  const random = randomStream(seed, 'plan');
  const nodes = ['a', 'b', 'c'].slice(0, random.between(2, 3));
  const sessions = random.pick([1, 1, 1, 2, 3]);
  const theme = random.pick(THEMES);
  const faultCount = theme.length === 0 ? 0 : random.between(1, 6);
  const busy = random.between(1_500, ACTIVE_MS);
  const clients = Array.from({ length: random.between(sessions, sessions + 2) }, (_, index) =>
    clientPlan(random, seed, `c${index}`, index % sessions, busy),
  );
  return {
    seed,
    nodes,
    sessions,
    clients,
    faults: Array.from({ length: faultCount }, () => faultOf(random, random.pick(theme), nodes, busy)),
    frameLogMax: random.chance(0.15) ? random.between(4, 16) : 2_000,
    inboxMax: random.chance(0.1) ? 2 : 64,
    queueMax: random.chance(0.2) ? 1 : 6,
  };
}

function clientPlan(random: Random, seed: number, name: string, session: number, busy: number): ClientPlan {
  const acts: Act[] = [];
  const count = random.between(2, 7);
  for (let index = 0; index < count; index++) acts.push(actOf(random, random.between(100, busy)));
  acts.sort((left, right) => left.atMs - right.atMs);
  const from = random.chance(0.8) ? 'beginning' : 'now';
  return { name, session, from, saysEpoch: randomStream(seed, `epoch of ${name}`).chance(0.75), acts };
}

function actOf(random: Random, atMs: number): Act {
  const dice = random.below(100);
  if (dice < 58) return { kind: 'say', atMs, policy: random.pick(POLICIES) };
  if (dice < 66) return { kind: 'cancel', atMs };
  if (dice < 69) return { kind: 'extend', atMs };
  if (dice < 72) return { kind: 'close', atMs };
  if (dice < 94) {
    const heardMs = random.pick([1, 50, 500, 4_000]);
    return { kind: 'drop', atMs, heardMs, awayMs: random.pick([1, 30, 300, 2_500]) };
  }
  return { kind: 'stall', atMs, forMs: random.between(100, 3_000) };
}

function faultOf(random: Random, kind: Fault['kind'], nodes: readonly string[], busy: number): Fault {
  const node = random.pick(nodes);
  const atMs = random.between(50, busy);
  switch (kind) {
    case 'call': {
      const of = random.pick(CALLS);
      return {
        kind,
        node,
        of,
        nth: random.between(1, of === 'any' ? 120 : of === 'commit' || of === 'append' ? 30 : 8),
        effect: random.pick(EFFECTS),
        ms: random.pick([5, 30, 200, 900, 2_500]),
      };
    }
    case 'word':
      return { kind, node, nth: random.between(1, 60) };
    case 'crash':
      return { kind, node, atMs, silent: random.chance(0.4) };
    case 'pause':
      return { kind, node, atMs, forMs: random.pick([50, 400, 2_100, 2_600, 5_000]) };
    case 'partition':
      return {
        kind,
        node,
        from: random.pick(['store', 'words', 'both']),
        silent: random.chance(0.5),
        atMs,
        forMs: random.pick([30, 400, 1_500, 4_000]),
      };
    case 'jump':
      return { kind, node, atMs, byMs: random.pick([-5_000, -700, 700, 5_000]) };
    case 'drain':
      return { kind, node, atMs };
    case 'outage':
      return { kind, atMs, forMs: random.pick([20, 300, 1_500, 4_000]), silent: random.chance(0.5) };
    case 'failover':
      return { kind, atMs, forMs: random.pick([5, 100, 800]), lost: random.between(1, 24) };
    case 'generation':
      return {
        kind,
        nth: random.between(1, 8),
        effect: random.pick(['fail', 'refuse', 'stall']),
        after: random.below(6),
      };
  }
}
