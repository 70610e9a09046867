/**
 * Writes and reads the elements of a log in Redis. An element is a frame's data, or data and aux with a line feed between
 * them. The place in the log gives the offset.
 *
 *  ELEMENT-1  What is read equals what was written, byte for byte. Neither JSON nor sealed text contains a raw control
 *             character; data that does is stored as a JSON string behind a mark.
 */
import type { StoredFrame } from '../contract.ts';
import { storedFrame } from '../log.ts';

const AUX = '\n';
const QUOTED = '\u001f';
// biome-ignore lint/suspicious/noControlCharactersInRegex: these characters are the marks of this format.
const CONTROL = /[\u0000-\u001f]/;

export function elementsOf(frames: readonly StoredFrame[]): readonly string[] {
  return frames.map(({ data, aux }) => {
    const text = CONTROL.test(data) ? QUOTED + JSON.stringify(data) : data;
    return aux === undefined ? text : text + AUX + aux;
  });
}

/** The frames of consecutive elements; `first` is the offset of the first one. */
export function framesOf(first: number, elements: readonly string[]): readonly StoredFrame[] {
  return elements.map((element, index) => {
    const end = element.indexOf(AUX);
    const text = end < 0 ? element : element.slice(0, end);
    const data = text.startsWith(QUOTED) ? (JSON.parse(text.slice(1)) as string) : text;
    return storedFrame(first + index, data, end < 0 ? undefined : element.slice(end + 1));
  });
}
