import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { startInstance } from '../support/instance/instance.ts';

it('a full instance refuses another session with a clear error, and keeps all its sessions', async () => {
  const instance = await startInstance({
    SESSIONS_MAX: '2',
    HIBERNATE_MS: '3600000',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
  const ask = async (sessionId: string) => {
    const response = await fetch(`${instance.http}/api/protocol`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ session_id: sessionId, chief_complaint: 'cough' }),
    });
    return { status: response.status, body: (await response.json()) as Readonly<Record<string, unknown>> };
  };
  const [first, second, third] = [randomUUID(), randomUUID(), randomUUID()];
  for (const sessionId of [first, second]) expect((await ask(sessionId)).status).toBe(200);
  expect(await ask(third)).toMatchObject({
    status: 503,
    body: { error: { code: 'overloaded', retryable: true } },
  });
  for (const sessionId of [first, second]) {
    const { status, body } = await ask(sessionId);
    expect(status).toBe(200);
    expect(body.metadata).toMatchObject({ conversation_count: 2 });
  }
  // The end of a session makes room for another.
  expect((await fetch(`${instance.http}/api/session/${first}`, { method: 'DELETE' })).status).toBe(200);
  expect((await ask(third)).status).toBe(200);
  await instance.stop();
});
