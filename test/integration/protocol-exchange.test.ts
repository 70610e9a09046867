/** The exchange that docs/PROTOCOL.md prints is what an instance does: same frames, same order, same fields. */
import { describe, expect, it } from 'vitest';
import { exchange, type Step } from '../../scripts/docs/exchange.ts';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { TestClient } from '../support/instance/client.ts';
import { shapesOf } from '../support/instance/frame-shapes.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

type Json = Readonly<Record<string, unknown>>;

const framesOf = (steps: readonly Step[]): readonly Json[] =>
  steps.flatMap((step) => (step.by === 'server' ? [step.frame] : []));

describe('documented exchange', () => {
  const [simulator] = started(() => startSimulator({ tokens: 40, tokensPerSecond: 20 }));
  const [instance] = started(() => startInstance({ VLLM_BASE_URL: simulator.url }));

  it('an instance answers the documented client frames with the documented frames', async () => {
    const reconnectAt = exchange.findIndex((step) => step.by === 'network' && step.does === 'drops');
    const [before, after] = [exchange.slice(0, reconnectAt), exchange.slice(reconnectAt + 1)];

    const first = await TestClient.open(instance.url);
    await play(first, before, {});
    const seen = first.durable.at(-1);
    const place = { session_id: first.sessionId, after: seen?.offset, epoch: seen?.epoch };
    first.drop();
    expect(shapesOf(first.frames)).toEqual(shapesOf(framesOf(before)));

    const second = await TestClient.open(instance.url);
    await play(second, after, place);
    expect(await second.closed).toEqual({ code: 1000, reason: 'closed' });
    expect(shapesOf(second.frames)).toEqual(shapesOf(framesOf(after)));

    const offsets = [...first.offsets(), ...second.offsets()];
    expect(offsets).toEqual(offsets.map((_, index) => index + 2));
  });
});

/** Sends each client frame once the frames before it have come; `place` replaces what the page's hello resumes from. */
async function play(client: TestClient, steps: readonly Step[], place: Json): Promise<void> {
  for (const step of steps) {
    if (step.by === 'client') client.send('after' in step.frame ? { ...step.frame, ...place } : step.frame);
    else if (step.by === 'server') await client.waitForType(step.frame.type as ServerFrame['type']);
  }
}
