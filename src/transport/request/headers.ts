/** Copies the headers of a request, which uWebSockets.js forgets when its handler returns. */
import type { HttpRequest } from 'uws-node20';

export interface Headers {
  /** The last line of the header, by its lower-case name; empty if there is none. */
  readonly header: (name: string) => string;
  /** Every line of the header, in their order. */
  readonly lines: (name: string) => readonly string[];
}

const NONE: readonly string[] = [];

export function headersOf(req: HttpRequest): Headers {
  const all = new Map<string, string[]>();
  req.forEach((name, value) => {
    const lines = all.get(name);
    if (lines === undefined) all.set(name, [value]);
    else lines.push(value);
  });
  return { header: (name) => all.get(name)?.at(-1) ?? '', lines: (name) => all.get(name) ?? NONE };
}
