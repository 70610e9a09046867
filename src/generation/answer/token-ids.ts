/**
 * TokenIdFilter decides which token ids reach the session. An exact continuation needs the ids of exactly the stored text:
 *
 * IDS-1  Ids pass only together with text of the answer or its reasoning. Ids without text (half an emoji, the end of the
 *        reasoning) wait for the next text; stored alone, they would lose or double the half.
 * IDS-2  After the first text without ids no id passes: ids with a gap are worse than none.
 * IDS-3  The ids of a natural end do not pass: they include the end token, after which no answer continues.
 * IDS-4  No id passes once the server counts more tokens than it sent ids: vLLM before 0.12 loses the ids of chunks that
 *        it does not send because they have no text yet.
 */
import type { UpstreamChunk } from '../upstream/upstream-chunk.ts';

export interface KnownTokenIds {
  readonly tokenIds?: readonly number[];
  readonly promptTokenIds?: readonly number[];
}

export interface TokenIdFilter {
  /** The ids that pass with this chunk's text. */
  take(chunk: UpstreamChunk): KnownTokenIds;
}

/** `idsAreWhole` false: the turn's stored part has no ids, so its later ids are useless. */
export function createTokenIdFilter(idsAreWhole: boolean): TokenIdFilter {
  let isWhole = idsAreWhole;
  let waiting: number[] = [];
  let promptTokenIds: readonly number[] | null = null;
  let received = 0;

  return {
    take(chunk) {
      promptTokenIds = chunk.promptTokenIds ?? promptTokenIds;
      const hasText = chunk.text !== '' || chunk.reasoning !== '';
      if (hasText && chunk.tokenIds === null) isWhole = false; // IDS-2
      if (chunk.finishReason === 'stop') isWhole = false; // IDS-3
      received += chunk.tokenIds?.length ?? 0;
      const counted = hasText ? (chunk.usage?.completion_tokens ?? 0) : 0;
      if (received < counted) isWhole = false; // IDS-4
      if (!isWhole) return {};
      for (const id of chunk.tokenIds ?? []) waiting.push(id);
      if (!hasText) return {}; // IDS-1
      const known = promptTokenIds === null ? { tokenIds: waiting } : { tokenIds: waiting, promptTokenIds };
      waiting = [];
      promptTokenIds = null;
      return known;
    },
  };
}
