/** Runs the product's generator against the server under test, with time limits for a CPU. */
import type { ExtraBody } from '../../src/config/values.ts';
import type { GenerationPrefix, Generator, Message } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { type Heard, hear, PATIENT } from '../conformance/vllm-listening.ts';
import { transport } from '../support/transport.ts';
import { engine } from './target.ts';

export const PATIENCE = { firstTokenMs: 120_000, interTokenMs: 60_000, totalMs: 300_000 };

export function makeGenerator(extraBody: ExtraBody = {}): Generator {
  const baseUrls = [engine.url];
  return createVllmGenerator({ baseUrls, transport, timeouts: PATIENCE, defaultMaxTokens: 200, extraBody });
}

export async function completed(
  generator: Generator,
  maxTokens: number,
  prefix?: GenerationPrefix,
): Promise<Heard> {
  const heard = await hear(generator, {
    messages: aboutTheQuestion(),
    options: { maxTokens },
    ...(prefix === undefined ? {} : { prefix }),
  });
  if (heard.result.kind !== 'completed') throw new Error(JSON.stringify(heard.result));
  return heard;
}

/** The usual conversation, with the question for comparisons. */
export function aboutTheQuestion(): readonly Message[] {
  return [...PATIENT.slice(0, -1), { role: 'user', content: engine.question }];
}
