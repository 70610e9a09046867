/**
 * Archiver stores an ended conversation in the archive before the session's keys are deleted: the session's record, its
 * transcript, and how each turn ended. Archiving twice makes one row, so an owner may die between the two steps.
 *
 *  ARCHIVER-1  An attempt waits for the archive at most `withinMs`: an archive behind a network failure never answers,
 *              and the session must go on meanwhile.
 *  ARCHIVER-2  An owner that was frozen while it read does not write: another instance may own the session by then, and
 *              may have erased it. ARCHIVE-3 covers an owner that freezes while it writes.
 *  ARCHIVER-3  No attempt starts while an earlier one has no answer: the older could be written after the newer.
 */
import type { SessionContext } from '../../../machines/vocabulary.ts';
import type {
  Archive,
  ArchivedHistory,
  ArchivedLine,
  ArchivedSession,
  ArchivedTurn,
} from '../../archive/archive.ts';
import type { Clock } from '../../clock.ts';
import type { DurableFrame } from '../../protocol/server-frames.ts';
import type { Store, StoredFrame, TranscriptRecord } from '../../store/contract.ts';

const LOG_PAGE = 1_000;

export interface EndedSession {
  readonly sessionId: string;
  readonly context: SessionContext;
  /** Every entry, including those that the end adds. */
  readonly transcript: readonly TranscriptRecord[];
  /** Frames that the end adds to the log. */
  readonly frames: readonly StoredFrame[];
  readonly endedAt: number;
  readonly history: ArchivedHistory | null;
}

export interface ArchiverPorts {
  readonly archive: Archive;
  readonly store: Store;
  readonly clock: Clock;
  readonly withinMs: number;
  readonly isLeaseValid: () => boolean;
}

export class Archiver {
  readonly #ports: ArchiverPorts;
  #isUnderWay = false;
  #stored: string | null = null;

  constructor(ports: ArchiverPorts) {
    this.#ports = ports;
  }

  /** True while an attempt has no answer: the archive may still write the conversation. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** True once the session may end: its conversation is archived, or must not be. Rejects when `store` does. */
  async conclude(
    version: string,
    { turnCount, erased }: SessionContext,
    read: () => Promise<EndedSession>,
  ): Promise<boolean> {
    if (turnCount === 0) return true;
    // An earlier attempt must not write the conversation after it was erased.
    if (erased) return !this.#isUnderWay;
    await this.store(version, await read());
    return true;
  }

  /** `version` names what is archived. Rejects when the archive or the store rejects, or is too slow. */
  async store(version: string, ended: EndedSession): Promise<void> {
    if (this.#isUnderWay) throw new Error('the archive has not answered the previous attempt');
    // The previous attempt succeeded after its time limit.
    if (this.#stored === version) return;
    this.#isUnderWay = true;
    const attempt = this.#attempt(version, ended);
    const { clock, withinMs } = this.#ports;
    await new Promise<void>((resolve, reject) => {
      const cancel = clock.after(withinMs, () => reject(new Error(`no answer within ${withinMs} ms`)));
      attempt.then(resolve, reject).finally(cancel);
    });
  }

  async #attempt(version: string, ended: EndedSession): Promise<void> {
    const { archive, store, isLeaseValid } = this.#ports;
    try {
      const session = await archivedSession(store, ended);
      if (!isLeaseValid()) throw new Error('another instance may have the session');
      await archive.store(session, ended.history);
      this.#stored = version;
    } finally {
      this.#isUnderWay = false;
    }
  }
}

async function archivedSession(store: Store, ended: EndedSession): Promise<ArchivedSession> {
  const { sessionId, context, endedAt } = ended;
  const { clientId, userId, diagnosisId, createdAt, patient, turnCount, endReason } = context;
  const { tenant = '' } = context;
  const startedAt = new Map<string, number>();
  const lines: ArchivedLine[] = [];
  for (const record of ended.transcript) {
    if ('forget' in record || record.role === 'summary') continue;
    const { role, content, turnId, at, author, simulated } = record;
    if (role === 'user') startedAt.set(turnId, at);
    const mark = simulated === true ? { simulated } : {};
    lines.push({ role, author: author ?? null, content, turnId, at, ...mark });
  }
  return {
    sessionId,
    createdAt,
    tenant,
    endedAt,
    endReason: endReason ?? 'closed',
    clientId,
    userId,
    diagnosisId,
    patient,
    turnCount,
    lines,
    turns: await turnsOf(store, ended, startedAt),
  };
}

async function turnsOf(
  store: Store,
  { sessionId, frames, context }: EndedSession,
  startedAt: ReadonlyMap<string, number>,
): Promise<readonly ArchivedTurn[]> {
  const turns: ArchivedTurn[] = [];
  const take = (stored: StoredFrame) => {
    if (!stored.type.startsWith('turn.')) return;
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
