/** With AUTH set, the audit log names proven callers, and has a line for each credential and permission that was refused. */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { get, post } from '../support/instance/http.ts';
import { type Identities, newIdentities, showing } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';

type Line = Readonly<Record<string, unknown>>;

const folder = mkdtempSync(join(tmpdir(), 'rehydra-audit-identity-'));
const file = join(folder, 'audit.log');

describe('audit log of an instance with AUTH', () => {
  let identities: Identities;
  let instance: Instance;
  let seen = 0;
  let portal: string;
  let kiosk: string;

  beforeAll(async () => {
    identities = newIdentities();
    portal = identities.apiKey('portal', 'service');
    kiosk = identities.apiKey('kiosk', 'user');
    instance = await startInstance({
      ...identities.environment,
      AUDIT_LOG: file,
      SIMULATOR_TOKENS: '6',
      SIMULATOR_TOKENS_PER_SECOND: '0',
    });
  });
  afterAll(async () => {
    await instance?.stop();
    identities?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const lines = (): readonly Line[] =>
    readFileSync(file, 'utf8')
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Line);

  async function news(count: number): Promise<readonly Line[]> {
    const all = await eventually(`${count} lines`, lines, ({ length }) => length >= seen + count);
    const fresh = all.slice(seen);
    seen = all.length;
    expect(fresh).toHaveLength(count);
    return fresh;
  }

  const by = (role: string, subject: string) => ({
    actor: { role, subject, tenant: '', credential: expect.any(String) },
  });

  it('the audit log names the proven user of each action on a socket, and its renewed token', async () => {
    const token = await identities.token('dr-a');
    const client = await TestClient.greet(instance.url, { token });
    client.message('m-1', 'a cough');
    await client.completed('m-1');
    client.send({ type: 'cancel' });
    client.send({ type: 'authenticate', token: await identities.token('dr-a') });
    await client.waitForType('authenticated');
    client.send({ type: 'authenticate', token: 'not-a-token' });
    await client.waitFor(
      (frame) => frame.type === 'error' && frame.code === 'unauthenticated',
      'the refusal',
    );
    client.send({ type: 'close' });
    await client.closed;
    const about = { ...by('user', 'dr-a'), user_id: 'dr-a', session_id: client.sessionId };
    const fresh = await news(7);
    expect(fresh.toSorted((a, b) => String(a.action).localeCompare(String(b.action)))).toMatchObject([
      // At its hello the client names no session yet.
      { action: 'authenticated', outcome: 'ok', ...about, session_id: null },
      { action: 'authenticated', outcome: 'ok', ...about },
      { action: 'authenticated', outcome: 'unauthenticated', why: expect.any(String), ...about },
      { action: 'cancelled', ...about },
      { action: 'closed', outcome: 'ok', ...about },
      { action: 'created', outcome: 'ok', ...about },
      { action: 'message', outcome: 'ok', ...about },
    ]);
  });

  it('the audit log has a line for each refused credential, with the reason and without the credential', async () => {
    const forged = `${await identities.token('dr-a')}x`;
    const secret = 'rk_portal_0123456789';
    expect((await get(`${instance.http}/api/sessions`)).status).toBe(401);
    expect((await get(`${instance.http}/api/sessions`, { headers: showing(forged) })).status).toBe(401);
    expect((await get(`${instance.http}/api/sessions`, { headers: showing(secret) })).status).toBe(401);
    await expect(TestClient.open(instance.url, [], showing(forged))).rejects.toThrow('401');
    const socket = await TestClient.open(instance.url);
    socket.send({ type: 'hello', token: forged });
    expect(await socket.closed).toMatchObject({ code: 4001 });
    const refused = { action: 'refused', outcome: 'unauthenticated', session_id: null, user_id: null };
    const fresh = await news(5);
    expect(fresh).toMatchObject([
      { ...refused, route: 'GET /api/sessions' },
      { ...refused, route: 'GET /api/sessions', why: expect.any(String) },
      { ...refused, route: 'GET /api/sessions', why: expect.any(String) },
      { ...refused, route: 'GET /v1/session', why: expect.any(String) },
      { ...refused, socket: expect.any(String), why: expect.any(String) },
    ]);
    for (const line of fresh) {
      expect(line).not.toHaveProperty('actor');
      expect(JSON.stringify(line)).not.toContain(forged.slice(0, 12));
      expect(JSON.stringify(line)).not.toContain(secret);
    }
  });

  it('the audit log has a line for each refused permission, with the caller that asked', async () => {
    const headers = showing(await identities.token('dr-a'));
    expect((await get(`${instance.http}/api/analytics`, { headers })).status).toBe(403);
    expect((await get(`${instance.http}/api/users/dr-b`, { method: 'DELETE', headers })).status).toBe(403);
    const denied = { action: 'denied', attempted: 'refused', outcome: 'forbidden', ...by('user', 'dr-a') };
    expect(await news(2)).toMatchObject([
      { ...denied, route: 'GET /api/analytics' },
      { ...denied, route: 'DELETE /api/users/:id' },
    ]);
  });

  it('the audit log names the service, its credential and the user for whom it acts', async () => {
    const headers = { ...showing(portal), 'rehydra-user': 'dr-c' };
    const reply = await post(`${instance.http}/api/protocol`, { chief_complaint: 'chest pain' }, headers);
    expect(reply.status).toBe(200);
    const credential = expect.stringMatching(/^portal#/);
    const actor = { role: 'service', subject: 'portal', tenant: '', credential };
    const about = { actor, on_behalf_of: 'dr-c', user_id: 'dr-c', outcome: 'ok' };
    expect(await news(2)).toMatchObject([
      { action: 'created', ...about },
      { action: 'message', ...about },
    ]);
  });

  it('the audit log names the user that a service names in a body or a query, whatever its header names', async () => {
    const headers = { ...showing(portal), 'rehydra-user': 'dr-c' };
    const body = { chief_complaint: 'a rash', user_id: 'dr-d' };
    const reply = await post(`${instance.http}/api/protocol`, body, headers);
    const { session_id } = reply.body as { readonly session_id: string };
    const shares = `${instance.http}/api/session/${session_id}/shares`;
    expect((await post(shares, { user_id: 'dr-e', invited_by: 'dr-d' }, headers)).status).toBe(201);
    for (const more of [headers, showing(portal)])
      expect((await get(`${instance.http}/api/sessions?user_id=dr-d`, { headers: more })).status).toBe(200);
    const about = { on_behalf_of: 'dr-d', user_id: 'dr-d', outcome: 'ok' };
    expect(await news(5)).toMatchObject([
      { action: 'created', ...about },
      { action: 'message', ...about },
      { action: 'shared', ...about },
      { action: 'listed', ...about },
      { action: 'listed', ...about },
    ]);
  });

  it('the audit log has a line for each request of a user in the name of another user', async () => {
    const headers = showing(await identities.token('dr-a'));
    const body = { chief_complaint: 'a cough', user_id: 'dr-b' };
    expect((await post(`${instance.http}/api/protocol`, body, headers)).status).toBe(403);
    expect((await get(`${instance.http}/api/sessions?user_id=dr-b`, { headers })).status).toBe(403);
    const denied = { action: 'denied', outcome: 'forbidden', user_id: 'dr-a', ...by('user', 'dr-a') };
    expect(await news(2)).toMatchObject([
      { attempted: 'refused', route: 'POST /api/protocol', ...denied },
      { attempted: 'listed', route: 'GET /api/sessions', ...denied },
    ]);
  });

  it('the audit log has a line for each read of an administrator: figures, lists, exports and erasures', async () => {
    const headers = showing(await identities.token('root', { role: 'admin' }));
    for (const path of ['/api/analytics', '/api/archive/export', '/api/archive', '/api/sessions'])
      expect((await get(`${instance.http}${path}`, { headers })).status).toBe(200);
    await get(`${instance.http}/api/users/dr-z`, { method: 'DELETE', headers });
    await get(`${instance.http}/api/session/${randomUUID()}`, { headers });
    const about = by('admin', 'root');
    expect(await news(6)).toMatchObject([
      { action: 'analytics', outcome: 'ok', ...about },
      { action: 'exported', outcome: 'ok', ...about },
      { action: 'read', outcome: 'ok', ...about },
      { action: 'listed', outcome: 'ok', ...about },
      { action: 'erased_user', outcome: 'ok', subject_user_id: 'dr-z', ...about },
      { action: 'read', outcome: 'session_not_found', ...about },
    ]);
  });

  it('the audit log has a line when the credential of an open socket is withdrawn', async () => {
    const client = await TestClient.greet(instance.url, { token: kiosk });
    identities.withdraw('kiosk');
    expect(await client.closed).toMatchObject({ code: 4002 });
    const ended = lines().filter(({ action }) => action === 'identity_ended');
    expect(ended).toMatchObject([{ session_id: client.sessionId, ...by('user', 'kiosk') }]);
  });
});
