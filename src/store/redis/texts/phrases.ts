/**
 * Shortens JSON before it is stored: one control character replaces a phrase that many texts share.
 *
 *  PHRASE-1  What is read equals what was written, byte for byte. Neither JSON nor sealed text contains a raw control
 *            character; a text that does is stored as a JSON string behind a mark.
 *  PHRASE-2  A book is a stored format. Its phrases keep their places, and new ones go to its end. An instance of an earlier
 *            version keeps a character that it does not know, and its reader refuses the text: it is not JSON.
 *  PHRASE-3  A text without control characters means itself, so texts of an earlier version stay readable.
 */
/** Begins a text that contains control characters. */
const QUOTED = '\u001f';
/** Separates parts of stored texts, so no phrase has it. */
const SEPARATOR = '\n';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters replace phrases.
const CONTROL = /[\u0000-\u001f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters replace phrases.
const CONTROLS = /[\u0000-\u001f]/g;

const MARKS: readonly string[] = Array.from({ length: 30 }, (_, index) =>
  String.fromCharCode(index + 1),
).filter((mark) => mark !== SEPARATOR);

export interface PhraseBook {
  readonly entries: readonly { readonly phrase: string; readonly mark: string }[];
  readonly phraseOf: ReadonlyMap<string, string>;
}

/** `phrases` come in the order in which a text has them: the search for a phrase begins after the former one. */
export function phraseBook(...phrases: readonly string[]): PhraseBook {
  return extendedBook(phrases, []);
}

/** `added` came later, so they have the places after `phrases`. They stand at the beginning of a text. */
export function extendedBook(phrases: readonly string[], added: readonly string[]): PhraseBook {
  const places = [...phrases, ...added];
  const entries = [...added, ...phrases].map((phrase) => {
    const mark = MARKS[places.indexOf(phrase)];
    if (mark === undefined) throw new Error(`a book of ${places.length} phrases`);
    return { phrase, mark };
  });
  return { entries, phraseOf: new Map(entries.map(({ phrase, mark }) => [mark, phrase])) };
}

/** `text` must contain no control character. */
export function shorten({ entries }: PhraseBook, text: string): string {
  let short = '';
  let from = 0;
  for (const { phrase, mark } of entries) {
    const at = text.indexOf(phrase, from);
    if (at < 0) continue;
    short += text.slice(from, at) + mark;
    from = at + phrase.length;
  }
  return from === 0 ? text : short + text.slice(from);
}

export function lengthen({ phraseOf }: PhraseBook, short: string): string {
  if (!CONTROL.test(short)) return short;
  return short.replace(CONTROLS, (mark) => phraseOf.get(mark) ?? mark);
}

/** Null if the text has no control character. */
export function quoted(text: string): string | null {
  return CONTROL.test(text) ? QUOTED + JSON.stringify(text) : null;
}

/** Null if the text is not quoted. */
export function unquoted(text: string): string | null {
  return text.startsWith(QUOTED) ? (JSON.parse(text.slice(1)) as string) : null;
}
