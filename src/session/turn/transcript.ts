/**
 * What was said in a session, as its owner remembers it.
 *
 *  T1  It is read from the store when it is first needed, and kept up to date by what is committed after that.
 *  T2  Only what is stored is in it.
 */
import type { Store, TranscriptEntry, TranscriptRecord } from '../../store/contract.ts';

export class Transcript {
  readonly #store: Store;
  readonly #sessionId: string;
  #entries: TranscriptEntry[] | null;

  /** `known`: all that was said so far, or null where the store must be asked. */
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

  /** Records that were just stored. */
  keep(records: readonly TranscriptRecord[]): void {
    for (const record of records) {
      if ('forget' in record)
        this.#entries = this.#entries?.filter((entry) => entry.turnId !== record.forget) ?? null;
      else this.#entries?.push(record);
    }
  }
}
