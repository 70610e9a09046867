/**
 * Takes the bytes of a write to Redis from the service's own code, once per connection of the floor. The machine makes
 * the snapshot and the frames; the store makes the keys and the arguments. For each write the floor fills in only the
 * values that change, so it cannot store less than the service does.
 */
import type { SessionEvent, SessionInput } from '../../machines/vocabulary.ts';
import { buildFrames, deltaFrame } from '../../src/session/actor/frames.ts';
import { indexOf, toSnapshot } from '../../src/session/machine/snapshot.ts';
import { begin, type MachineState, type StepEvent, step } from '../../src/session/machine/step.ts';
import type { Commit, Fence, StoredFrame } from '../../src/store/contract.ts';
import { createWrites } from '../../src/store/redis/writes.ts';
import { exchange, question } from '../load/exchanges.ts';

/** The transition of `extend`, and the three writes of a turn. */
export type Write = 'extend' | 'message' | 'append' | 'completed';

/** A value that changes from one write of a session to the next. */
export type Hole = 'writeId' | 'version' | 'head' | 'messageId' | 'text';

/** An argument with a value that changes. */
export interface Gap {
  readonly before: string;
  readonly hole: Hole;
  readonly after: string;
}

export interface WriteBytes {
  readonly scriptText: string;
  readonly sha: string;
  readonly keys: readonly string[];
  readonly args: readonly (string | Gap)[];
  /** What clients get once the write is stored. */
  readonly frames: readonly string[];
}

const AT = 1_750_000_000_000;
const LEASE_MS = 3_000;
/** Nothing else in a command equals one of these three. */
const VERSION = 1_001;
const HEAD = 1_002;
const MESSAGE_ID = 'message-id';
const INSTANCE = 'a1b2c3d4e5f6';
const STORE = { leaseMs: LEASE_MS, frameLogMax: 20_000, inboxMax: 256 };
export const TURN_ID = '6f1c1a52-33c5-4d55-9d4e-0d7f5a1c2b3e';
const ANSWER = '@1234567890 ';

export function sampleInput(sessionId: string): SessionInput {
  const limits = {
    idleMs: 3_600_000,
    absoluteMs: 14_400_000,
    warnMs: 60_000,
    queueMax: 8,
    attemptsMax: 3,
    resumesMax: 16,
  };
  return { at: AT, sessionId, instance: INSTANCE, clientId: null, userId: null, diagnosisId: null, limits };
}

export function sampleMessage(
  policy: 'queue' | 'rollback',
  turnId: string,
  messageId = MESSAGE_ID,
): SessionEvent {
  return { type: 'message', at: AT + 1, messageId, turnId, content: question(1, 0), policy, options: {} };
}

export function sampleCompletion(at: number): StepEvent {
  return {
    type: 'xstate.done.actor.generation',
    at,
    output: {
      finishReason: 'stop',
      usage: { prompt_tokens: 64, completion_tokens: 64 },
      totalMs: 900,
      firstTokenMs: 80,
      model: 'bench',
      replica: '127.0.0.1:8000',
      temperature: 0.7,
      maxTokens: 2_048,
      simulated: false,
    },
  };
}

/** The snapshot of a connected session, as the service stores it. */
export function sampleSnapshot(sessionId: string): string {
  return JSON.stringify(toSnapshot(begin(sampleInput(sessionId), '1').next, HEAD));
}

/** The commit that creates a session. */
export function firstCommit({ sessionId, token, epoch }: Fence): Commit {
  const { next, effects } = begin(sampleInput(sessionId), '1');
  const place = { head: 0, epoch, version: 1 };
  return { ...commitOf(next, buildFrames(effects, place, null, null)), ...placed(`${token}.0`, 0, 0) };
}

export async function writeBytes(write: Write, fence: Fence): Promise<WriteBytes> {
  const holes = new Map<string, Hole>([
    [`${fence.token}.${VERSION}`, 'writeId'],
    [String(VERSION), 'version'],
    [String(HEAD), 'head'],
    [MESSAGE_ID, 'messageId'],
  ]);
  const frames = write === 'append' ? [sampleDelta(fence.epoch)] : [];
  const gapOf = (arg: string): string | Gap => {
    const hole = holes.get(arg);
    if (hole !== undefined) return { before: '', hole, after: '' };
    if (write !== 'append' || !arg.includes(ANSWER)) return arg;
    const [before = '', after = ''] = arg.split(ANSWER);
    return { before, hole: 'text', after };
  };
  let bytes: Omit<WriteBytes, 'frames'> | null = null;
  const writes = createWrites(
    {
      call({ sha, text }, keys, args) {
        const named = 'names' in keys ? keys.names : keys;
        const filled = args.map((arg) => gapOf(String(arg)));
        bytes = { sha, scriptText: text, keys: named, args: filled };
        return Promise.resolve(0);
      },
      send: () => Promise.resolve(null),
      close() {},
    },
    { claim: () => Promise.resolve({ token: null, rest: [] }) },
    STORE,
  );
  if (write === 'append') {
    const { writeId, expectedHead } = placed(`${fence.token}.${VERSION}`, VERSION, HEAD);
    await writes.append(fence, {
      writeId,
      expectedHead,
      frames,
      inboxTaken: 0,
      notify: false,
      keepFrom: HEAD,
    });
  } else {
    const commit = transition(write, fence);
    frames.push(...commit.frames);
    await writes.commit(fence, commit);
  }
  if (bytes === null) throw new Error('the writer called no script');
  return { ...(bytes as Omit<WriteBytes, 'frames'>), frames: frames.map((frame) => frame.data) };
}

function sampleDelta(epoch: number): StoredFrame {
  const prompt = Array.from({ length: 64 }, (_, index) => index);
  const aux = JSON.stringify({ ids: [1], prompt });
  return deltaFrame(HEAD + 1, epoch, { turnId: TURN_ID, text: ANSWER, reasoning: '', aux });
}

function transition(write: Exclude<Write, 'append'>, { sessionId, token, epoch }: Fence): Commit {
  let state: MachineState = begin(sampleInput(sessionId), '1').next;
  const asked = sampleMessage('queue', TURN_ID);
  if (write === 'completed') state = step(state, asked, '2').next;
  const event = {
    extend: { type: 'extend', at: AT + 2 } as const,
    message: asked,
    completed: sampleCompletion(AT + 2),
  };
  const { next, effects } = step(state, event[write], String(VERSION));
  const answer = { turnId: TURN_ID, whole: ANSWER, isSimulated: false };
  const built = buildFrames(effects, { head: HEAD, epoch, version: VERSION }, answer, null);
  // Prevents a comparison with a floor that stores less than the service, or that never answers.
  const { replyStart } = exchange('turn', 'rehydra');
  if ((write === 'completed') !== built.frames.some((frame) => frame.data.startsWith(replyStart)))
    throw new Error(
      `the transition of ${write} stores ${built.frames.length} frames, which is not its answer`,
    );
  return { ...commitOf(next, built), ...placed(`${token}.${VERSION}`, VERSION, HEAD) };
}

function placed(writeId: string, expectedVersion: number, expectedHead: number) {
  return { writeId, expectedVersion, expectedHead };
}

function commitOf(
  next: MachineState,
  { frames, transcript, messageIds }: ReturnType<typeof buildFrames>,
): Omit<Commit, 'writeId' | 'expectedVersion' | 'expectedHead'> {
  const due = Object.values(next.timers);
  const { turn } = next.snapshot.context;
  if (turn !== null) due.push(AT + LEASE_MS);
  return {
    snapshot: JSON.stringify(toSnapshot(next, HEAD)),
    frames,
    transcript,
    messageIds,
    inboxTaken: 0,
    dueAt: Math.min(...due),
    index: indexOf(next.snapshot.value, next.snapshot.context),
    notify: false,
    end: false,
    ...(turn === null ? {} : { keepFrom: HEAD }),
  };
}
