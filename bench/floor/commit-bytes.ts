/**
 * Takes the bytes that one transition sends to Redis from the service's own code, once per connection. The machine makes
 * the snapshot and the frames; the store makes the keys and the arguments. For each message the floor fills in only the
 * values that change.
 */
import type { SessionEvent, SessionInput } from '../../machines/vocabulary.ts';
import { buildFrames } from '../../src/session/actor/frames.ts';
import { indexOf, toSnapshot } from '../../src/session/machine/snapshot.ts';
import { begin, type MachineState, step } from '../../src/session/machine/step.ts';
import type { Fence, StoredFrame } from '../../src/store/contract.ts';
import { createWrites } from '../../src/store/redis/writes.ts';
import { exchange, question } from '../load/exchanges.ts';

/** A value that changes from one commit of a session to the next. */
export type Hole = 'writeId' | 'version' | 'head' | 'messageId';

export interface CommitBytes {
  readonly sha: string;
  readonly scriptText: string;
  readonly keys: readonly string[];
  readonly args: readonly (string | { readonly hole: Hole })[];
  readonly frames: readonly string[];
}

const AT = 1_750_000_000_000;
const LEASE_MS = 3_000;
const VERSION = 1_001;
const HEAD = 1_002;
/** Nothing else in the command contains it. */
const MESSAGE_ID = 'message-id';
/** Starts the turn that the rollback replaces: the machine refuses an id that it has already taken. */
const EARLIER_MESSAGE_ID = 'earlier-message-id';

export function sampleInput(sessionId: string): SessionInput {
  const limits = {
    idleMs: 3_600_000,
    absoluteMs: 14_400_000,
    warnMs: 60_000,
    queueMax: 8,
    attemptsMax: 3,
    resumesMax: 16,
  };
  const instance = 'a1b2c3d4e5f6';
  return { at: AT, sessionId, instance, clientId: null, userId: null, diagnosisId: null, limits };
}

export function sampleMessage(policy: 'queue' | 'rollback', turnId: string): SessionEvent {
  return {
    type: 'message',
    at: AT + 1,
    messageId: policy === 'queue' ? EARLIER_MESSAGE_ID : MESSAGE_ID,
    turnId,
    content: question(0, 0),
    policy,
    options: {},
  };
}

export async function commitBytes(
  workload: 'extend' | 'restart',
  sessionId: string,
  token: string,
): Promise<CommitBytes> {
  const turnId = '6f1c1a52-33c5-4d55-9d4e-0d7f5a1c2b3e';
  const event: SessionEvent =
    workload === 'extend' ? { type: 'extend', at: AT + 2 } : sampleMessage('rollback', turnId);
  let state: MachineState = begin(sampleInput(sessionId), '1').next;
  if (workload === 'restart') state = step(state, sampleMessage('queue', turnId), '2').next;
  const { next, effects } = step(state, event, String(VERSION));
  const built = buildFrames(effects, { head: HEAD, epoch: 1, version: VERSION }, null, null);
  assertAnswers(workload, built.frames);
  const due = Object.values(next.timers);
  if (next.snapshot.context.turn !== null) due.push(AT + LEASE_MS);

  const fence: Fence = { sessionId, instance: 'a1b2c3d4e5f6', token, epoch: 1 };
  const writeId = `${token}.${VERSION}`;
  const holes = new Map<string, { readonly hole: Hole }>([
    [writeId, { hole: 'writeId' }],
    [String(VERSION), { hole: 'version' }],
    [String(HEAD), { hole: 'head' }],
    [MESSAGE_ID, { hole: 'messageId' }],
  ]);
  let bytes: CommitBytes | null = null;
  const writes = createWrites(
    {
      call(script, keys, args) {
        const { sha, text } = script;
        bytes = {
          sha,
          scriptText: text,
          keys: 'names' in keys ? keys.names : keys,
          args: args.map((arg) => holes.get(String(arg)) ?? String(arg)),
          frames: built.frames.map((frame) => frame.data),
        };
        return Promise.resolve(0);
      },
      send: () => Promise.resolve(null),
      close() {},
    },
    { claim: () => Promise.resolve({ token: null, rest: [] }) },
    { leaseMs: LEASE_MS, frameLogMax: 20_000, inboxMax: 256 },
  );
  await writes.commit(fence, {
    writeId,
    expectedVersion: VERSION,
    expectedHead: HEAD,
    snapshot: JSON.stringify(toSnapshot(next, HEAD)),
    frames: built.frames,
    transcript: built.transcript,
    messageIds: built.messageIds,
    inboxTaken: 0,
    dueAt: Math.min(...due),
    index: indexOf(next.snapshot.value, next.snapshot.context),
    notify: false,
    end: false,
  });
  if (bytes === null) throw new Error('the writer called no script');
  return bytes;
}

/** Prevents a comparison with a floor that stores less than the service, or that never answers. */
function assertAnswers(workload: 'extend' | 'restart', frames: readonly StoredFrame[]): void {
  const { replyStart } = exchange(workload);
  // The reply to `extend` is a refusal, which the service does not store.
  const expected = workload === 'restart';
  if (frames.some((frame) => frame.data.startsWith(replyStart)) !== expected)
    throw new Error(`the transition of ${workload} stores ${frames.length} frames, which is not its answer`);
}
