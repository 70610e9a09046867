/**
 * Feed hands values to readers that may be slower than their source.
 *
 *  FEED-1  A reader gets each value that comes after its start, in order and once.
 *  FEED-2  A reader gets all values before it hears of the end.
 */
interface Reader<T> {
  readonly waiting: T[];
  wake: () => void;
}

type FeedEnd = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly error: unknown };

export class Feed<T> {
  readonly #readers = new Set<Reader<T>>();
  #end: FeedEnd | null = null;

  push(value: T): void {
    for (const reader of this.#readers) {
      reader.waiting.push(value);
      reader.wake();
    }
  }

  end(end: FeedEnd): void {
    this.#end ??= end;
    for (const reader of this.#readers) reader.wake();
  }

  /** Starts a reader, which gets `first` before all else. */
  read(first: readonly T[] = []): AsyncIterableIterator<T> {
    const reader: Reader<T> = { waiting: [...first], wake: () => {} };
    this.#readers.add(reader);
    return this.#valuesOf(reader);
  }

  async *#valuesOf(reader: Reader<T>): AsyncIterableIterator<T> {
    try {
      for (;;) {
        yield* reader.waiting.splice(0); // FEED-1
        if (reader.waiting.length > 0) continue; // FEED-2
        if (this.#end?.kind === 'failed') throw this.#end.error;
        if (this.#end !== null) return;
        await new Promise<void>((resolve) => {
          reader.wake = resolve;
        });
      }
    } finally {
      this.#readers.delete(reader);
    }
  }
}
