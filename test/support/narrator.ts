/**
 * Tells every turn its own text, in pieces, and goes on wherever a run of the generator was told to go on.
 * Token ids are places in the text, so a gap or a repeat in what is stored shows in them too.
 */
import { expect } from 'vitest';
import type { GenerationResult } from '../../src/generation/port.ts';
import type { ScriptedGenerator, ScriptedRun } from './scripted-generator.ts';

export const TEXT_LENGTH = 120;
const PROMPT_IDS: readonly number[] = [7, 8];

const texts = new Map<string, string>();

/** Says its place every few letters, so that no piece of it fits anywhere else. */
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
  /** How far each turn's text was told in any life of the session, and how far by the run that tells it now. */
  readonly #told = new Map<string, number>();
  readonly #toldBy = new WeakMap<ScriptedRun, number>();
  readonly #beganAt = new WeakMap<ScriptedRun, number>();

  constructor(generator: ScriptedGenerator) {
    this.#generator = generator;
  }

  /** Tells what a death may have lost, and `more`. Does nothing where no generation runs. */
  tell(more: number): void {
    const run = this.#generator.running;
    if (run === null) return;
    const { turnId } = run.request;
    const beginning = this.#beganAt.get(run) ?? beginningOf(run);
    this.#beganAt.set(run, beginning);
    const from = this.#toldBy.get(run) ?? beginning;
    const to = Math.min(TEXT_LENGTH, (this.#told.get(turnId) ?? 0) + more);
    this.#told.set(turnId, to);
    if (to <= from) return;
    this.#toldBy.set(run, to);
    // A server that continues reports the prefix as a part of its prompt.
    const prompt = beginning === from ? { promptTokenIds: [...PROMPT_IDS, ...places(0, from)] } : {};
    run.say({ text: textOf(turnId).slice(from, to), tokenIds: places(from, to), ...prompt });
  }

  end(result: GenerationResult): void {
    this.#generator.running?.end(result);
  }
}

/** Where the run has to begin: after what is stored, which must be a whole beginning of the text. */
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
