/**
 * The oracle knows the right answers and the right frames.
 *
 * For answers it asks the simulator for the whole conversation again, without a stream and without Rehydra in between:
 * the simulator's answer is a pure function of the messages. For frames it reads the log in Redis.
 */
import type { Cluster, Redis } from 'ioredis';
import type { TurnView } from '../../../src/client/assembler.ts';
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import { sessionKeys } from '../../../src/store/redis/keys.ts';
import { framesOf } from '../../../src/store/redis/texts/log-element.ts';
import { plainAnswer, type Said } from '../../support/instance/observed.ts';
import { inParallel } from './figures.ts';

/** A question and the answer that the client assembled. */
export interface Exchange {
  readonly question: string;
  readonly answer: string;
  readonly maxTokens?: number;
}

/** Describes the first exchange whose answer is not the simulator's; null if all are. */
async function firstDifference(simulatorUrl: string, exchanges: readonly Exchange[]): Promise<string | null> {
  const messages: Said[] = [];
  for (const [index, { question, answer, maxTokens }] of exchanges.entries()) {
    messages.push({ role: 'user', content: question });
    const expected = await plainAnswer(simulatorUrl, messages, maxTokens);
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

/** Every frame of the session, byte for byte, in order. */
export async function storedFrames(redis: Redis | Cluster, sessionId: string): Promise<readonly string[]> {
  const elements = await redis.lrange(sessionKeys(sessionId).log, 0, -1);
  return framesOf(1, elements).map(({ data }) => data);
}

/**
 * Describes how a client's frames differ from the log; null if they are a part of the log without gap or repeat that
 * ends at the log's head.
 */
export function differenceFromLog(
  frames: readonly DurableFrame[],
  log: readonly string[],
  options: { readonly toTheEnd: boolean } = { toTheEnd: true },
): string | null {
  const first = frames[0];
  if (first === undefined) return log.length === 0 ? null : 'nothing was seen';
  const byOffset = new Map(log.map((data) => [(JSON.parse(data) as DurableFrame).offset, data]));
  for (const [index, frame] of frames.entries()) {
    if (frame.offset !== first.offset + index) return `offset ${frame.offset} in place ${index}`;
    const stored = byOffset.get(frame.offset);
    if (stored === undefined) return `offset ${frame.offset} (${frame.type}) is not in the log`;
    if (stored !== JSON.stringify(frame))
      return `offset ${frame.offset} is ${stored} in the log, ${JSON.stringify(frame)} was seen`;
  }
  const head = Math.max(...byOffset.keys());
  const last = first.offset + frames.length - 1;
  return options.toTheEnd && last !== head ? `seen up to ${last}, the log ends at ${head}` : null;
}
