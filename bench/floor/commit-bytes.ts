/**
 * The bytes that one transition sends to Redis, taken from the service's own code once per connection: the machine
 * makes the snapshot and the frames, the store's writer makes the keys and the arguments. The floor then only fills
 * in what changes from one message to the next.
 */
import type { SessionEvent, SessionInput } from '../../machines/vocabulary.ts';
import { buildFrames } from '../../src/session/actor/frames.ts';
import { indexOf } from '../../src/session/machine/session-index.ts';
import { toSnapshot } from '../../src/session/machine/snapshot.ts';
import { begin, type MachineState, step } from '../../src/session/machine/step.ts';
import type { Fence, StoredFrame } from '../../src/store/contract.ts';
import { createWrites } from '../../src/store/redis/writes.ts';
import { exchange, question } from '../load/exchanges.ts';

/** What changes from one commit of a session to the next. */
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
/** Not to be found in anything else that is sent. */
const MESSAGE_ID = 'message-id';
/** Starts the turn that the rollback replaces. The machine refuses a message whose id it has already taken. */
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
  let resting: MachineState = begin(sampleInput(sessionId), '1').next;
  if (workload === 'restart') resting = step(resting, sampleMessage('queue', turnId), '2').next;
  const { next, effects } = step(resting, event, String(VERSION));
  const composed = buildFrames(effects, HEAD, 1, VERSION, null, null);
  assertAnswers(workload, composed.frames);
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
          keys,
          args: args.map((arg) => holes.get(String(arg)) ?? String(arg)),
          frames: composed.frames.map((frame) => frame.data),
        };
        return Promise.resolve(0);
      },
      send: () => Promise.resolve(null),
      close() {},
    },
    { acquire: () => Promise.resolve(null) },
    { leaseMs: LEASE_MS, frameLogMax: 20_000, inboxMax: 256 },
  );
  await writes.commit(fence, {
    writeId,
    expectedVersion: VERSION,
    expectedHead: HEAD,
    snapshot: JSON.stringify(toSnapshot(next, HEAD)),
    frames: composed.frames,
    transcript: composed.transcript,
    messageIds: composed.messageIds,
    inboxTaken: 0,
    dueAt: Math.min(...due),
    index: indexOf(next.snapshot.value, next.snapshot.context),
    notify: false,
    end: false,
  });
  if (bytes === null) throw new Error('the writer called no script');
  return bytes;
}

/** A floor that stores less than the service, or that never answers, would be compared as if it did the same work. */
function assertAnswers(workload: 'extend' | 'restart', frames: readonly StoredFrame[]): void {
  const { replyStart } = exchange(workload);
  // The reply to `extend` is a refusal, which is not stored.
  const expected = workload === 'restart';
  if (frames.some((frame) => frame.data.startsWith(replyStart)) !== expected)
    throw new Error(`the transition of ${workload} stores ${frames.length} frames, which is not its answer`);
}
