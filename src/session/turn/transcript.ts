/**
 * Transcript is the owner's copy of a session's questions, answers and summaries.
 *
 *  TRANSCRIPT-1  The first `read` loads it from the store; each later commit updates it.
 *  TRANSCRIPT-2  It holds stored entries only.
 */
import type { Store, TranscriptEntry, TranscriptRecord } from '../../store/contract.ts';
import { applyRecords } from '../../store/log.ts';

export class Transcript {
  readonly #store: Store;
  readonly #sessionId: string;
  #entries: TranscriptEntry[] | null;

  /** `known`: every entry so far, or null if the store must be read. */
  constructor(store: Store, sessionId: string, known: readonly TranscriptEntry[] | null) {
    this.#store = store;
    this.#sessionId = sessionId;
    this.#entries = known === null ? null : [...known];
  }

  /** Rejects when the store does. */
  async read(): Promise<readonly TranscriptEntry[]> {
    this.#entries ??= [...(await this.#store.readTranscript(this.#sessionId))];
    return this.#entries;
  }

  /** Applies records that were just stored. */
  keep(records: readonly TranscriptRecord[]): void {
    if (this.#entries !== null) applyRecords(this.#entries, records);
  }
}
