/** The beginning of a text, without half an emoji at its end: half a character is refused by some servers. */
export function clip(text: string, charsMax: number): string {
  return text.length <= charsMax ? text : text.slice(0, charsMax).replace(/[\uD800-\uDBFF]$/, '');
}
