/**
 * The seam of a continuation by text. Chat templates commonly trim the partial message, so the model says
 * the white space at its end a second time; and whether a template does cannot be asked. So we trim ourselves,
 * expect the white space to come again, and swallow as much of it as does.
 */
export interface PrefixOverlap {
  /** The partial message as it is sent. */
  readonly sent: string;
  /** The part of a delta that is new. */
  pass(text: string): string;
}

export function createPrefixOverlap(stored: string): PrefixOverlap {
  const sent = stored.trimEnd();
  let expected = stored.slice(sent.length);

  return {
    sent,
    pass(text) {
      if (expected === '' || text === '') return text;
      let same = 0;
      while (same < text.length && same < expected.length && text[same] === expected[same]) same += 1;
      expected = same === text.length ? expected.slice(same) : '';
      return text.slice(same);
    },
  };
}
