/**
 * TurnText holds the text of the running turn: the part that is stored, and the part that waits to be stored.
 *
 *  TEXT-1  The stored part is exactly the concatenation of the turn's deltas in the log.
 *  TEXT-2  No client sees a piece before the store has confirmed it.
 *  TEXT-3  Token ids are kept only while they are known for every stored piece, reasoning included. Once one is missing,
 *          the turn can be continued by its text alone.
 *  TEXT-4  An answer that starts over gets a new TurnText, without the text that was stored before the restart.
 */
import type { GenerationChunk, GenerationPrefix } from '../../generation/port.ts';
import type { StoredFrame } from '../../store/contract.ts';

interface Aux {
  readonly ids?: readonly number[];
  readonly prompt?: readonly number[];
}

/** Text of a turn that waits to be stored. */
export interface Piece {
  readonly turnId: string;
  readonly text: string;
  readonly reasoning: string;
  /** JSON of the token ids, where they are known. */
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
  /** The latest piece with its ids, because the JSON of a long prompt is dear to read back. */
  #latest: { readonly piece: Piece; readonly aux: Aux } | null = null;
  #isIncomplete = false;
  #isSimulated = false;

  constructor(turnId: string, restarts = 0) {
    this.turnId = turnId;
    this.restarts = restarts;
  }

  add(chunk: GenerationChunk): void {
    this.#text += chunk.text;
    this.#reasoning += chunk.reasoning ?? '';
    this.#isSimulated ||= chunk.simulated === true;
    // A continuation reports prompt and prefix together as its prompt: only the first report is the prompt.
    if (chunk.promptTokenIds !== undefined && this.#promptIds === null && this.#stored === '')
      this.#newPromptIds = chunk.promptTokenIds;
    if (chunk.tokenIds !== undefined) this.#ids?.push(...chunk.tokenIds);
    else if (chunk.text !== '' || (chunk.reasoning ?? '') !== '') this.#ids = null;
  }

  /** In UTF-16 units. */
  get pendingLength(): number {
    return this.#text.length + this.#reasoning.length;
  }

  get whole(): string {
    return this.#stored + this.#text;
  }

  /** True if the simulator wrote any of it. */
  get isSimulated(): boolean {
    return this.#isSimulated;
  }

  pending(): Piece {
    const aux: Aux = {
      ...(this.#ids !== null && this.#ids.length > 0 ? { ids: [...this.#ids] } : {}),
      ...(this.#newPromptIds !== null ? { prompt: this.#newPromptIds } : {}),
    };
    const piece: Piece = {
      turnId: this.turnId,
      text: this.#text,
      reasoning: this.#reasoning,
      aux: Object.keys(aux).length > 0 ? JSON.stringify(aux) : undefined,
      ...(this.#isSimulated ? { simulated: true } : {}),
    };
    this.#latest = { piece, aux };
    return piece;
  }

  /** Marks the piece from `pending` as stored. Text that arrived meanwhile stays pending. */
  confirm(piece: Piece): void {
    const aux = this.#latest?.piece === piece ? this.#latest.aux : auxOf(piece);
    this.#latest = null;
    this.#keep(piece.text, piece.reasoning, aux);
    this.#text = this.#text.slice(piece.text.length);
    this.#reasoning = this.#reasoning.slice(piece.reasoning.length);
    this.#ids = this.#ids === null ? null : this.#ids.slice(aux.ids?.length ?? 0);
    if (aux.prompt !== undefined) this.#newPromptIds = null;
  }

  /** The log lacks the beginning of the turn, so no model can continue it. */
  markIncomplete(): void {
    this.#isIncomplete = true;
  }

  get isIncomplete(): boolean {
    return this.#isIncomplete;
  }

  /** Adds a frame of the log if it is a delta of this turn. Throws if the frame is not JSON. */
  replay(frame: StoredFrame): void {
    const data = JSON.parse(frame.data) as {
      type: string;
      turn_id?: string;
      text?: string;
      reasoning?: string;
      simulated?: boolean;
    };
    if (data.type !== 'delta' || data.turn_id !== this.turnId) return;
    this.#isSimulated ||= data.simulated === true;
    this.#keep(data.text ?? '', data.reasoning ?? '', auxOf(frame));
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

function auxOf({ aux }: { readonly aux?: string | undefined }): Aux {
  return aux === undefined ? {} : (JSON.parse(aux) as Aux);
}
