/**
 * The text of the running turn: what is stored of it, and what has arrived and waits to be stored.
 *
 *  T1  `stored` is exactly the concatenation of the turn's deltas in the log.
 *  T2  Text is shown to nobody before `confirm` was called for it.
 *  T3  Token ids are kept only while they are known for every piece of what is stored, thoughts included; once one is
 *      missing, the turn can be continued by its text alone.
 *  T4  An answer that starts over has a text of its own: what was stored before the restart is no part of it.
 */
import type { GenerationChunk, GenerationPrefix } from '../../generation/port.ts';
import type { StoredFrame } from '../../store/contract.ts';

interface Aux {
  readonly ids?: readonly number[];
  readonly prompt?: readonly number[];
}

export interface PendingText {
  readonly text: string;
  readonly reasoning: string;
  readonly aux: string | undefined;
  readonly simulated?: boolean;
}

export class TurnText {
  readonly turnId: string;
  /** How often the answer had started over before this text began. */
  readonly restarts: number;
  #stored = '';
  #hasReasoned = false;
  #storedIds: number[] | null = [];
  #promptIds: readonly number[] | null = null;
  #text = '';
  #reasoning = '';
  #ids: number[] | null = [];
  #newPromptIds: readonly number[] | null = null;
  #incomplete = false;
  #simulated = false;

  constructor(turnId: string, restarts = 0) {
    this.turnId = turnId;
    this.restarts = restarts;
  }

  add(chunk: GenerationChunk): void {
    this.#text += chunk.text;
    this.#reasoning += chunk.reasoning ?? '';
    this.#simulated ||= chunk.simulated === true;
    // A continuation reports prompt and prefix together as its prompt: only the first report is the prompt.
    if (chunk.promptTokenIds !== undefined && this.#promptIds === null && this.#stored === '')
      this.#newPromptIds = chunk.promptTokenIds;
    if (chunk.tokenIds !== undefined) this.#ids?.push(...chunk.tokenIds);
    else if (chunk.text !== '' || (chunk.reasoning ?? '') !== '') this.#ids = null;
  }

  get pendingLength(): number {
    return this.#text.length + this.#reasoning.length;
  }

  get whole(): string {
    return this.#stored + this.#text;
  }

  /** A simulator said at least a part of it. */
  get isSimulated(): boolean {
    return this.#simulated;
  }

  pending(): PendingText {
    const aux: Aux = {
      ...(this.#ids !== null && this.#ids.length > 0 ? { ids: this.#ids } : {}),
      ...(this.#newPromptIds !== null ? { prompt: this.#newPromptIds } : {}),
    };
    return {
      text: this.#text,
      reasoning: this.#reasoning,
      aux: Object.keys(aux).length > 0 ? JSON.stringify(aux) : undefined,
      ...(this.#simulated ? { simulated: true } : {}),
    };
  }

  /** The piece that `pending` gave is stored. Text that arrived meanwhile stays pending. */
  confirm(piece: PendingText): void {
    const aux: Aux = piece.aux === undefined ? {} : (JSON.parse(piece.aux) as Aux);
    this.#keep(piece.text, piece.reasoning, aux);
    this.#text = this.#text.slice(piece.text.length);
    this.#reasoning = this.#reasoning.slice(piece.reasoning.length);
    this.#ids = this.#ids === null ? null : this.#ids.slice(aux.ids?.length ?? 0);
    if (aux.prompt !== undefined) this.#newPromptIds = null;
  }

  /** The log no longer has the beginning of the turn: nothing can be continued from what is left. */
  markIncomplete(): void {
    this.#incomplete = true;
  }

  get incomplete(): boolean {
    return this.#incomplete;
  }

  /** Takes in a frame of the log, if it is a delta of this turn. */
  replay(frame: StoredFrame): void {
    const data = JSON.parse(frame.data) as {
      type: string;
      turn_id?: string;
      text?: string;
      reasoning?: string;
      simulated?: boolean;
    };
    if (data.type !== 'delta' || data.turn_id !== this.turnId) return;
    this.#simulated ||= data.simulated === true;
    this.#keep(
      data.text ?? '',
      data.reasoning ?? '',
      frame.aux === undefined ? {} : (JSON.parse(frame.aux) as Aux),
    );
  }

  prefix(): GenerationPrefix | null {
    if (this.#stored === '' && !this.#hasReasoned) return null;
    const tokenIds = this.#storedIds === null ? null : [...this.#storedIds];
    return { text: this.#stored, tokenIds, promptTokenIds: this.#promptIds };
  }

  #keep(text: string, reasoning: string, aux: Aux): void {
    this.#stored += text;
    this.#hasReasoned ||= reasoning !== '';
    if (aux.prompt !== undefined) this.#promptIds = aux.prompt;
    if (aux.ids !== undefined) this.#storedIds?.push(...aux.ids);
    else if (text !== '' || reasoning !== '') this.#storedIds = null;
  }
}
