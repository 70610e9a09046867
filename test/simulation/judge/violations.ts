/** Broken promises. The first one ends the run, because its consequences show nothing new. */
export type Promised = 'G1' | 'G2' | 'G3' | 'G4' | 'G5' | 'G6' | 'G7' | 'G8' | 'G9' | 'R24' | 'LIVE';

export interface Violation {
  readonly promise: Promised;
  readonly words: string;
  readonly atMs: number;
}

export class Violations {
  readonly #found: Violation[] = [];
  readonly #elapsed: () => number;

  constructor(elapsed: () => number) {
    this.#elapsed = elapsed;
  }

  get first(): Violation | null {
    return this.#found[0] ?? null;
  }

  found(promise: Promised, words: string): void {
    this.#found.push({ promise, words, atMs: this.#elapsed() });
  }
}
