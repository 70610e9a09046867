/** Answer again, edit, fork, and cancel of a waiting message, over sockets on two instances. */
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { startInstance, startSimulatorProcess } from '../support/instance/instance.ts';
import { plainAnswer, type Said } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const [redis, simulator] = started(startRedis, () =>
  startSimulatorProcess({ SIMULATOR_TOKENS: '24', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);
const launch = () => startInstance({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url });
const [one, two] = started(launch, launch);

const user = (content: string): Said => ({ role: 'user', content });
const assistant = (content: string): Said => ({ role: 'assistant', content });

/** A turn of the conversation as the client has it. */
interface Turn {
  readonly id: string;
  readonly text: string;
}

async function ask(client: TestClient, id: string, content: string): Promise<Turn> {
  client.message(id, content);
  return answerOf(client, id);
}

async function answerOf(client: TestClient, id: string): Promise<Turn> {
  const { turn_id, type } = await client.completed(id);
  expect(type).toBe('turn.completed');
  return { id: turn_id, text: client.turnText(turn_id) };
}

async function transcriptOf(sessionId: string): Promise<readonly Said[]> {
  const answer = await fetch(`${two.http}/api/session/${sessionId}/transcript`);
  const { transcript } = (await answer.json()) as { readonly transcript: readonly Said[] };
  return transcript.map(({ role, content }) => ({ role, content }));
}

describe('answer again', () => {
  it('an answer that is taken back is in neither the transcript nor the next prompt, on either instance', async () => {
    const owner = await TestClient.greet(one.url, { after: 0 });
    const first = await ask(owner, 'm-1', 'My knee hurts');
    await ask(owner, 'm-2', 'And my elbow');
    const guest = await TestClient.greet(two.url, { session_id: owner.sessionId, after: 0 });
    guest.send({ type: 'regenerate', id: 'again', content: 'And my shoulder' });
    const again = await answerOf(guest, 'again');
    const history = [user('My knee hurts'), assistant(first.text), user('And my shoulder')];
    expect(again.text).toBe(await plainAnswer(simulator.url, history));
    expect(await transcriptOf(owner.sessionId)).toEqual([...history, assistant(again.text)]);
    await owner.completed('again');
    expect(owner.turnText(again.id)).toBe(again.text);
    await Promise.all([owner.close(), guest.close()]);
  });

  it('an earlier turn is taken back with all after it, and a client that was away sees the same frames', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const turns = [await ask(client, 'm-1', 'One'), await ask(client, 'm-2', 'Two')];
    client.send({ type: 'regenerate', id: 'again', turn_id: turns[0]?.id });
    const again = await answerOf(client, 'again');
    expect(again.text).toBe(await plainAnswer(simulator.url, [user('One')]));
    const late = await TestClient.greet(two.url, { session_id: client.sessionId, after: 0 });
    await late.completed('again');
    expect(late.durable).toEqual(client.durable.slice(0, late.durable.length));
    const retracted = late.durable.flatMap((frame) => (frame.type === 'turn.retracted' ? frame.turn_id : []));
    expect(retracted).toEqual(turns.map(({ id }) => id));
    await Promise.all([client.close(), late.close()]);
  });

  it('a regenerate that is sent again, to any instance and in any state, starts no second turn', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const { id } = await ask(client, 'm-1', 'One');
    const frame = { type: 'regenerate', id: 'again', turn_id: id };
    client.send(frame);
    client.send(frame);
    expect((await client.refused('again')).code).toBe('duplicate_message');
    await client.completed('again');
    const other = await TestClient.greet(two.url, { session_id: client.sessionId });
    other.send(frame);
    expect((await other.refused('again')).code).toBe('duplicate_message');
    expect(client.durable.filter(({ type }) => type === 'turn.started')).toHaveLength(2);
    await Promise.all([client.close(), other.close()]);
  });

  it('a turn that was taken back is absent to HTTP', async () => {
    const client = await TestClient.greet(one.url, { after: 0 });
    const url = `${one.http}/v1/sessions/${client.sessionId}/messages`;
    const body = JSON.stringify({ id: 'm-1', content: 'One' });
    const headers = { 'content-type': 'application/json' };
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(200);
    client.send({ type: 'regenerate', id: 'again' });
    await client.completed('again');
    expect((await fetch(url, { method: 'POST', headers, body })).status).toBe(409);
    await client.close();
  });
});

describe('fork', () => {
  it('a fork has the turns up to its place, and both sessions go on from there on their own', async () => {
    const source = await TestClient.greet(one.url, { after: 0 });
    const turns = [await ask(source, 'm-1', 'My knee hurts'), await ask(source, 'm-2', 'And my elbow')];
    const elsewhere = await TestClient.greet(two.url, { session_id: source.sessionId });
    elsewhere.send({ type: 'fork', id: 'f-1', after: turns[0]?.id });
    const forked = await source.waitForType('forked');
    expect(forked).toMatchObject({ message_id: 'f-1', after: turns[0]?.id });
    elsewhere.send({ type: 'fork', id: 'f-1', after: turns[0]?.id });
    expect((await source.waitForType('forked')).session_id).toBe(forked.session_id);

    const copy = await TestClient.greet(one.url, { session_id: forked.session_id, after: 0 });
    const history = [user('My knee hurts'), assistant(turns[0]?.text ?? '')];
    expect(await copy.waitForType('reset')).toMatchObject({ reason: 'forked', transcript: history });
    const next = await ask(copy, 'm-2', 'It is swollen');
    expect(next.text).toBe(await plainAnswer(simulator.url, [...history, user('It is swollen')]));
    expect(await transcriptOf(source.sessionId)).toHaveLength(4);
    expect(await transcriptOf(forked.session_id)).toEqual([
      ...history,
      user('It is swollen'),
      assistant(next.text),
    ]);
    await Promise.all([source.close(), elsewhere.close(), copy.close()]);
  });

  it('a fork that is sent again names what it copied, also after the session went on or took turns back', async () => {
    const source = await TestClient.greet(one.url, { after: 0 });
    const first = await ask(source, 'm-1', 'My knee hurts');
    source.send({ type: 'fork', id: 'f-1' });
    const forked = await source.waitForType('forked');
    await ask(source, 'm-2', 'And my elbow');
    const url = `${two.http}/v1/sessions/${source.sessionId}/fork`;
    const again = async (fields: object) => {
      const headers = { 'content-type': 'application/json' };
      const sent = await fetch(url, {
        method: 'POST',
        headers,
        body: JSON.stringify({ id: 'f-1', ...fields }),
      });
      return sent.json();
    };
    const answer = {
      session_id: forked.session_id,
      origin: { session_id: source.sessionId, turn_id: first.id },
    };
    expect(await again({})).toEqual(answer);
    source.send({ type: 'regenerate', id: 'again', turn_id: first.id });
    await source.completed('again');
    expect(await again({ after: first.id })).toEqual(answer);
    const named = source.durable.flatMap((frame) => (frame.type === 'forked' ? [frame.after] : []));
    expect(new Set(named)).toEqual(new Set([first.id]));
    await source.close();
  });

  it('forks that are made while turns start and end have an answer to each of their questions', async () => {
    const source = await TestClient.greet(one.url, { after: 0 });
    const url = `/v1/sessions/${source.sessionId}`;
    let isOver = false;
    const talk = async () => {
      for (let number = 1; number <= 15; number += 1) await ask(source, `m-${number}`, `Question ${number}`);
      isOver = true;
    };
    const fork = async ({ http }: { readonly http: string }) => {
      while (!isOver) {
        const answer = await fetch(`${http}${url}/fork`, { method: 'POST' });
        const { session_id } = (await answer.json()) as { readonly session_id: string };
        const roles = (await transcriptOf(session_id)).map(({ role }) => role);
        expect(roles).toEqual(roles.map((_, index) => (index % 2 === 0 ? 'user' : 'assistant')));
        expect(roles.length % 2).toBe(0);
      }
    };
    await Promise.all([talk(), fork(one), fork(two)]);
    await source.close();
  });

  it('a fork before the first turn is an empty session with the data of the patient', async () => {
    const source = await TestClient.greet(one.url, { after: 0, patient: { age: 61 } });
    const { id } = await ask(source, 'm-1', 'My knee hurts');
    source.send({ type: 'fork', id: 'f-1', before: id });
    const { session_id, after } = await source.waitForType('forked');
    expect(after).toBeUndefined();
    expect(await transcriptOf(session_id)).toEqual([]);
    const copy = await TestClient.greet(two.url, { session_id });
    const answer = await ask(copy, 'm-1', 'Good morning');
    expect(answer.text).not.toContain('knee');
    await Promise.all([source.close(), copy.close()]);
  });

  it('a fork at a turn that the session does not have is refused, and makes no session', async () => {
    const source = await TestClient.greet(one.url);
    source.send({ type: 'fork', id: 'f-1', after: 'unknown' });
    expect((await source.refused('f-1')).code).toBe('unknown_turn');
    await source.close();
  });

  it('a session of two hundred turns is forked in one piece', async () => {
    const source = await TestClient.greet(one.url);
    const count = 200;
    for (let number = 1; number <= count; number += 1)
      await source.ask(`m-${number}`, `[[fault:tokens=1]] ${number}`);
    source.send({ type: 'fork', id: 'f-1' });
    const { session_id } = await source.waitForType('forked');
    expect(await transcriptOf(session_id)).toEqual(await transcriptOf(source.sessionId));
    expect(await transcriptOf(session_id)).toHaveLength(2 * count);
    await source.close();
  });
});

describe('cancel of a waiting message', () => {
  it('a waiting message that a client on another instance cancels by its id never starts', async () => {
    const owner = await TestClient.greet(one.url, { after: 0 });
    owner.message('m-1', '[[fault:tps=60,tokens=120]] a story');
    owner.message('m-2', 'Never mind');
    await owner.waitForType('message.queued');
    const other = await TestClient.greet(two.url, { session_id: owner.sessionId });
    other.send({ type: 'cancel', message_id: 'm-2' });
    expect(await owner.completed('m-2')).toMatchObject({ type: 'turn.cancelled', reason: 'client' });
    await owner.completed('m-1');
    expect(await transcriptOf(owner.sessionId)).toHaveLength(2);
    await Promise.all([owner.close(), other.close()]);
  });
});

describe('instructions', () => {
  it('instructions join the system message of their own turn, and of no other', async () => {
    const client = await TestClient.greet(one.url);
    client.message('m-1', 'Good morning', { instructions: 'Answer in Latin.', tags: { ward: '3b' } });
    const started = await client.waitForType('turn.started');
    expect(started.tags).toEqual({ ward: '3b' });
    const first = await answerOf(client, 'm-1');
    const system = { role: 'system', content: 'Answer in Latin.' } as unknown as Said;
    expect(first.text).toBe(await plainAnswer(simulator.url, [system, user('Good morning')]));
    const history = [user('Good morning'), assistant(first.text), user('And now?')];
    expect((await ask(client, 'm-2', 'And now?')).text).toBe(await plainAnswer(simulator.url, history));
    await client.close();
  });
});
