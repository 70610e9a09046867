/**
 * Clients stop reading while a long turn streams. The kernel buffers some megabytes for them, the server one
 * megabyte for each. Beyond that the server closes the connection, and the client catches up by its offset.
 */
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { countUp, eventually, metric } from '../support/instance/observed.ts';
import { started } from '../support/instance/started.ts';

const TOKENS = 2_400_000;
const SLOW_CLIENTS = 6;
const GROWTH_MAX_BYTES = 256 * 1024 * 1024;

describe('slow client', () => {
  const [simulator] = started(() =>
    startSimulatorProcess({ SIMULATOR_TOKENS_PER_SECOND: '0', SIMULATOR_MAX_MODEL_LEN: String(2 * TOKENS) }),
  );
  const [instance] = started(() =>
    startInstance({
      VLLM_BASE_URL: simulator.url,
      GENERATION_MAX_TOKENS: String(TOKENS),
      FRAME_LOG_MAX: '100000',
    }),
  );

  const residentBytes = () => metric(instance.http, 'rehydra_process_resident_memory_bytes');
  const sentAway = () => metric(instance.http, 'rehydra_disconnects_total', { code: '4010' });

  it('a client that stops reading is disconnected and later catches up; other clients see no delay, and memory is bounded', {
    timeout: 120_000,
  }, async () => {
    const reader = await TestClient.greet(instance.url, { after: 0 });
    const { sessionId } = reader;
    const hello = { session_id: sessionId, after: 0 };
    const slow = await Promise.all(
      Array.from({ length: SLOW_CLIENTS }, () => TestClient.greet(instance.url, hello)),
    );
    for (const client of slow) client.pause();
    const before = await residentBytes();

    reader.message('long', `[[fault:no-ids,interval=2000,tokens=${TOKENS}]] Everything you know, please`);
    const ended = reader.completed('long', 100_000);
    await eventually(
      'the instance to close the slow connections',
      sentAway,
      (count) => count === SLOW_CLIENTS,
      100_000,
    );
    expect((await residentBytes()) - before).toBeLessThan(GROWTH_MAX_BYTES);
    const end = await ended;
    expect(end.type).toBe('turn.completed');
    expect(reader.offsets()).toEqual(countUp(1, reader.durable.length));
    expect(await metric(instance.http, 'rehydra_connections')).toBe(1);
    expect((await residentBytes()) - before).toBeLessThan(GROWTH_MAX_BYTES);

    for (const client of slow) {
      client.resume();
      const { code } = await client.closed;
      // The close frame queues behind the unread data, so the client may never get it.
      expect([4010, 1006]).toContain(code);
      const after = client.durable.length;
      expect(client.durable).toEqual(reader.durable.slice(0, after));
      expect(after).toBeLessThan(end.offset);
      const returning = await TestClient.greet(instance.url, { session_id: sessionId, after });
      await eventually(
        'it has caught up',
        () => returning.durable.at(-1)?.offset ?? 0,
        (last) => last > end.offset,
      );
      expect(returning.durable).toEqual(reader.durable.slice(after));
      await returning.close();
    }
  });
});
