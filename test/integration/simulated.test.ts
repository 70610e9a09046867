/** Every interface marks an answer of the simulator, so that no reader takes it for a model's. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask, get } from '../support/instance/http.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

type Lines = readonly { readonly role: string; readonly simulated?: boolean }[];

const MARK = 'SIMULATED';
const marksOf = (lines: Lines) => lines.map(({ role, simulated }) => [role, simulated]);
const MARKED = [
  ['user', undefined],
  ['assistant', true],
];

describe('a simulated answer', () => {
  const [instance] = started(() => startInstance({ DATA_DIR: ':memory:', SIMULATOR_TOKENS_PER_SECOND: '0' }));

  it('a socket marks a simulated answer in the welcome, in each delta and at the end of the turn', async () => {
    const client = await TestClient.greet(instance.url);
    expect(client.welcome.simulated).toBe(true);
    client.message('m', 'chest pain');
    expect(await client.completed('m')).toMatchObject({ metadata: { simulated: true } });
    const deltas = client.durable.filter((frame) => frame.type === 'delta');
    expect(deltas.length).toBeGreaterThan(0);
    for (const delta of deltas) expect(delta.simulated).toBe(true);
    await client.close();
  });

  it('HTTP marks a simulated answer as JSON and as events', async () => {
    const { metadata } = await ask(instance.http, { chief_complaint: 'chest pain' });
    expect(metadata.simulated).toBe(true);
    const streamed = await fetch(`${instance.http}/api/protocol`, {
      method: 'POST',
      headers: { accept: 'text/event-stream', 'content-type': 'application/json' },
      body: JSON.stringify({ chief_complaint: 'chest pain' }),
    });
    const events = (await streamed.text()).split('\n\n').filter((event) => event.includes('event: delta'));
    for (const event of events) expect(event).toContain('"simulated":true');
  });

  it('the transcript marks a simulated answer that a client cancelled', async () => {
    const client = await TestClient.greet(instance.url);
    client.message('m', '[[fault:tps=50,tokens=4000]] chest pain');
    await client.waitForType('delta');
    client.send({ type: 'cancel' });
    await client.completed('m');
    const { body } = await get(`${instance.http}/api/session/${client.sessionId}/transcript`);
    expect(marksOf((body as { transcript: Lines }).transcript)).toEqual(MARKED);
    await client.close();
  });

  it('the transcript, the archive, its export and its figures mark a simulated answer in every form', async () => {
    const session_id = randomUUID();
    const user_id = `reader-${session_id}`;
    await ask(instance.http, { session_id, user_id, chief_complaint: 'chest pain' });
    const transcript = `${instance.http}/api/session/${session_id}/transcript`;
    const archived = `${instance.http}/api/archive/${session_id}`;
    const read = await get(transcript);
    expect(marksOf((read.body as { transcript: Lines }).transcript)).toEqual(MARKED);
    await expectMarkedForms(transcript);
    await fetch(`${instance.http}/api/session/${session_id}`, { method: 'DELETE' });
    const { lives } = (await get(archived)).body as { lives: readonly { transcript: Lines }[] };
    expect(lives.map((life) => marksOf(life.transcript))).toEqual([MARKED]);
    await expectMarkedForms(archived);
    const exported = await get(`${instance.http}/api/archive/export?user_id=${user_id}`);
    expect(exported.body).toMatchObject({ sessions: lives });
    const figures = await get(`${instance.http}/api/analytics`);
    expect(figures.body).toMatchObject({ ended: { simulated_answers: 1 } });
  });

  async function expectMarkedForms(url: string): Promise<void> {
    const markdown = String((await get(`${url}?format=markdown`)).body);
    expect(markdown.match(/^## .*/gm)?.filter((heading) => heading.includes(MARK))).toHaveLength(1);
    const bundle = JSON.stringify((await get(`${url}?format=fhir-communication`)).body);
    expect(bundle.split(MARK)).toHaveLength(2);
    expect(bundle.split('HTEST')).toHaveLength(2);
  }
});
