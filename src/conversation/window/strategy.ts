/**
 * Parses the operator's CONTEXT_STRATEGY: parts joined by `+`.
 *
 *   window:N    at most the last N turns before the current one
 *   budget[:T]  the newest turns that fit, in T tokens at most; the model's own limit holds under every strategy
 *   adaptive    the latest turns and pinned findings stay, verbose old turns go first
 *   summary     a summary by the model replaces the turns that fell out
 */
import { startFailure } from '../../startup/start-failure.ts';

export interface Strategy {
  /** For reports: the parts in a fixed order. */
  readonly name: string;
  readonly turnsMax: number | null;
  readonly tokensMax: number | null;
  readonly adaptive: boolean;
  readonly summarise: boolean;
}

const MAX_TURNS = 10_000;
const MIN_TOKENS = 256;
const EXPECTED =
  'parts of window:N, budget, budget:TOKENS, summary, adaptive, joined by +, such as "window:20+budget"';

/** Throws, so that a wrong setting stops the start. */
export function parseStrategy(text: string): Strategy {
  const parts = new Map<string, number | null>();
  for (const part of text.split('+')) {
    const match = /^(window|budget|summary|adaptive)(?::(\d{1,7}))?$/.exec(part.trim().toLowerCase());
    if (match?.[1] === undefined) throw unusable(text, `"${part.trim()}" is not known`);
    if (parts.has(match[1])) throw unusable(text, `"${match[1]}" occurs twice`);
    parts.set(match[1], match[2] === undefined ? null : Number(match[2]));
  }
  const turnsMax = parts.get('window') ?? null;
  const tokensMax = parts.get('budget') ?? null;
  if (parts.has('window') && (turnsMax === null || turnsMax < 1 || turnsMax > MAX_TURNS))
    throw unusable(text, `window needs a number of turns from 1 to ${MAX_TURNS}`);
  if (tokensMax !== null && tokensMax < MIN_TOKENS)
    throw unusable(text, `a budget has at least ${MIN_TOKENS} tokens`);
  for (const plain of ['summary', 'adaptive'])
    if (typeof parts.get(plain) === 'number') throw unusable(text, `${plain} takes no number`);
  const name = ['adaptive', 'window', 'summary', 'budget']
    .filter((part) => parts.has(part))
    .map((part) => (typeof parts.get(part) === 'number' ? `${part}:${parts.get(part)}` : part))
    .join('+');
  return { name, turnsMax, tokensMax, adaptive: parts.has('adaptive'), summarise: parts.has('summary') };
}

function unusable(text: string, why: string): Error {
  return startFailure(`The history strategy "${text}" cannot be used: ${why}. It is made of ${EXPECTED}.`);
}
