/** What docs/PROTOCOL.md says about ended sessions, policies, requests without an id and refusals, asked of an instance. */
import { randomUUID } from 'node:crypto';
import { afterAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { newIdentities } from '../support/instance/identities.ts';
import { startInstance } from '../support/instance/instance.ts';
import { countUp } from '../support/instance/observed.ts';
import { started } from '../support/instance/started.ts';

const LONG_TURN = '[[fault:tps=40,tokens=1500]] A long story please';

const identities = newIdentities();
afterAll(() => identities.close());

describe('page of the protocol', () => {
  const [open, closed] = started(
    () => startInstance(),
    () => startInstance(identities.environment),
  );

  /** A client whose first message is being answered. */
  async function midTurn(): Promise<TestClient> {
    const client = await TestClient.greet(open.url, { after: 0 });
    client.message('long', LONG_TURN);
    await client.waitForType('turn.started');
    return client;
  }

  it('without AUTH the id of an ended session begins a new one, also for a client that resumes', async () => {
    const client = await TestClient.greet(open.url, { after: 0 });
    const { sessionId: session_id } = client;
    client.message('m', 'Good morning');
    await client.completed('m');
    const { offset: after, epoch } = client.durable.at(-1) ?? { offset: 0, epoch: 0 };
    client.send({ type: 'close' });
    expect(await client.closed).toEqual({ code: 1000, reason: 'closed' });

    const again = await TestClient.greet(open.url, { session_id, after, epoch });
    expect(again.welcome).toMatchObject({ session_id, resumed: false, offset: 1 });
    again.message('m', 'Good evening');
    await again.completed('m');
    expect(again.offsets()).toEqual(countUp(1, again.durable.length));
    await again.close();
  });

  it('with AUTH the id of an ended session is unknown, and the connection may say hello again', async () => {
    const token = await identities.token('olga');
    const client = await TestClient.greet(closed.url, { token });
    client.send({ type: 'close' });
    await client.closed;
    const again = await TestClient.open(closed.url);
    again.send({ type: 'hello', session_id: client.sessionId, token });
    expect(await again.waitForType('error')).toMatchObject({ code: 'session_not_found', retryable: false });
    expect(await again.hello({ token })).toMatchObject({ resumed: false });
    await again.close();
  });

  it('a client of a session that an administrator ends gets expired, then close 4011 without an error', async () => {
    const client = await TestClient.greet(open.url, { after: 0 });
    const { status } = await fetch(`${open.http}/api/session/${client.sessionId}`, { method: 'DELETE' });
    expect(status).toBeLessThan(300);
    expect(await client.closed).toEqual({ code: 4011, reason: 'session_expired' });
    expect(client.frames.at(-1)).toMatchObject({ type: 'expired', reason: 'admin' });
  });

  it('a credential that is not valid gets 401 if the upgrade shows it, and 4001 if the hello does', async () => {
    await expect(TestClient.open(closed.url, [], { authorization: 'Bearer wrong' })).rejects.toThrow('401');
    const client = await TestClient.open(closed.url);
    client.send({ type: 'hello', token: 'wrong' });
    expect(await client.closed).toEqual({ code: 4001, reason: 'unauthenticated' });
  });

  it('the queue takes eight messages, merged ones count, and an interrupting message passes a full queue', async () => {
    const client = await midTurn();
    for (let n = 1; n <= 8; n++) client.message(`q-${n}`, `Part ${n}`, { policy: 'merge' });
    client.message('q-9', 'Part 9', { policy: 'merge' });
    const refusal = await client.refused('q-9');
    expect(refusal).toMatchObject({ code: 'queue_full', retryable: true });
    expect(refusal).not.toHaveProperty('retry_after_ms');
    const queued = client.frames.filter((frame) => frame.type === 'message.queued');
    expect(queued.map(({ position }) => position)).toEqual(Array(8).fill(1));

    client.message('now', 'Stop', { policy: 'interrupt' });
    expect(await client.completed('long')).toMatchObject({ type: 'turn.cancelled', reason: 'interrupt' });
    await client.completed('now');
    const end = await client.completed('q-8');
    const merged = client.frames.find(
      (frame) => frame.type === 'turn.started' && frame.turn_id === end.turn_id,
    );
    expect(merged).toMatchObject({
      message_id: 'q-8',
      message_ids: countUp(1, 8).map((n) => `q-${n}`),
      content: countUp(1, 8)
        .map((n) => `Part ${n}`)
        .join('\n\n'),
    });
    await client.close();
  });

  it('a rolled-back message keeps its id taken', async () => {
    const client = await midTurn();
    client.message('instead', 'Short, please', { policy: 'rollback' });
    expect(await client.completed('long')).toMatchObject({ type: 'turn.cancelled', reason: 'rollback' });
    client.message('long', 'Once more');
    expect(await client.refused('long')).toMatchObject({ code: 'duplicate_message' });
    await client.close();
  });

  it('a close in mid-turn cancels the turn, and a waiting message gets no frame of its own', async () => {
    const client = await midTurn();
    client.message('waits', 'And then?');
    await client.waitForType('message.queued');
    client.send({ type: 'close' });
    expect(await client.closed).toEqual({ code: 1000, reason: 'closed' });
    expect(await client.completed('long')).toMatchObject({ type: 'turn.cancelled', reason: 'client' });
    const ends = client.frames.filter((frame) => frame.type.startsWith('turn.') && 'message_id' in frame);
    expect(ends.filter((frame) => 'message_id' in frame && frame.message_id === 'waits')).toEqual([]);
  });

  it('a cancel without an id means the running turn, and one of a turn that has ended is refused', async () => {
    const client = await midTurn();
    client.send({ type: 'cancel' });
    const { turn_id } = await client.completed('long');
    client.send({ type: 'cancel', turn_id });
    expect(await client.waitForType('error')).toMatchObject({ code: 'unknown_turn', retryable: false });
    await client.close();
  });

  it('the fifth bad frame in a row gets two errors and close 1008, and a good frame resets the count', async () => {
    const client = await TestClient.greet(open.url);
    for (let n = 0; n < 4; n++) client.send({ type: 'shout' });
    client.send({ type: 'ping' });
    for (let n = 0; n < 5; n++) client.send({ type: 'shout' });
    expect(await client.closed).toEqual({ code: 1008, reason: 'too_many_bad_frames' });
    const codes = client.frames.flatMap((frame) => (frame.type === 'error' ? [frame.code] : []));
    expect(codes).toEqual([...Array(9).fill('bad_frame'), 'too_many_bad_frames']);
  });

  it('a message without content gets a question about the patient, and null is no value of an optional field', async () => {
    const client = await TestClient.greet(open.url);
    client.message('m', 'x', { policy: null });
    expect(await client.refused('m')).toMatchObject({ code: 'bad_frame' });
    client.send({ type: 'message', id: randomUUID(), patient: { age: 61 } });
    expect((await client.waitForType('turn.started')).content).toMatch(/\?$/);
    await client.close();
  });

  it('without AUTH any token is accepted, and its end is null', async () => {
    const client = await TestClient.greet(open.url, { token: 'any' });
    client.send({ type: 'authenticate', token: 'another' });
    expect(await client.waitForType('authenticated')).toEqual({ type: 'authenticated', expires_at: null });
    await client.close();
  });

  it('a ping moves no deadline of the session, and an extend does', async () => {
    const client = await TestClient.greet(open.url);
    client.send({ type: 'ping' });
    await client.waitForType('pong');
    const read = await fetch(`${open.http}/api/session/${client.sessionId}`);
    expect(await read.json()).toMatchObject({ expires_at: client.welcome.expires_at });
    client.send({ type: 'extend' });
    const { expires_at, absolute_expires_at } = await client.waitForType('extended');
    expect(expires_at).toBeGreaterThan(client.welcome.expires_at);
    expect(absolute_expires_at).toBe(client.welcome.absolute_expires_at);
    await client.close();
  });
});
