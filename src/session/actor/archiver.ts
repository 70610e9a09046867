/**
 * What was said goes to the archive before its keys go: the session's record, everything said, how each turn went.
 * Archiving twice is one row, so an owner that dies between archiving and deleting does no harm.
 *
 *  R1  Nobody waits longer than `withinMs` for the archive: one that was cut off answers nothing at all, and the
 *      session must go on meanwhile.
 *  R2  An owner that was frozen while it read does not write: another instance may have the session by then, and may
 *      have ended it without a trace. One that is frozen while it writes is the archive's affair (its ARCHIVE-3).
 *  R3  While an attempt has no answer there is no other: the older could be written after the newer.
 */
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type { Archive, ArchivedLine, ArchivedSession, ArchivedTurn } from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import type { DurableFrame } from '../../protocol/server-frames.ts';
import type { Store, StoredFrame, TranscriptRecord } from '../../store/contract.ts';

const LOG_PAGE = 1_000;

export interface EndedSession {
  readonly sessionId: string;
  readonly context: SessionContext;
  /** Everything said, with what the ending itself adds. */
  readonly transcript: readonly TranscriptRecord[];
  /** Frames that the ending adds to the log. */
  readonly frames: readonly StoredFrame[];
  readonly endedAt: number;
}

export interface ArchiverPorts {
  readonly archive: Archive;
  readonly store: Store;
  readonly clock: Clock;
  readonly withinMs: number;
  readonly isLeaseSure: () => boolean;
}

/** One session's way into the archive. */
export class Archiver {
  readonly #ports: ArchiverPorts;
  #isUnderWay = false;
  #stored: string | null = null;

  constructor(ports: ArchiverPorts) {
    this.#ports = ports;
  }

  /** An attempt has no answer yet: the conversation may still be written. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** True once the session may end: what was said is kept, or is not to be kept. Rejects as `store` does. */
  async conclude(
    version: string,
    { turnCount, erased }: SessionContext,
    ending: () => Promise<EndedSession>,
  ): Promise<boolean> {
    if (turnCount === 0) return true;
    // What is to be erased must not be written afterwards by an attempt of before.
    if (erased) return !this.#isUnderWay;
    await this.store(version, await ending());
    return true;
  }

  /** `version` names what is archived. Rejects when the archive or the store does, or does not answer in time. */
  async store(version: string, ending: EndedSession): Promise<void> {
    if (this.#isUnderWay) throw new Error('the archive has not answered the attempt before');
    // Answered when nobody waited any more.
    if (this.#stored === version) return;
    this.#isUnderWay = true;
    const attempt = this.#attempt(version, ending);
    const { clock, withinMs } = this.#ports;
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.after(withinMs, () => reject(new Error(`no answer within ${withinMs} ms`)));
      attempt.then(resolve, reject).finally(cancel);
    });
  }

  async #attempt(version: string, ending: EndedSession): Promise<void> {
    const { archive, store, isLeaseSure } = this.#ports;
    try {
      const session = await archivedSession(store, ending);
      if (!isLeaseSure()) throw new Error('another instance may have the session');
      await archive.store(session);
      this.#stored = version;
    } finally {
      this.#isUnderWay = false;
    }
  }
}

async function archivedSession(store: Store, ending: EndedSession): Promise<ArchivedSession> {
  const { sessionId, context, endedAt } = ending;
  const { clientId, userId, diagnosisId, createdAt, patient, turnCount, endReason } = context;
  const startedAt = new Map<string, number>();
  const lines: ArchivedLine[] = [];
  for (const record of ending.transcript) {
    if ('forget' in record || record.role === 'summary') continue;
    const { role, content, turnId, at, author, simulated } = record;
    if (role === 'user') startedAt.set(turnId, at);
    const mark = simulated === true ? { simulated } : {};
    lines.push({ role, author: author ?? null, content, turnId, at, ...mark });
  }
  return {
    sessionId,
    createdAt,
    endedAt,
    endReason: endReason ?? 'closed',
    clientId,
    userId,
    diagnosisId,
    patient,
    turnCount,
    lines,
    turns: await turnsOf(store, ending, startedAt),
  };
}

async function turnsOf(
  store: Store,
  { sessionId, frames, context }: EndedSession,
  startedAt: ReadonlyMap<string, number>,
): Promise<readonly ArchivedTurn[]> {
  const turns: ArchivedTurn[] = [];
  const take = (stored: StoredFrame) => {
    // Most frames are deltas: they are told apart without being read.
    if (!stored.data.startsWith('{"type":"turn.')) return;
    const turn = turnOf(JSON.parse(stored.data) as DurableFrame, startedAt, context.createdAt);
    if (turn !== null) turns.push(turn);
  };
  for (let after = 0; ; ) {
    const page = await store.readLog(sessionId, after, LOG_PAGE);
    for (const frame of page?.frames ?? []) take(frame);
    const last = page?.frames.at(-1);
    if (page === null || last === undefined || last.offset >= page.head) break;
    after = last.offset;
  }
  for (const frame of frames) take(frame);
  return turns;
}

function turnOf(
  frame: DurableFrame,
  startedAt: ReadonlyMap<string, number>,
  fallback: number,
): ArchivedTurn | null {
  if (frame.type !== 'turn.completed' && frame.type !== 'turn.failed' && frame.type !== 'turn.cancelled')
    return null;
  const completed = frame.type === 'turn.completed' ? frame : null;
  return {
    turnId: frame.turn_id,
    startedAt: startedAt.get(frame.turn_id) ?? fallback,
    outcome:
      frame.type === 'turn.completed' ? 'completed' : frame.type === 'turn.failed' ? 'failed' : 'cancelled',
    promptTokens: completed?.usage.prompt_tokens ?? 0,
    completionTokens: completed?.usage.completion_tokens ?? 0,
    firstTokenMs: completed?.metadata.time_to_first_token_ms ?? null,
    totalMs: completed?.metadata.inference_time_ms ?? null,
  };
}
