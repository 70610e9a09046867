/** Runs the conformance suite that needs no faults against the server under test. */
import { describeVllmClient } from '../conformance/vllm-client.ts';
import { PATIENCE } from './listening.ts';
import { engine } from './target.ts';

export function describeClient(): void {
  const { url, features } = engine;
  describeVllmClient('the client', () => ({ url }), features.simulated, {
    features,
    timeouts: PATIENCE,
    faults: false,
  });
}
