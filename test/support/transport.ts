/**
 * The transport that the tests use towards model servers. `VLLM_TRANSPORT=openai npm test` runs the whole suite, with its
 * generators and its instances, over the other one.
 */
import { environmentSchema } from '../../src/config/settings.ts';

export const transport = environmentSchema.shape.VLLM_TRANSPORT.parse(
  process.env.VLLM_TRANSPORT || undefined,
);
