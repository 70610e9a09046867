/** A generator of the product, aimed at the server under test with the patience that a CPU needs. */
import type { GenerationPrefix, Generator } from '../../src/generation/port.ts';
import { createVllmGenerator } from '../../src/generation/vllm.ts';
import { type Heard, hear } from '../conformance/vllm-listening.ts';
import { engine } from './target.ts';

export const PATIENCE = { firstTokenMs: 120_000, interTokenMs: 60_000, totalMs: 300_000 };

export function makeGenerator(): Generator {
  return createVllmGenerator({ baseUrls: [engine.url], timeouts: PATIENCE, defaultMaxTokens: 200 });
}

export async function completed(
  generator: Generator,
  maxTokens: number,
  prefix?: GenerationPrefix,
): Promise<Heard> {
  const heard = await hear(generator, {
    options: { maxTokens },
    ...(prefix === undefined ? {} : { prefix }),
  });
  if (heard.result.kind !== 'completed') throw new Error(JSON.stringify(heard.result));
  return heard;
}
