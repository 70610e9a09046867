/** `POST /v1/sessions/{id}/messages`: one turn as JSON or a stream, the same turn for a repeated request on any instance. */
import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import type { ServerFrame } from '../../src/protocol/server-frames.ts';
import { TestClient } from '../support/instance/client.ts';
import { post, readEvents, type SentEvent } from '../support/instance/http.ts';
import { type Instance, startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const SLOW = '[[fault:tps=60,tokens=120]] a story';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () =>
  startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, FRAME_LOG_MAX: '60' });
const [one, two] = started(launch, launch);

const at = (instance: Instance, id: string) => `${instance.http}/v1/sessions/${id}/messages`;
const textOf = (events: readonly SentEvent[]) =>
  events.map(({ frame }) => (frame.type === 'delta' ? frame.text : '')).join('');
const has = (type: ServerFrame['type']) => (events: readonly SentEvent[]) =>
  events.some(({ event }) => event === type);
const contentOf = ({ body }: { readonly body: unknown }) => (body as { readonly content: string }).content;

it('a repeated request gets the answer of the first one on the other instance, even when the log has lost it', async () => {
  const id = randomUUID();
  const first = await post(at(one, id), { content: 'Hello', id: 'm1' });
  expect(first.status).toBe(200);
  expect(contentOf(await post(at(two, id), { content: 'Hello', id: 'm1' }))).toBe(contentOf(first));
  await post(at(one, id), { content: SLOW, id: 'm2' });
  const late = await post(at(two, id), { content: 'Hello', id: 'm1' });
  expect(contentOf(late)).toBe(contentOf(first));
});

it('a stream that was cut goes on from its last event on the other instance, without a gap', async () => {
  const id = randomUUID();
  const body = { content: SLOW, id: 'm1' };
  const first = await readEvents({ url: at(one, id), body }, has('delta'));
  const last = first.findLast((event) => event.id !== null)?.id;
  const rest = await readEvents({ url: at(two, id), body, headers: { 'last-event-id': String(last) } });
  const whole = await post(at(one, id), body);
  expect(rest.at(-1)?.event).toBe('turn.completed');
  expect(textOf([...first, ...rest])).toBe(contentOf(whole));
});

it('a stream has the frames of its own turn only, from the queue to the end', async () => {
  const id = randomUUID();
  const client = await TestClient.greet(one.url, { session_id: id });
  client.send({ type: 'message', id: 'running', content: SLOW });
  await client.waitForType('delta');
  const events = await readEvents({ url: at(two, id), body: { content: 'Next', id: 'm1', policy: 'queue' } });
  expect(events[0]?.event).toBe('message.queued');
  expect(events[1]).toMatchObject({ event: 'turn.started', frame: { message_id: 'm1' } });
  expect(events.at(-1)).toMatchObject({ event: 'turn.completed', frame: { message_id: 'm1' } });
  await client.close();
});
