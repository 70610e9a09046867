/**
 * Narrator generates each turn's own text in pieces, and continues from the point where a run of the generator begins.
 * Token ids are positions in the text, so they show a gap or a repeat in the stored text too.
 */
import { expect } from 'vitest';
import type { GenerationResult } from '../../../src/generation/port.ts';
import type { ScriptedGenerator, ScriptedRun } from './ports.ts';

export const TEXT_LENGTH = 120;
const PROMPT_IDS: readonly number[] = [7, 8];

const texts = new Map<string, string>();

/** The text names its position every few letters, so that no piece fits anywhere else. */
export function textOf(turnId: string): string {
  const known = texts.get(turnId);
  if (known !== undefined) return known;
  const words = Array.from({ length: TEXT_LENGTH }, (_, place) => `${turnId}:${place} `);
  const text = words.join('').slice(0, TEXT_LENGTH);
  texts.set(turnId, text);
  return text;
}

export class Narrator {
  readonly #generator: ScriptedGenerator;
  /** The furthest position of each turn in any life of the session. */
  readonly #furthest = new Map<string, number>();
  /** The position that a run has reached. */
  readonly #reachedBy = new WeakMap<ScriptedRun, number>();
  readonly #beganAt = new WeakMap<ScriptedRun, number>();

  constructor(generator: ScriptedGenerator) {
    this.#generator = generator;
  }

  /** Generates what a crash may have lost, and `more`. Does nothing if no generation runs. */
  tell(more: number): void {
    const run = this.#generator.running;
    if (run === null) return;
    const { turnId } = run.request;
    const beginning = this.#beganAt.get(run) ?? beginningOf(run);
    this.#beganAt.set(run, beginning);
    const from = this.#reachedBy.get(run) ?? beginning;
    const to = Math.min(TEXT_LENGTH, (this.#furthest.get(turnId) ?? 0) + more);
    this.#furthest.set(turnId, to);
    if (to <= from) return;
    this.#reachedBy.set(run, to);
    // A server that continues an answer reports the prefix as a part of its prompt.
    const prompt = beginning === from ? { promptTokenIds: [...PROMPT_IDS, ...places(0, from)] } : {};
    run.say({ text: textOf(turnId).slice(from, to), tokenIds: places(from, to), ...prompt });
  }

  end(result: GenerationResult): void {
    this.#generator.running?.end(result);
  }
}

/** The run begins after the stored prefix, which must be a beginning of the text. */
function beginningOf({ request }: ScriptedRun): number {
  const { turnId, prefix } = request;
  if (prefix === null) return 0;
  expect(textOf(turnId).startsWith(prefix.text)).toBe(true);
  expect(prefix.tokenIds).toEqual(places(0, prefix.text.length));
  expect(prefix.promptTokenIds).toEqual(PROMPT_IDS);
  return prefix.text.length;
}

function places(from: number, to: number): readonly number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
