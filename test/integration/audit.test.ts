/** Real instances write one audit line for each access to a session, with ids and without content. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, post } from '../support/instance/http.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';

type Line = Readonly<Record<string, unknown>>;

const QUICK = { SIMULATOR_TOKENS: '6', SIMULATOR_TOKENS_PER_SECOND: '0', SESSION_IDLE_MS: '3600000' };
const CANARY = `q${randomUUID().replaceAll('-', '')}q`;

const folder = mkdtempSync(join(tmpdir(), 'rehydra-audit-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const linesIn = (file: string): readonly Line[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
const del = (instance: Instance, path: string) => get(`${instance.http}${path}`, { method: 'DELETE' });

describe('audit log of two instances', () => {
  const files = ['one', 'two'].map((name) => join(folder, `${name}.log`));
  let redis: RedisServer;
  let one: Instance;
  let two: Instance;
  let seen = [0, 0];

  beforeAll(async () => {
    redis = await startRedis();
    const environment = { ...QUICK, REDIS_URL: redis.url, DATA_DIR: join(folder, 'data') };
    [one, two] = await Promise.all([
      startInstance({ ...environment, INSTANCE_ID: 'one', AUDIT_LOG: files[0]! }),
      startInstance({ ...environment, INSTANCE_ID: 'two', AUDIT_LOG: files[1]! }),
    ]);
  });
  afterAll(async () => {
    await Promise.all([one?.stop(), two?.stop()]);
    await redis?.stop();
  });

  /** The new lines of both files, at least `count`; a line may be written shortly after the answer. */
  async function news(count: number): Promise<readonly Line[]> {
    const all = await eventually(
      `${count} lines`,
      () => files.map(linesIn),
      (lines) => lines.flat().length >= seen[0]! + seen[1]! + count,
    );
    const fresh = all.flatMap((lines, index) => lines.slice(seen[index]));
    seen = all.map(({ length }) => length);
    return fresh.toSorted((a, b) => String(a.time).localeCompare(String(b.time)));
  }

  it('the audit log has a line for each action of a socket in a session, with the id of its connection', async () => {
    const client = await TestClient.greet(one.url, { user_id: 'dr-a', client_id: 'tablet' });
    const session_id = client.sessionId;
    client.message('m-1', `a cough, ${CANARY}`, { patient: { chief_complaint: CANARY } });
    await client.completed('m-1');
    await client.close();
    const again = await TestClient.greet(two.url, { session_id, user_id: 'dr-a', after: 0 });
    again.send({ type: 'cancel' });
    again.send({ type: 'extend' });
    await again.waitForType('extended');
    again.send({ type: 'close' });
    await again.closed;

    const lines = await news(6);
    const about = { session_id, user_id: 'dr-a', address: '127.0.0.1', log: 'audit', outcome: 'ok' };
    expect(lines).toMatchObject([
      { ...about, action: 'created', instance: 'one', client_id: 'tablet' },
      { ...about, action: 'message', instance: 'one', client_id: 'tablet' },
      { ...about, action: 'resumed', instance: 'two', client_id: null },
      { ...about, action: 'cancelled', instance: 'two', client_id: null, outcome: 'unknown_turn' },
      { ...about, action: 'extended', instance: 'two', client_id: null },
      { ...about, action: 'closed', instance: 'two', client_id: null },
    ]);
    const sockets = lines.map(({ socket }) => socket);
    expect(sockets[0]).toBe(sockets[1]);
    expect(sockets[2]).toBe(sockets[3]);
    expect(sockets[0]).not.toBe(sockets[2]);
    for (const line of lines) {
      expect(Object.keys(line).toSorted()).toEqual(
        [
          ...['action', 'address', 'client_id', 'instance', 'log', 'outcome'],
          ...['session_id', 'socket', 'time', 'user_id'],
        ].toSorted(),
      );
      expect(String(line.time)).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    }
  });

  it('the audit log has a line for each action over HTTP, with the id of its request', async () => {
    const session_id = randomUUID();
    const headers = { 'idempotency-key': `key-${CANARY}` };
    const body = { session_id, user_id: 'dr-h', client_id: 'web', chief_complaint: CANARY };
    const at = `/api/session/${session_id}`;
    await ask(one.http, body, headers);
    await ask(two.http, body, headers);
    const shared = await post(`${one.http}${at}/shares`, { user_id: 'dr-b', invited_by: 'dr-h' });
    const { share_id } = shared.body as { readonly share_id: string };
    const requests: readonly (readonly [number, () => Promise<{ readonly status: number }>])[] = [
      [200, () => get(`${one.http}${at}`)],
      [200, () => get(`${one.http}${at}/transcript`)],
      [200, () => get(`${one.http}${at}/transcript?format=markdown`)],
      [200, () => get(`${one.http}${at}/shares`)],
      [200, () => get(`${one.http}/api/sessions?user_id=dr-h`)],
      [200, () => get(`${one.http}/api/analytics`)],
      [200, () => del(one, `${at}/shares/${share_id}?revoked_by=dr-h`)],
      [200, () => del(one, at)],
      [200, () => get(`${one.http}/api/archive?text=${CANARY}&user_id=dr-h`)],
      [200, () => get(`${one.http}/api/archive/export?user_id=dr-h&diagnosis_id=${CANARY}`)],
      [200, () => get(`${one.http}/api/archive/${session_id}?format=fhir-communication`)],
      [404, () => get(`${one.http}${at}`)],
      [200, () => del(one, `${at}?erase=true`)],
      [200, () => del(one, '/api/users/dr-h')],
    ];
    for (const [status, request] of requests) expect((await request()).status).toBe(status);

    const lines = await news(19);
    const visit = { session_id, user_id: 'dr-h', client_id: 'web', route: 'POST /api/protocol' };
    const by = (route: string) => ({ user_id: null, session_id, route });
    expect(lines).toMatchObject([
      { ...visit, action: 'created', outcome: 'ok', instance: 'one' },
      { ...visit, action: 'message', outcome: 'ok', instance: 'one' },
      { ...visit, action: 'resumed', outcome: 'ok', instance: 'two' },
      { ...visit, action: 'message', outcome: 'duplicate_message', instance: 'two' },
      {
        action: 'shared',
        ...by('POST /api/session/:id/shares'),
        user_id: 'dr-h',
        subject_user_id: 'dr-b',
        outcome: 'ok',
      },
      { action: 'read', ...by('GET /api/session/:id') },
      { action: 'read', ...by('GET /api/session/:id/transcript'), format: 'json' },
      { action: 'read', ...by('GET /api/session/:id/transcript'), format: 'markdown' },
      { action: 'read', ...by('GET /api/session/:id/shares') },
      { action: 'listed', ...by('GET /api/sessions'), session_id: null, session_ids: [session_id] },
      { action: 'analytics', ...by('GET /api/analytics'), session_id: null },
      {
        action: 'share_revoked',
        ...by('DELETE /api/session/:id/shares/:share'),
        user_id: 'dr-h',
        subject_user_id: 'dr-b',
      },
      { action: 'deleted', ...by('DELETE /api/session/:id'), outcome: 'ok' },
      { action: 'read', ...by('GET /api/archive'), session_id: null, session_ids: [session_id] },
      { action: 'exported', ...by('GET /api/archive/export'), session_id: null, session_ids: [] },
      { action: 'read', ...by('GET /api/archive/:id'), format: 'fhir-communication' },
      { action: 'read', ...by('GET /api/session/:id'), outcome: 'session_not_found' },
      { action: 'erased_session', ...by('DELETE /api/session/:id'), outcome: 'ok' },
      { action: 'erased_user', ...by('DELETE /api/users/:id'), session_id: null, subject_user_id: 'dr-h' },
    ]);
    for (const { address, request_id } of lines) {
      expect(address).toBe('127.0.0.1');
      expect(request_id).toMatch(/^[\da-f-]{36}$/);
    }
  });

  it('the audit log has a line for each forbidden attempt to enter, to write or to invite', async () => {
    const session_id = randomUUID();
    const owner = await TestClient.greet(one.url, { session_id, user_id: 'dr-a' });
    const invitation = { user_id: 'dr-b', access: 'read', invited_by: 'dr-a' };
    await post(`${one.http}/api/session/${session_id}/shares`, invitation);
    const guest = await TestClient.greet(one.url, { session_id, user_id: 'dr-b' });
    expect(await news(3)).toMatchObject([{ action: 'created' }, { action: 'shared' }, { action: 'resumed' }]);

    const stranger = await TestClient.open(one.url);
    stranger.send({ type: 'hello', session_id, user_id: 'dr-x' });
    expect(await stranger.closed).toMatchObject({ code: 4003 });
    guest.message('g-1', CANARY);
    await guest.refused('g-1');
    const asked = { session_id, user_id: 'dr-x', chief_complaint: CANARY };
    expect((await post(`${one.http}/api/protocol`, asked)).status).toBe(403);
    const shares = `${one.http}/api/session/${session_id}/shares`;
    expect((await post(shares, { user_id: 'dr-y', invited_by: 'dr-x' })).status).toBe(403);

    const denied = { action: 'denied', outcome: 'forbidden', session_id };
    expect(await news(4)).toMatchObject([
      { ...denied, attempted: 'resumed', user_id: 'dr-x', socket: expect.any(String) },
      { ...denied, attempted: 'message', user_id: 'dr-b', socket: expect.any(String) },
      { ...denied, attempted: 'resumed', user_id: 'dr-x', route: 'POST /api/protocol' },
      { ...denied, attempted: 'shared', user_id: 'dr-x', subject_user_id: 'dr-y' },
    ]);
    await Promise.all([owner.close(), guest.close()]);
  });

  it('the audit log records that a message was passed to the owner on another instance, and that the owner refused it', async () => {
    const session_id = randomUUID();
    const owner = await TestClient.greet(one.url, { session_id, user_id: 'dr-a' });
    const invitation = { user_id: 'dr-b', access: 'read', invited_by: 'dr-a' };
    await post(`${one.http}/api/session/${session_id}/shares`, invitation);
    owner.message('o-1', '[[fault:tps=20,tokens=4000]] a long story');
    await owner.waitForType('delta');
    expect(await news(3)).toMatchObject([{ action: 'created' }, { action: 'shared' }, { action: 'message' }]);
    const guest = await TestClient.greet(two.url, { session_id, user_id: 'dr-b' });
    guest.message('g-1', CANARY);
    await guest.refused('g-1');
    const about = { session_id, user_id: 'dr-b', instance: 'two' };
    expect(await news(3)).toMatchObject([
      { ...about, action: 'resumed', outcome: 'ok' },
      { ...about, action: 'message', outcome: 'passed' },
      { ...about, action: 'denied', attempted: 'message', outcome: 'forbidden' },
    ]);
    owner.send({ type: 'close' });
    await owner.closed;
    expect(await news(1)).toMatchObject([{ action: 'closed', instance: 'one' }]);
  });

  it('the audit log has no line for requests that touch no session or are invalid', async () => {
    for (const path of ['/healthz', '/readyz', '/metrics', '/dashboard', '/openapi.json', '/nothing/here'])
      await get(`${one.http}${path}`);
    expect((await get(`${one.http}/api/sessions?limit=many`)).status).toBe(400);
    expect((await post(`${one.http}/api/protocol`, { colour: CANARY })).status).toBe(400);
    const silent = await TestClient.open(one.url);
    silent.send({ type: 'message', id: CANARY, content: CANARY });
    await silent.waitForType('error');
    await silent.close();
    // Nor does it repeat a path that names no session.
    expect((await get(`${one.http}/api/session/${CANARY}%20${CANARY}`)).status).toBe(404);
    expect(await news(1)).toMatchObject([{ action: 'read', session_id: null, outcome: 'session_not_found' }]);
  });

  it('the audit log contains no text of a conversation, of a patient or of a search', () => {
    const said = files.map((file) => readFileSync(file, 'utf8')).join('');
    expect(said.split('\n').length).toBeGreaterThan(30);
    expect(said).not.toContain(CANARY);
    expect(said).not.toContain('cough');
    expect([...one.logs, ...two.logs].filter((line) => line.includes('"audit"'))).toEqual([]);
  });

  it('only the user that runs the service can read the audit log', () => {
    for (const file of files) expect(statSync(file).mode & 0o777).toBe(0o600);
  });
});

describe('audit log file', () => {
  it('the audit log has every answered access, even when the process is killed right after the answer', async () => {
    const file = join(folder, 'killed.log');
    const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
    const ids = Array.from({ length: 40 }, () => randomUUID());
    await Promise.all(
      ids.map((session_id) => ask(instance.http, { session_id, chief_complaint: 'chest pain' })),
    );
    instance.kill('SIGKILL');
    await instance.exited;
    const noted = linesIn(file).flatMap(({ action, session_id }) =>
      action === 'message' ? [session_id] : [],
    );
    expect(noted.toSorted()).toEqual(ids.toSorted());
  });

  it('a restarted instance appends to its audit log, which is complete after a drain', async () => {
    const file = join(folder, 'restarted.log');
    for (const count of [1, 2]) {
      const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
      await ask(instance.http, { chief_complaint: 'chest pain' });
      expect(await instance.stop()).toBe(0);
      expect(linesIn(file).filter(({ action }) => action === 'message')).toHaveLength(count);
    }
  });

  it('an audit log can be rotated while the instance writes it: after SIGHUP lines go into a new file, and none is lost', async () => {
    const file = join(folder, 'rotated.log');
    const instance = await startInstance({ ...QUICK, AUDIT_LOG: file });
    let going = true;
    const asked: string[] = [];
    const talking = (async () => {
      while (going) {
        const session_id = randomUUID();
        await ask(instance.http, { session_id, chief_complaint: 'chest pain' });
        asked.push(session_id);
      }
    })();
    for (const turn of [1, 2, 3]) {
      const before = asked.length;
      await eventually(
        'some talk',
        () => asked.length,
        (count) => count >= before + 3,
      );
      renameSync(file, `${file}.${turn}`);
      instance.kill('SIGHUP');
      await eventually(
        'the new file',
        () => existsSync(file),
        (isThere) => isThere,
      );
    }
    going = false;
    await talking;
    await instance.stop();
    const parts = readdirSync(folder).filter((name) => name.startsWith('rotated.log'));
    expect(parts).toHaveLength(4);
    const noted = parts
      .flatMap((name) => linesIn(join(folder, name)))
      .flatMap(({ action, session_id }) => (action === 'message' ? [session_id] : []));
    expect(noted.toSorted()).toEqual(asked.toSorted());
  });

  it('an audit log that cannot be opened refuses the start, with the name of the variable', async () => {
    const file = join(folder, 'no', 'such', 'folder.log');
    await expect(startInstance({ AUDIT_LOG: file })).rejects.toThrow('AUDIT_LOG');
  });

  it.skipIf(!existsSync('/dev/full'))(
    'a full disk under the audit log is logged once and counted, and every client is served',
    async () => {
      const instance = await startInstance({ ...QUICK, AUDIT_LOG: '/dev/full' });
      for (let turn = 0; turn < 3; turn += 1) await ask(instance.http, { chief_complaint: 'chest pain' });
      expect(await metric(instance.http, 'rehydra_audit_errors_total')).toBeGreaterThan(0);
      const told = instance.logs.filter((line) => line.includes('audit log cannot be written'));
      expect(told).toHaveLength(1);
      expect(await instance.stop()).toBe(0);
    },
  );
});

describe('audit log without a file', () => {
  it('audit lines on stdout mix with the other log lines and are recognisable', async () => {
    const instance = await startInstance({ ...QUICK, AUDIT_LOG: 'stdout' });
    await ask(instance.http, { chief_complaint: 'chest pain' });
    await eventually(
      'the lines',
      () => instance.logs.filter((line) => line.startsWith('{"log":"audit"')).length,
      (count) => count === 2,
    );
    await instance.stop();
  });

  it('without AUDIT_LOG an instance writes no audit line, and its routes are unchanged', async () => {
    const instance = await startInstance(QUICK);
    await ask(instance.http, { chief_complaint: 'chest pain' });
    await get(`${instance.http}/api/sessions`);
    await instance.stop();
    expect(instance.logs.filter((line) => line.includes('audit'))).toEqual([]);
  });
});
