// Reads what guards, actions, delays and states mean from their doc comments in machines/.

import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The doc comment by the name that follows it. */
export type Meanings = ReadonlyMap<string, string>;

const folder = new URL('../../machines/', import.meta.url);
const COMMENTED = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*\n\s*(\w+):/g;

export function meanings(): Meanings {
  const found = new Map<string, string>();
  for (const file of readdirSync(fileURLToPath(folder)).sort()) {
    // The comments of the vocabulary are about fields of the context and of events.
    if (!file.endsWith('.ts') || file === 'vocabulary.ts') continue;
    const source = readFileSync(new URL(file, folder), 'utf8');
    for (const [, comment = '', name = ''] of source.matchAll(COMMENTED)) found.set(name, inOneLine(comment));
  }
  return found;
}

function inOneLine(comment: string): string {
  return comment
    .split('\n')
    .map((line) => line.replace(/^\s*\*\s?/, '').trim())
    .filter((line) => line !== '')
    .join(' ')
    .trim();
}
