/**
 * The oracle knows the right answers: it asks the simulator for the whole conversation again, without a stream and
 * without Rehydra in between. The simulator's answer is a pure function of the messages.
 */
import type { TurnView } from '../../../src/client/assembler.ts';
import { inParallel } from './figures.ts';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}

/** A question and the answer that the client assembled. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
  readonly maxTokens?: number;
}

const DEFAULT_MAX_TOKENS = 2_048;

export async function simulatorsAnswer(
  simulatorUrl: string,
  messages: readonly Message[],
  maxTokens = DEFAULT_MAX_TOKENS,
): Promise<string> {
  const response = await fetch(`${simulatorUrl}/chat/completions`, {
    method: 'POST',
    // The pace is not part of the answer.
    headers: { 'content-type': 'application/json', 'x-simulator-fault': 'tps=0,first-token-ms=0' },
    body: JSON.stringify({ model: 'rehydra/simulator', messages, max_tokens: maxTokens, temperature: 0.7 }),
  });
  if (!response.ok) throw new Error(`the simulator answered ${response.status}: ${await response.text()}`);
  const body = (await response.json()) as {
    readonly choices: readonly [{ readonly message: { readonly content: string } }];
  };
  return body.choices[0].message.content;
}

/** Describes the first exchange whose answer is not the simulator's; null if all are. */
async function firstDifference(simulatorUrl: string, exchanges: readonly Exchange[]): Promise<string | null> {
  const messages: Message[] = [];
  for (const [index, { question, answer, maxTokens }] of exchanges.entries()) {
    messages.push({ role: 'user', content: question });
    const expected = await simulatorsAnswer(simulatorUrl, messages, maxTokens);
    if (expected !== answer) return difference(index, question, expected, answer);
    messages.push({ role: 'assistant', content: answer });
  }
  return null;
}

/** The differences of many conversations. */
export async function differences(
  simulatorUrl: string,
  conversations: readonly (readonly Exchange[])[],
): Promise<readonly string[]> {
  const found = await inParallel(conversations, 8, (exchanges) => firstDifference(simulatorUrl, exchanges));
  return found.filter((text) => text !== null);
}

export function exchange(question: string, turn: TurnView, maxTokens?: number): Exchange {
  return { question, answer: turn.text, ...(maxTokens === undefined ? {} : { maxTokens }) };
}

function difference(index: number, question: string, expected: string, answer: string): string {
  let at = 0;
  while (at < expected.length && expected[at] === answer[at]) at += 1;
  const around = (text: string): string => JSON.stringify(text.slice(Math.max(0, at - 30), at + 30));
  return `answer ${index + 1} (to ${JSON.stringify(question)}) differs at ${at} of ${expected.length}: expected ${around(expected)}, got ${around(answer)} (${answer.length} long)`;
}
