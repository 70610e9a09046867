/**
 * Decides which token ids go on to the session. An exact continuation needs ids that stand for exactly the
 * text that is stored, so:
 *
 * T1  Ids are given only together with words, of the answer or of the reasoning before it. Ids that had none yet
 *     (half an emoji, the end of the thoughts) ride with the next words; stored without them, the half would be lost
 *     or doubled at the seam.
 * T2  From the first words without ids no id is given any more: a trail with a hole is worse than none.
 * T4  Ids that are fewer than the tokens which the server counts end the trail as well: vLLM before 0.12 loses the
 *     ids of chunks that it does not send because they hold no text yet.
 * T3  The ids of a natural end are not given: they hold the end token, and nothing sensible follows it.
 */
import type { UpstreamChunk } from '../upstream/upstream-chunk.ts';

export interface KnownTokenIds {
  readonly tokenIds?: readonly number[];
  readonly promptTokenIds?: readonly number[];
}

export interface TokenIds {
  /** What goes on with this chunk's text. */
  follow(chunk: UpstreamChunk): KnownTokenIds;
}

const NOTHING: KnownTokenIds = {};

/** `trusted` false: the turn's stored part has no ids, so none of its later ones are of use. */
export function createTokenIds(trusted: boolean): TokenIds {
  let whole = trusted;
  let waiting: number[] = [];
  let promptTokenIds: readonly number[] | null = null;
  let heardIds = 0;

  return {
    follow(chunk) {
      promptTokenIds = chunk.promptTokenIds ?? promptTokenIds;
      const hasWords = chunk.text !== '' || chunk.reasoning !== '';
      if (hasWords && chunk.tokenIds === null) whole = false; // T2
      if (chunk.finishReason === 'stop') whole = false; // T3
      heardIds += chunk.tokenIds?.length ?? 0;
      const counted = hasWords ? (chunk.usage?.completion_tokens ?? 0) : 0;
      if (heardIds < counted) whole = false; // T4
      if (!whole) return NOTHING;
      for (const id of chunk.tokenIds ?? []) waiting.push(id);
      if (!hasWords) return NOTHING; // T1
      const told = { tokenIds: waiting, ...(promptTokenIds === null ? {} : { promptTokenIds }) };
      waiting = [];
      promptTokenIds = null;
      return told;
    },
  };
}
