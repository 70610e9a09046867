/** With ADMIN_PORT, what shows or changes the data of many users has a port of its own, and the main port does not know it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch as fetchWith } from 'undici';
import { afterAll, describe, expect, it, onTestFinished } from 'vitest';
import { makeCertificate, writeCertificate } from '../support/certificates.ts';
import { ask, get, problemOf } from '../support/instance/http.ts';
import { newIdentities, showing } from '../support/instance/identities.ts';
import { type Environment, type Instance, runToEnd, startInstance } from '../support/instance/instance.ts';
import { eventually } from '../support/instance/observed.ts';
import { freePort } from '../support/instance/processes.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-admin-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const QUICK = { ADMIN_PORT: '0', SIMULATOR_TOKENS: '4', SIMULATOR_TOKENS_PER_SECOND: '0' };

async function start(more: Environment = {}): Promise<Instance> {
  const instance = await startInstance({ ...QUICK, ...more });
  onTestFinished(async () => void (await instance.stop()));
  return instance;
}

const FOR_OPERATORS = [
  'GET /metrics',
  'GET /dashboard',
  'GET /dashboard/dashboard.css',
  'GET /dashboard/dashboard.js',
  'GET /dashboard/icon.svg',
  'GET /dashboard/chart.js',
  'GET /api/analytics',
  'GET /api/archive',
  'GET /api/archive/export',
  'DELETE /api/users/somebody',
] as const;

/** Everything that a client sees of an answer, but the id of the request and the time. */
async function seen(base: string, operation: string) {
  const [method = '', path = ''] = operation.split(' ');
  const { status, headers, body } = await get(`${base}${path}`, { method });
  const named = [...headers].filter(([name]) => name !== 'date');
  const text = JSON.stringify({ status, named, body });
  return text.replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, 'ID');
}

describe('a port for operators', () => {
  const [instance] = started(() => startInstance(QUICK));

  it.each(FOR_OPERATORS)(
    'with ADMIN_PORT the main port answers %s as it answers a path without a route',
    async (operation) => {
      const [method = ''] = operation.split(' ');
      // Without the export, its path is that of a conversation with a strange id.
      const unknownPath = operation.endsWith('/export') ? '/api/archive/nothing' : '/no/such/path';
      const unknown = await seen(instance.http, `${method} ${unknownPath}`);
      expect(await seen(instance.http, operation)).toBe(unknown);
      expect(JSON.parse(unknown)).toMatchObject({ status: 404 });
      // Another method must not reveal the path with 405 either.
      expect(await seen(instance.http, operation.replace(method, 'POST'))).toBe(
        await seen(instance.http, `POST ${unknownPath}`),
      );
    },
  );

  it.each(FOR_OPERATORS)('with ADMIN_PORT that port answers %s', async (operation) => {
    const [method = '', path = ''] = operation.split(' ');
    expect((await get(`${instance.admin}${path}`, { method })).status).toBe(200);
  });

  it('the port for operators serves no conversations: neither sockets nor turns', async () => {
    expect((await get(`${instance.admin}/v1/session`)).status).toBe(404);
    expect((await get(`${instance.admin}/api/protocol`, { method: 'POST', body: '{}' })).status).toBe(404);
    const answer = await ask(instance.http, { chief_complaint: 'headache' });
    expect(answer.session_id).not.toBe('');
  });

  it.each(['/healthz', '/readyz'])('probes of both ports answer at %s', async (path) => {
    for (const base of [instance.http, instance.admin])
      expect((await get(`${base}${path}`)).status).toBe(200);
  });

  it('the OpenAPI document of each port lists the routes of that port', async () => {
    const pathsOf = async (base: string) => {
      const { body } = await get(`${base}/openapi.json`);
      return Object.keys((body as { readonly paths: object }).paths);
    };
    const [main, admin] = [await pathsOf(instance.http), await pathsOf(instance.admin)];
    for (const path of ['/metrics', '/api/analytics', '/api/archive', '/api/users/{id}']) {
      expect(main).not.toContain(path);
      expect(admin).toContain(path);
    }
    expect(main).toContain('/api/protocol');
    expect(admin).not.toContain('/api/protocol');
  });

  it('the first line of a start names the address for operators', () => {
    const line = instance.logs.find((text) => text.includes('"msg":"listening"')) ?? '{}';
    const { admin, adminPort } = JSON.parse(line) as { readonly admin: string; readonly adminPort: number };
    expect(admin).toBe(`http://127.0.0.1:${adminPort}`);
    expect(adminPort).not.toBe(instance.port);
  });
});

describe('a port for operators with AUTH', () => {
  const identities = newIdentities();
  afterAll(() => identities.close());
  const auditor = identities.apiKey('reader', 'auditor');
  const admin = identities.apiKey('operator', 'admin');
  const [instance] = started(() => startInstance({ ...QUICK, ...identities.environment }));
  const answerTo = (operation: string, headers: Readonly<Record<string, string>> = {}) => {
    const [method = '', path = ''] = operation.split(' ');
    return get(`${instance.admin}${path}`, { method, headers });
  };
  const basic = (password: string) => ({
    authorization: `Basic ${Buffer.from(`any:${password}`).toString('base64')}`,
  });
  const isPage = (operation: string) => /dashboard|analytics/.test(operation);
  const guarded = FOR_OPERATORS.filter((operation) => operation !== 'GET /metrics');

  it.each(guarded)(
    'with AUTH the port for operators refuses %s without a credential of an operator',
    async (operation) => {
      const user = await identities.token('alice');
      const unknown = await answerTo(operation);
      expect([unknown.status, problemOf(unknown).code]).toEqual([401, 'unauthenticated']);
      const scheme = isPage(operation) ? 'Basic' : 'Bearer';
      expect(unknown.headers.get('www-authenticate')).toMatch(new RegExp(`^${scheme} realm="rehydra"`));
      expect((await answerTo(operation, showing(`${admin}x`))).status).toBe(401);
      expect((await answerTo(operation, showing(user))).status).toBe(403);
      expect((await answerTo(operation, showing(admin))).status).toBe(200);
    },
  );

  it('with AUTH a key as the password opens the dashboard and its figures, and nothing else', async () => {
    for (const operation of guarded)
      expect((await answerTo(operation, basic(auditor))).status).toBe(isPage(operation) ? 200 : 401);
    const conversation = await get(`${instance.http}/api/sessions`, { headers: basic(auditor) });
    expect(conversation.status).toBe(401);
  });

  it('with AUTH Prometheus needs no credential at the port for operators, and probes need none at either port', async () => {
    expect((await answerTo('GET /metrics')).status).toBe(200);
    expect((await get(`${instance.http}/metrics`)).status).toBe(404);
    for (const base of [instance.http, instance.admin])
      for (const path of ['/healthz', '/readyz']) expect((await get(`${base}${path}`)).status).toBe(200);
  });

  it('with AUTH the main port answers an admin who asks for the dashboard as it answers a stranger: not found', async () => {
    for (const operation of ['/dashboard', '/metrics', '/api/analytics', '/api/archive'])
      expect((await get(`${instance.http}${operation}`, { headers: showing(admin) })).status).toBe(404);
  });
});

describe('a port for operators that cannot be served', () => {
  it('a start is refused if another program has ADMIN_PORT, in one line that names it', async () => {
    const port = String(await freePort());
    await start({ ADMIN_PORT: port });
    const { code, stderr } = await runToEnd('main.js', {
      PORT: '0',
      DATA_DIR: ':memory:',
      ADMIN_PORT: port,
    });
    expect(code).toBe(1);
    expect(stderr).toContain(`ADMIN_HOST=127.0.0.1 ADMIN_PORT=${port}: the port is in use`);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  });

  it('both ports are free as soon as an instance has stopped', async () => {
    const [PORT, ADMIN_PORT] = [String(await freePort()), String(await freePort())];
    for (let round = 0; round < 2; round += 1) {
      const instance = await startInstance({ ...QUICK, PORT, ADMIN_PORT });
      for (const base of [instance.http, instance.admin]) await get(`${base}/healthz`);
      expect(await instance.stop()).toBe(0);
    }
  });
});

describe('a port for operators with TLS', () => {
  it('both ports serve the certificate of TLS_CERT, and both take a new one on SIGHUP', async () => {
    const first = makeCertificate('first');
    const files = writeCertificate(folder, first);
    const instance = await start({ TLS_CERT: files.cert, TLS_KEY: files.key });
    expect(instance.admin).toMatch(/^https:/);
    const statuses = async (ca: string) => {
      const dispatcher = new Agent({ connect: { ca } });
      const asked = [instance.http, instance.admin].map(
        async (base) => (await fetchWith(`${base}/healthz`, { dispatcher })).status,
      );
      const answered = await Promise.allSettled(asked);
      await dispatcher.destroy();
      return answered.map((one) => (one.status === 'fulfilled' ? one.value : null));
    };
    expect(await statuses(first.cert)).toEqual([200, 200]);
    const second = makeCertificate('second');
    writeCertificate(folder, second);
    instance.kill('SIGHUP');
    await eventually(
      'the new certificate',
      () => statuses(second.cert),
      (all) => all.every((status) => status === 200),
    );
    expect(await statuses(first.cert)).toEqual([null, null]);
  });
});

describe.runIf(process.platform === 'linux')('a port for operators of several workers', () => {
  const [redis] = started(startRedis);

  it('workers share the port for operators, also a free one that the first of them found', async () => {
    const group = await start({ WORKERS: '2', REDIS_URL: redis.url, DATA_DIR: join(folder, 'data') });
    const scrape = async () =>
      (await fetch(`${group.admin}/metrics`, { headers: { connection: 'close' } })).text();
    await eventually('both workers in one scrape', scrape, (text) =>
      /^rehydra_workers_reporting 2$/m.test(text),
    );
    const met = new Set<string>();
    await eventually(
      'an answer of each worker',
      async () => {
        const health = await get(`${group.admin}/healthz`, { headers: { connection: 'close' } });
        return met.add((health.body as { readonly instance: string }).instance).size;
      },
      (size) => size === 2,
    );
    expect((await get(`${group.http}/metrics`)).status).toBe(404);
  });
});
