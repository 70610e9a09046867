/** An instance in strict mode does and shows only what its audit log has room for. */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { AUDIT_KEY } from '../support/audited.ts';
import { TestClient } from '../support/instance/client.ts';
import { ask, get, post, problemOf } from '../support/instance/http.ts';
import { type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';

const QUICK = { SIMULATOR_TOKENS: '6', SIMULATOR_TOKENS_PER_SECOND: '0', SESSION_IDLE_MS: '3600000' };
const UNAVAILABLE = { code: 'audit_unavailable', retryable: true };

const folder = mkdtempSync(join(tmpdir(), 'rehydra-strict-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let instance: Instance;
afterEach(() => instance.stop());

/** Leaves the process room for `bytes` more in the file, as a disk that fills up. */
function leaveRoom(file: string, bytes: number | 'unlimited'): void {
  const limit = bytes === 'unlimited' ? bytes : statSync(file).size + bytes;
  execFileSync('prlimit', ['--pid', String(instance.pid), `--fsize=${limit}:unlimited`]);
}

const actionsIn = (file: string) =>
  readFileSync(file, 'utf8')
    .split('\n')
    .flatMap((line) => {
      try {
        return [JSON.parse(line) as Readonly<Record<string, unknown>>];
      } catch {
        return [];
      }
    });

const verifies = (...files: readonly string[]) =>
  runToEnd('audit.js', { AUDIT_KEY }, ['verify', ...files]).then(({ code, stdout }) => ({ code, stdout }));

describe.skipIf(process.platform !== 'linux')('strict mode of the audit log', () => {
  it('with a full disk from the start nothing is served over HTTP or sockets, and probes still answer', async () => {
    instance = await startInstance({ ...QUICK, AUDIT_LOG: '/dev/full', AUDIT_STRICT: '1' });
    const session_id = randomUUID();
    const { http } = instance;
    const replies = [
      await post(`${http}/api/protocol`, { session_id, chief_complaint: 'chest pain' }),
      await get(`${http}/api/session/${session_id}`),
      await get(`${http}/api/session/${session_id}/transcript`),
      await get(`${http}/api/sessions`),
      await get(`${http}/api/archive`),
      await get(`${http}/api/archive/export`),
      await get(`${http}/api/analytics`),
      await get(`${http}/api/session/${session_id}`, { method: 'DELETE' }),
      await get(`${http}/api/users/dr-a`, { method: 'DELETE' }),
      await post(`${http}/api/session/${session_id}/shares`, { user_id: 'dr-b', invited_by: 'dr-a' }),
    ];
    for (const reply of replies) {
      expect(reply.status).toBe(503);
      expect(problemOf(reply)).toMatchObject(UNAVAILABLE);
      expect(reply.headers.get('retry-after')).toBe('1');
    }
    const client = await TestClient.open(instance.url);
    client.send({ type: 'hello', session_id });
    expect(await client.waitForType('error')).toMatchObject(UNAVAILABLE);
    expect(client.isOpen).toBe(true);
    for (const path of ['/healthz', '/readyz', '/metrics'])
      expect((await get(`${http}${path}`)).status).toBe(200);
    expect(await metric(http, 'rehydra_audit_errors_total')).toBeGreaterThan(0);
    await client.close();
  });

  it('a disk that fills up refuses each action before it takes place, and serves again once there is room', async () => {
    const file = join(folder, 'fills.log');
    instance = await startInstance({ ...QUICK, AUDIT_LOG: file, AUDIT_STRICT: '1', AUDIT_KEY });
    const { http } = instance;
    const client = await TestClient.greet(instance.url, { user_id: 'dr-a' });
    const at = `${http}/api/session/${client.sessionId}`;
    client.message('m-1', 'a cough');
    await client.completed('m-1');
    const before = (await get(at)).body;

    // Room for a part of a line.
    leaveRoom(file, 100);
    const refusals = async (count: number) => {
      await eventually(
        'the refusals',
        () => client.frames.filter(({ type }) => type === 'error'),
        (errors) => errors.length === count,
      );
      return client.frames.filter(({ type }) => type === 'error');
    };
    client.message('m-2', 'and fever');
    client.send({ type: 'cancel' });
    client.send({ type: 'extend' });
    client.send({ type: 'close' });
    expect(await refusals(4)).toMatchObject([
      { ...UNAVAILABLE, message_id: 'm-2' },
      UNAVAILABLE,
      UNAVAILABLE,
      UNAVAILABLE,
    ]);
    const secret = await get(`${at}/transcript`);
    expect(secret.status).toBe(503);
    expect(JSON.stringify(secret.body)).not.toContain('cough');
    expect((await get(at, { method: 'DELETE' })).status).toBe(503);
    expect(client.isOpen).toBe(true);

    leaveRoom(file, 'unlimited');
    await eventually(
      'room',
      () => get(at),
      ({ status }) => status === 200,
    );
    // Nothing that was refused has left a trace: no turn, no extension, no end.
    expect((await get(at)).body).toEqual(before);
    client.message('m-2', 'and fever');
    await client.completed('m-2');
    await client.close();
    await instance.stop();
    const lines = actionsIn(file);
    expect(lines.filter(({ outcome }) => outcome === 'audit_unavailable').length).toBeGreaterThanOrEqual(6);
    expect(lines).toContainEqual(expect.objectContaining({ action: 'chain', head: 'recover', lost: 0 }));
    expect(await verifies(file)).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('unfinished line'),
    });
  });

  it('each action that changes something has a line before it and a line after it', async () => {
    const file = join(folder, 'twice.log');
    instance = await startInstance({ ...QUICK, AUDIT_LOG: file, AUDIT_STRICT: '1' });
    const client = await TestClient.greet(instance.url, { user_id: 'dr-a' });
    client.message('m-1', 'a cough');
    await client.completed('m-1');
    client.send({ type: 'extend' });
    await client.waitForType('extended');
    client.send({ type: 'close' });
    await client.closed;
    const session_id = randomUUID();
    await ask(instance.http, { session_id, chief_complaint: 'chest pain' });
    await get(`${instance.http}/api/session/${session_id}`, { method: 'DELETE' });
    const words = actionsIn(file).map(({ action, outcome }) => `${action} ${outcome}`);
    expect(words).toEqual([
      ...['created begun', 'created ok', 'message begun', 'message ok'],
      ...['extended begun', 'extended ok', 'closed begun', 'closed ok'],
      ...['message begun', 'created ok', 'message ok', 'deleted begun', 'deleted ok'],
    ]);
  });
});

describe.skipIf(process.platform !== 'linux')('an audit log that is not strict', () => {
  it('a disk that fills up delays its lines, refuses no client, and leaves a chain that verifies', async () => {
    const file = join(folder, 'patient.log');
    instance = await startInstance({ ...QUICK, AUDIT_LOG: file, AUDIT_KEY });
    const ids = Array.from({ length: 12 }, () => randomUUID());
    for (const [index, session_id] of ids.entries()) {
      if (index === 3) leaveRoom(file, 700);
      if (index === 9) leaveRoom(file, 'unlimited');
      await ask(instance.http, { session_id, chief_complaint: 'chest pain' });
    }
    expect(await instance.stop()).toBe(0);
    const noted = actionsIn(file).filter(({ action }) => action === 'message');
    expect(noted.map(({ session_id }) => session_id)).toEqual(ids);
    expect(await verifies(file)).toMatchObject({ code: 0 });
  });
});
