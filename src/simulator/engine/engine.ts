/**
 * The engine admits requests: some run, some wait without an answer, and it refuses the rest.
 *
 * SLOT-1  A request frees its slot once, however often it leaves.
 * SLOT-2  Waiting requests run in the order of arrival; the engine skips one whose client left.
 */
export interface Slot {
  /** Resolves when this request may run. */
  readonly turn: Promise<void>;
  leave(): void;
}

export class Engine {
  readonly #maxConcurrent: number;
  readonly #maxQueued: number;
  readonly #queue = new Set<() => void>();
  #running = 0;

  constructor(maxConcurrent: number, maxQueued: number) {
    this.#maxConcurrent = maxConcurrent;
    this.#maxQueued = maxQueued;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  /** Null: the engine refuses the request. */
  enter(): Slot | null {
    if (this.#running >= this.#maxConcurrent && this.#queue.size >= this.#maxQueued) return null;
    let begin: () => void = () => {};
    const turn = new Promise<void>((resolve) => {
      begin = resolve;
    });
    this.#queue.add(begin);
    this.#runNext();
    let hasLeft = false;
    return {
      turn,
      leave: () => {
        if (hasLeft) return; // SLOT-1
        hasLeft = true;
        if (this.#queue.delete(begin)) return;
        this.#running -= 1;
        this.#runNext();
      },
    };
  }

  #runNext(): void {
    const [next] = this.#queue; // SLOT-2
    if (next === undefined || this.#running >= this.#maxConcurrent) return;
    this.#queue.delete(next);
    this.#running += 1;
    next();
  }
}

const BLOCK_TOKENS = 16;
const MAX_BLOCKS = 20_000;

/**
 * Remembers prompts as vLLM's prefix cache does: blocks of 16 tokens, each hashed with all tokens before it. It evicts
 * the least recently used block. Usage and metrics then show whether a conversation came back to the same replica.
 */
export class PrefixCache {
  readonly #blocks = new Set<number>();

  /** Takes the prompt in; returns how many of its leading tokens the cache already had. */
  add(ids: readonly number[]): number {
    const blocks = this.#blocks;
    let hash = 0x811c9dc5;
    let cached = 0;
    let unbroken = true;
    for (let end = BLOCK_TOKENS; end <= ids.length; end += BLOCK_TOKENS) {
      for (const id of ids.slice(end - BLOCK_TOKENS, end)) hash = Math.imul(hash ^ id, 0x01000193) >>> 0;
      unbroken = unbroken && blocks.delete(hash);
      if (unbroken) cached = end;
      blocks.add(hash);
      if (blocks.size > MAX_BLOCKS) blocks.delete(blocks.values().next().value ?? hash);
    }
    // vLLM always computes the last token: a prompt that is cached whole still costs one block.
    return Math.min(cached, Math.max(0, Math.floor((ids.length - 1) / BLOCK_TOKENS) * BLOCK_TOKENS));
  }
}
