/** Ids that a store would change, so that two users became one: refused wherever a client names one. */
import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, post, problemOf } from '../support/instance/http.ts';
import { startInstance } from '../support/instance/instance.ts';
import { started } from '../support/instance/started.ts';

/** As JSON text: JSON.stringify of such a string gives the same escapes. */
const UNFIT: readonly (readonly [name: string, id: string])[] = [
  ['half a surrogate pair', '\ud800'],
  ['the other half inside a name', 'ada\udfff'],
  ['the character that stands for unreadable text', 'ada\ufffd'],
  ['a line break', 'ada\nroot'],
  ['a NUL', 'ada\u0000'],
  ['a control character of the C1 range', 'ada\u0085'],
  ['the separator of stored names', '\u001facme\u001fada'],
];

describe('user ids', () => {
  const [instance] = started(() => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0' }));

  it.each(UNFIT)('a user id with %s is refused by hello, a turn and a share', async (_, user_id) => {
    const client = await TestClient.open(instance.url);
    client.send({ type: 'hello', user_id });
    expect(await client.waitForType('error')).toMatchObject({ code: 'bad_frame' });
    await client.close();
    const turn = await post(`${instance.http}/api/protocol`, { user_id, chief_complaint: 'headache' });
    expect([turn.status, problemOf(turn).code]).toEqual([400, 'bad_request']);
    const shares = `${instance.http}/api/session/${randomUUID()}/shares`;
    for (const body of [{ user_id }, { user_id: 'bo', invited_by: user_id }])
      expect((await post(shares, body)).status).toBe(400);
  });

  it.each([
    ['half a surrogate pair', '%ED%A0%80'],
    ['bytes that are no UTF-8', '%ff'],
    ['the character that stands for unreadable text', '%EF%BF%BD'],
    ['a line break', 'ada%0A'],
    ['nothing', ''],
    ['257 characters', 'x'.repeat(257)],
  ])('a user id in an address is refused if it holds %s', async (_, encoded) => {
    const { http } = instance;
    for (const path of [`/api/sessions?user_id=${encoded}`, `/api/archive?user_id=${encoded}`])
      expect(problemOf(await get(`${http}${path}`))).toMatchObject({ code: 'bad_request' });
    const share = `${http}/api/session/${randomUUID()}/shares/${randomUUID()}?revoked_by=${encoded}`;
    expect((await get(share, { method: 'DELETE' })).status).toBe(400);
    expect((await get(`${http}/api/users/${encoded}`, { method: 'DELETE' })).status).toBe(400);
  });

  it('client and diagnosis ids of half a surrogate pair are refused by hello and a turn', async () => {
    for (const name of ['client_id', 'diagnosis_id']) {
      const client = await TestClient.open(instance.url);
      client.send({ type: 'hello', [name]: 'tablet\ud800' });
      expect(await client.waitForType('error')).toMatchObject({ code: 'bad_frame' });
      await client.close();
      const body = { [name]: '\udc00', chief_complaint: 'headache' };
      expect((await post(`${instance.http}/api/protocol`, body)).status).toBe(400);
    }
  });

  it('user ids of any language and pictures are served, listed and erased under their own name', async () => {
    for (const user_id of ['Ada Lovelace', '张伟', '👩‍⚕️', 'o’neil@example.org']) {
      const client = await TestClient.greet(instance.url, { user_id });
      const { session_id } = client.welcome;
      const listed = await get(`${instance.http}/api/sessions?user_id=${encodeURIComponent(user_id)}`);
      expect(listed.body).toMatchObject({ count: 1, sessions: [{ session_id, user_id }] });
      const erasing = `${instance.http}/api/users/${encodeURIComponent(user_id)}`;
      expect((await get(erasing, { method: 'DELETE' })).body).toMatchObject({ live_sessions: 1 });
      await client.closed;
    }
  });
});
