/** SIGKILL ends the owner of a running turn while clients follow its session over `GET /v1/sessions/{id}/events`. */
import { expect, it } from 'vitest';
import { post, readEvents, type SentEvent } from '../support/instance/http.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const QUESTION = 'Tell me a long story.';
const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '240', SIMULATOR_TOKENS_PER_SECOND: '30' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS: '3000' });
const [dying, staying] = started(launch, launch);

const has = (type: string) => (events: readonly SentEvent[]) => events.some(({ event }) => event === type);
const idsOf = (events: readonly SentEvent[]) => events.flatMap(({ id }) => (id === null ? [] : [id]));
const textOf = (events: readonly SentEvent[]) =>
  events.map(({ frame }) => (frame.type === 'delta' ? frame.text : '')).join('');

it('a stream of the killed owner resumes elsewhere and one of another instance goes on, both byte for byte', async () => {
  const { body } = await post(`${dying.http}/v1/sessions`, {});
  const { session_id: id } = body as { readonly session_id: string };
  const at = (http: string) => `${http}/v1/sessions/${id}/events`;
  void post(`${dying.http}/v1/sessions/${id}/messages`, { content: QUESTION }).catch(() => {});
  const watched = readEvents({ url: `${at(staying.http)}?after=0` }, has('turn.completed'));
  const cut: SentEvent[] = [];
  await readEvents({ url: `${at(dying.http)}?after=0` }, (events) => {
    cut.splice(0, cut.length, ...events);
    if (events.filter(({ event }) => event === 'delta').length === 20) dying.kill('SIGKILL');
    return false;
  }).catch(() => {});
  const headers = { 'last-event-id': String(idsOf(cut).at(-1)) };
  const rest = await readEvents({ url: at(staying.http), headers }, has('turn.completed'));

  const answer = await plainAnswer(simulator.url, [{ role: 'user', content: QUESTION }]);
  for (const events of [await watched, [...cut, ...rest]]) {
    const offsets = idsOf(events);
    expect(offsets).toEqual(offsets.map((_, index) => index + 1));
    expect(textOf(events)).toBe(answer);
  }
});
