/** The promises of the client that hold without faults on demand, asked of the server under test. */
import { describeVllmClient } from '../conformance/vllm-client.ts';
import { PATIENCE } from './listening.ts';
import { engine } from './target.ts';

export function describeClient(): void {
  const { url, gives } = engine;
  describeVllmClient('the client', () => ({ url }), gives.simulated, {
    gives,
    timeouts: PATIENCE,
    faults: false,
  });
}
