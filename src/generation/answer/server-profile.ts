/**
 * ReplicaProfile records which fields one replica accepts or refuses, and whether it continues an answer by its text.
 *
 * PROFILE-1  A refusal counts once the server accepts the request without the field, because a refusal of something else
 *            may quote the whole request.
 * PROFILE-2  A profile ends with an outage, and after a while: by then another server may answer at this address.
 */
import type { RefusedField } from './refused-fields.ts';

export interface ServerProfile {
  readonly refused: ReadonlySet<RefusedField>;
  /** Whether the server continues a partial assistant message instead of a new answer from the beginning. */
  readonly continuesText: boolean;
}

/** `owned_by` of engines that continue a partial assistant message: vLLM and SGLang on request, llama.cpp always. */
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

  /** `owner`: `owned_by` of the model card, or null if the server has none. */
  current(owner: string | null): ServerProfile {
    if (this.#nowMs() >= this.#untilMs) this.forget();
    const continuesText = owner !== null && CONTINUING_OWNERS.has(owner) && !this.#startsOver;
    return { refused: this.#refused, continuesText };
  }

  /** True once the server has answered a request with vLLM's own fields. */
  get takesExtensions(): boolean {
    return this.#takesExtensions;
  }

  rememberExtensions(): void {
    if (this.#takesExtensions) return; // PROFILE-2: each answer would postpone the end
    this.#takesExtensions = true;
    this.#keep();
  }

  /** The server accepted a request without these fields, after it had refused them. */
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
