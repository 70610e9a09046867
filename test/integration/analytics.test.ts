/** A real instance computes its figures from real conversations. */
import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from '../support/instance/http.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';

interface Figures {
  readonly live: { readonly sessions: number; readonly by_state: Readonly<Record<string, number>> };
  readonly ended: Readonly<Record<string, unknown>> & { readonly created_by_hour: readonly number[] };
}

let instance: Instance;
/** Tokens of all turns of ended conversations, as the answers reported them. */
let read = 0;
let written = 0;
beforeAll(async () => {
  instance = await startInstance({ SIMULATOR_TOKENS: '12', SIMULATOR_TOKENS_PER_SECOND: '0' });
  await converse(['chest pain', 'Also has diabetes, since 2010', 'and a cough']);
  await converse(['fever', 'also has diabetes!']);
  await converse(['headache']);
  await converse(['back pain'], false);
}, 60_000);
afterAll(() => instance?.stop());

async function converse(complaints: readonly string[], ends = true): Promise<void> {
  const sessionId = randomUUID();
  for (const complaint of complaints) {
    const { metadata } = await ask(instance.http, { session_id: sessionId, chief_complaint: complaint });
    if (!ends) continue;
    read += metadata.usage.prompt_tokens;
    written += metadata.usage.completion_tokens;
  }
  if (ends) await fetch(`${instance.http}/api/session/${sessionId}`, { method: 'DELETE' });
}

async function figures(query = ''): Promise<Figures> {
  const response = await fetch(`${instance.http}/api/analytics${query}`);
  expect(response.status).toBe(200);
  return (await response.json()) as Figures;
}

it('analytics count living sessions by state, and turns, abandonment, revisions, tokens and latency of ended ones', async () => {
  const { live, ended } = await figures();
  expect(live).toEqual({ sessions: 1, by_state: { idle: 1 } });
  expect(ended).toMatchObject({
    sessions: 3,
    by_end_reason: { admin: 3 },
    turns: 6,
    turns_per_session: 2,
    abandoned: 1,
    abandonment_rate: 1 / 3,
    second_turns: [{ pattern: 'also has diabetes', count: 2 }],
    protocol_revision_rate: 1,
    prompt_tokens: read,
    completion_tokens: written,
  });
  expect(Math.min(read, written)).toBeGreaterThan(0);
  expect(ended.latency_ms).toMatchObject({ p50: expect.any(Number), p99: expect.any(Number) });
  expect(ended.created_by_hour).toHaveLength(24);
  expect(ended.created_by_hour.reduce((sum, count) => sum + count, 0)).toBe(3);
});

it('analytics of a range count only conversations that ended in it, and an invalid range is refused with the reason', async () => {
  const { live, ended } = await figures('?to=2026-01-01');
  expect(live.sessions).toBe(1);
  expect(ended).toMatchObject({ sessions: 0, turns_per_session: 0, abandonment_rate: 0, second_turns: [] });
  expect((await figures(`?from=${Date.now() - 3_600_000}`)).ended.sessions).toBe(3);
  expect((await fetch(`${instance.http}/api/analytics?from=soon`)).status).toBe(400);
});
