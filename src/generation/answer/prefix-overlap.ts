/**
 * PrefixOverlap removes the overlap of a continuation by text. Many chat templates trim the partial message, so the model
 * repeats the white space at its end; no server reports whether its template does. So this file trims the message, and
 * drops the white space from the continuation if it comes.
 */
export interface PrefixOverlap {
  /** The partial message for the request. */
  readonly sent: string;
  /** The part of a delta that is new. */
  strip(text: string): string;
}

export function createPrefixOverlap(stored: string): PrefixOverlap {
  const sent = stored.trimEnd();
  let expected = stored.slice(sent.length);

  return {
    sent,
    strip(text) {
      if (expected === '' || text === '') return text;
      let same = 0;
      while (same < text.length && same < expected.length && text[same] === expected[same]) same += 1;
      expected = same === text.length ? expected.slice(same) : '';
      return text.slice(same);
    },
  };
}
