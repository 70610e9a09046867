/**
 * A prefix cache like vLLM's: full blocks of 16 tokens, each hashed with all that comes before it, the
 * least recently used forgotten first. It makes "same replica, warm cache" visible in usage and metrics.
 */
const BLOCK_TOKENS = 16;
const MAX_BLOCKS = 20_000;

export interface PrefixCache {
  /** How many leading tokens were known; knows them all afterwards. */
  visit(ids: readonly number[]): number;
}

export function createPrefixCache(): PrefixCache {
  const blocks = new Set<number>();

  return {
    visit(ids) {
      let hash = 0x811c9dc5;
      let cached = 0;
      let unbroken = true;
      for (let end = BLOCK_TOKENS; end <= ids.length; end += BLOCK_TOKENS) {
        for (let at = end - BLOCK_TOKENS; at < end; at += 1) {
          hash = Math.imul(hash ^ (ids[at] ?? 0), 0x01000193) >>> 0;
        }
        unbroken = unbroken && blocks.delete(hash);
        if (unbroken) cached = end;
        blocks.add(hash);
        if (blocks.size > MAX_BLOCKS) blocks.delete(blocks.values().next().value ?? hash);
      }
      // The last token is always computed anew, so a prompt that is cached whole still costs one block.
      return Math.min(cached, Math.max(0, Math.floor((ids.length - 1) / BLOCK_TOKENS) * BLOCK_TOKENS));
    },
  };
}
