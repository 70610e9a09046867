/**
 * What one replica has shown of itself: the fields that it takes or refuses, and whether it continues an answer by its
 * text.
 *
 * PROFILE-1  A refusal is remembered once the request without the field was accepted. A server that refuses something
 *            else, and quotes the whole request as it does, teaches nothing.
 * PROFILE-2  What was learned is forgotten when the server was away, and after a while: another may answer there then.
 */
import type { RefusedField } from '../upstream/refused-fields.ts';

export interface ServerProfile {
  readonly refused: ReadonlySet<RefusedField>;
  /** Whether a partial assistant message is continued, and not answered from the beginning. */
  readonly continuesText: boolean;
}

/**
 * Engines that continue a partial assistant message, as their model cards name them: vLLM and SGLang where they are
 * asked to, llama.cpp always. Other servers mostly answer it.
 */
const CONTINUING_OWNERS: ReadonlySet<string> = new Set(['vllm', 'sglang', 'llamacpp', 'rehydra-simulator']);
const KEPT_MS = 600_000;

export class ReplicaProfile {
  readonly #nowMs: () => number;
  #refused: ReadonlySet<RefusedField> = new Set();
  #takesExtensions = false;
  #startsOver = false;
  #untilMs = Number.POSITIVE_INFINITY;

  constructor(nowMs: () => number = () => performance.now()) {
    this.#nowMs = nowMs;
  }

  /** `owner`: `owned_by` of the model card, or null where the server has none. */
  current(owner: string | null): ServerProfile {
    if (this.#nowMs() >= this.#untilMs) this.forget();
    const continuesText = owner !== null && CONTINUING_OWNERS.has(owner) && !this.#startsOver;
    return { refused: this.#refused, continuesText };
  }

  /** The server has answered a request with fields that are vLLM's alone. */
  get takesExtensions(): boolean {
    return this.#takesExtensions;
  }

  rememberExtensions(): void {
    if (this.#takesExtensions) return; // PROFILE-2: each answer would put the end off
    this.#takesExtensions = true;
    this.#keep();
  }

  /** The server accepted a request without these fields, which it had refused. */
  rememberRefused(fields: ReadonlySet<RefusedField>): void {
    this.#refused = fields;
    this.#keep();
  }

  /** The server answered a continuation from the beginning. */
  rememberStartsOver(): void {
    this.#startsOver = true;
    this.#keep();
  }

  forget(): void {
    this.#refused = new Set();
    this.#takesExtensions = false;
    this.#startsOver = false;
    this.#untilMs = Number.POSITIVE_INFINITY;
  }

  #keep(): void {
    this.#untilMs = this.#nowMs() + KEPT_MS;
  }
}
