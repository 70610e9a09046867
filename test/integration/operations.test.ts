/** An instance answers operators and load balancers: health, readiness, metrics, HTTP errors, and refused starts. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Environment, spawnBuilt, startInstance } from '../support/instance/instance.ts';
import { eventually, metric, withRedis } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';

type Json = Readonly<Record<string, unknown>>;

async function read(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init);
  return { status: response.status, headers: response.headers, body: (await response.json()) as Json };
}

describe('running instance', () => {
  const [redis] = started(() => startRedis({ appendonly: 'everysec' }));
  const [instance] = started(() =>
    startInstance({ REDIS_URL: redis.url, INSTANCE_ID: 'ops-1', DRAIN_MS: '20000' }),
  );

  it('/healthz names the store of an instance and how durable it is', async () => {
    const { status, headers, body } = await read(`${instance.http}/healthz`);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toContain('application/json');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(body).toMatchObject({
      status: 'ok',
      instance: 'ops-1',
      store: { ok: true, kind: 'redis', durability: 'aof everysec' },
      archive: { ok: true, kind: 'sqlite' },
      upstream: 'simulator',
      draining: false,
    });
  });

  it('an instance names its version and commit in its first log line, in /healthz and in a metric', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as Json;
    const { body } = await read(`${instance.http}/healthz`);
    expect(body).toMatchObject({
      version,
      commit: expect.stringMatching(/^(unknown|[\da-f]{7,40}(-dirty)?)$/),
    });
    const first = JSON.parse(instance.logs[0] ?? '{}') as Json;
    const build = { version, commit: body.commit, node: process.versions.node };
    expect(first).toMatchObject({ msg: 'starting', ...build });
    expect(await metric(instance.http, 'rehydra_build_info', build as Record<string, string>)).toBe(1);
  });

  it.each([
    ['/healthz', 200],
    ['/readyz', 200],
    ['/metrics', 200],
    ['/openapi.json', 200],
    ['/dashboard', 200],
    ['/api/sessions', 200],
    ['/nothing/here', 404],
    ['/api/session/7d0a3a4e-0f6f-4a68-8a1e-9d8f0a5b3c21', 404],
  ])('HEAD %s answers with the status and headers of GET, and no body', async (path, status) => {
    const url = `${instance.http}${path}`;
    const [head, get] = [await fetch(url, { method: 'HEAD' }), await fetch(url)];
    expect(head.status).toBe(status);
    expect(await head.text()).toBe('');
    const names = ['content-type', 'cache-control'];
    for (const name of names) expect(head.headers.get(name), name).toBe(get.headers.get(name));
    const length = Number(head.headers.get('content-length'));
    const bytes = (await get.arrayBuffer()).byteLength;
    // Figures change between two requests.
    if (path === '/metrics') expect(length).toBeGreaterThan(1_000);
    else expect(length).toBe(bytes);
  });

  it('a connection stays usable after HEAD, and another method gets a 405 that allows GET and HEAD', async () => {
    const socket = connect(instance.port, '127.0.0.1');
    const request = (method: string) =>
      `${method} /readyz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`;
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const answers = () => said.match(/HTTP\/1\.1 \d+/g) ?? [];
    for (const [index, method] of ['HEAD', 'POST', 'HEAD'].entries()) {
      socket.write(request(method));
      await eventually(`the answer to ${method}`, answers, ({ length }) => length === index + 1);
    }
    socket.destroy();
    expect(answers()).toEqual(['HTTP/1.1 200', 'HTTP/1.1 405', 'HTTP/1.1 200']);
    expect(said).toMatch(/^allow: GET, HEAD\r$/m);
  });

  it.each([
    ['GET /readyz', '200 OK'],
    ['GET /nothing/here', '404 Not Found'],
    ['POST /readyz', '405 Method Not Allowed'],
    ['GET /v1/session', '426 Upgrade Required'],
    ['GET /v1/session/', '404 Not Found'],
  ])('the status line of the answer to %s has a reason phrase: %s', async (request, status) => {
    const socket = connect(instance.port, '127.0.0.1');
    let said = '';
    socket.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    socket.write(`${request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n`);
    await eventually(`the answer to ${request}`, () => said.includes('\r\n\r\n'), Boolean);
    socket.destroy();
    expect(said.slice(0, said.indexOf('\r\n'))).toBe(`HTTP/1.1 ${status}`);
  });

  it('/healthz says of an embedded store in memory that it is not durable', async () => {
    const embedded = await startInstance();
    const { body } = await read(`${embedded.http}/healthz`);
    expect(body).toMatchObject({ store: { ok: true, kind: 'sqlite', durability: 'memory' } });
    await embedded.stop();
  });

  it('an instance counts its work in metrics under its own name', async () => {
    const before = await metric(instance.http, 'rehydra_commits_total');
    const client = await TestClient.greet(instance.url);
    client.message('m', 'Good morning', { options: { max_tokens: 8 } });
    await client.completed('m');
    client.send({ type: 'cancel' });
    await client.waitForType('error');
    const response = await fetch(`${instance.http}/metrics`);
    expect(response.headers.get('content-type')).toContain('text/plain');
    const text = await response.text();
    const named = (name: string) => metric(instance.http, name, { instance: 'ops-1' });
    expect(await named('rehydra_commits_total')).toBeGreaterThan(before + 1);
    for (const name of [
      'rehydra_sessions_opened_total',
      'rehydra_appends_total',
      'rehydra_frames_total',
      'rehydra_connects_total',
      'rehydra_connections',
      'rehydra_resident_sessions',
      'rehydra_process_resident_memory_bytes',
      'rehydra_nodejs_eventloop_lag_seconds',
    ])
      expect(await named(name), name).toBeGreaterThanOrEqual(name.endsWith('seconds') ? 0 : 1);
    expect(await metric(instance.http, 'rehydra_refusals_total', { code: 'unknown_turn' })).toBe(1);
    expect(text).not.toContain(client.sessionId);
    await client.close();
  });

  it.each([
    ['GET', '/nothing/here', 404, 'not_found', false],
    ['POST', '/healthz', 405, 'method_not_allowed', false],
    ['DELETE', '/metrics', 405, 'method_not_allowed', false],
    ['GET', '/api/session/7d0a3a4e-0f6f-4a68-8a1e-9d8f0a5b3c21', 404, 'session_not_found', false],
    ['DELETE', '/api/session/7d0a3a4e-0f6f-4a68-8a1e-9d8f0a5b3c21', 404, 'session_not_found', false],
    ['GET', '/api/session/__proto__', 404, 'session_not_found', false],
  ])(
    '%s %s answers with %i %s, in the common shape of errors',
    async (method, path, status, code, retryable) => {
      const url = `${instance.http}${path}`;
      const [first, second] = [await read(url, { method }), await read(url, { method })];
      expect(first.status).toBe(status);
      expect(first.headers.get('content-type')).toContain('application/json');
      expect(first.body).toEqual({
        error: {
          code,
          message: expect.any(String),
          retryable,
          request_id: expect.stringMatching(/^[\w-]{8,}$/),
        },
      });
      const idOf = (answer: { readonly body: Json }) => (answer.body.error as Json).request_id;
      expect(idOf(first)).not.toBe(idOf(second));
    },
  );

  it('DELETE ends a session for its client and in the store', async () => {
    const client = await TestClient.greet(instance.url);
    const url = `${instance.http}/api/session/${client.sessionId}`;
    expect((await read(url, { method: 'DELETE' })).status).toBe(200);
    expect(await client.closed).toMatchObject({ code: 4011 });
    expect(client.frames.at(-1)).toMatchObject({ type: 'expired', reason: 'admin' });
    expect((await read(url)).status).toBe(404);
  });

  it('a draining instance is not ready and accepts no new client, but lives until its turn is over', async () => {
    const client = await TestClient.greet(instance.url);
    client.message('long', '[[fault:tps=40,tokens=240]] A story please');
    await client.waitForType('delta');
    const stranger = await TestClient.open(instance.url);
    instance.kill('SIGTERM');
    const readiness = () => read(`${instance.http}/readyz`);
    const { body } = await eventually('it is not ready', readiness, ({ status }) => status === 503);
    expect(body).toMatchObject({ ready: false, draining: true });
    expect((await read(`${instance.http}/healthz`)).body).toMatchObject({ status: 'ok', draining: true });
    for (const each of [client, stranger]) {
      expect(await each.closed).toMatchObject({ code: 1012 });
      expect(each.frames.at(-1)).toMatchObject({ type: 'error', code: 'draining', retryable: true });
    }
    expect(client.frames.at(-1)).toHaveProperty('retry_after_ms');
    expect(await instance.exited).toMatchObject({ code: 0 });
  });
});

describe('full Redis', () => {
  const [redis] = started(() =>
    startRedis({ args: ['--maxmemory', '100mb', '--maxmemory-policy', 'noeviction'] }),
  );
  const [instance] = started(() => startInstance({ REDIS_URL: redis.url }));
  const limit = (bytes: string) => withRedis(redis.url, (client) => client.config('SET', 'maxmemory', bytes));

  it('an instance whose Redis is full is alive but not ready, still reads, and is ready again once there is room', async () => {
    const readiness = () => read(`${instance.http}/readyz`);
    const client = await TestClient.greet(instance.url);
    expect((await readiness()).status).toBe(200);

    await limit('1');
    const full = await readiness();
    expect(full).toMatchObject({ status: 503, body: { ready: false, store: false, draining: false } });
    const health = await read(`${instance.http}/healthz`);
    expect(health).toMatchObject({ status: 200, body: { status: 'ok', store: { ok: false } } });
    expect(String((health.body.store as Json).detail)).toContain('OOM');
    expect((await read(`${instance.http}/api/session/${client.sessionId}`)).status).toBe(200);
    await eventually(
      'the metrics to say so',
      () => metric(instance.http, 'rehydra_store_up'),
      (up) => up === 0,
    );
    expect(await metric(instance.http, 'rehydra_sessions', { state: 'connected' })).toBe(1);

    await limit('100mb');
    expect(await readiness()).toMatchObject({ status: 200, body: { ready: true, store: true } });
    client.message('m', 'Is there room again?', { options: { max_tokens: 4 } });
    expect((await client.completed('m')).type).toBe('turn.completed');
    await client.close();
  });
});

describe('refused start', () => {
  /** Starts a server, waits for its end, and resolves with its exit code and output. */
  async function refusedStart(
    environment: Environment,
  ): Promise<{ readonly code: number; readonly said: string }> {
    const child = spawnBuilt('main.js', [], { PORT: '0', DATA_DIR: ':memory:', ...environment });
    let said = '';
    for (const stream of [child.stdout, child.stderr])
      stream?.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
    const [code] = (await once(child, 'close')) as [number];
    return { code, said };
  }

  it('a start on a Redis that may evict sessions is refused in one clear message, or only warns where the operator allows it', async () => {
    const redis = await startRedis({ args: ['--maxmemory-policy', 'allkeys-lru'] });
    try {
      const { code, said } = await refusedStart({ REDIS_URL: redis.url });
      expect(code).not.toBe(0);
      const errors = said.split('\n').filter((line) => line.includes('"level":50'));
      expect(errors).toHaveLength(1);
      expect(errors[0]).toContain('maxmemory-policy allkeys-lru');
      expect(errors[0]).toContain('noeviction');
      expect(said).not.toContain('"msg":"listening"');

      const allowed = await startInstance({ REDIS_URL: redis.url, REDIS_ALLOW_EVICTION: '1' });
      const warnings = allowed.logs.filter(
        (line) => line.includes('"level":40') && line.includes('allkeys-lru'),
      );
      expect(warnings).toHaveLength(1);
      await allowed.stop();
    } finally {
      await redis.stop();
    }
  });

  it.each([
    ['PORT', 'http'],
    ['SESSION_IDLE_MS', '-1'],
    ['LEASE_MS', '0'],
    ['LOG_LEVEL', 'loud'],
    ['OVERLAP_POLICY', 'overwrite'],
    ['INSTANCE_ID', 'a b'],
  ])('a start with %s=%s is refused, with the name of the variable', async (name, value) => {
    const { code, said } = await refusedStart({ [name]: value });
    expect(code).not.toBe(0);
    expect(said).toContain(name);
    expect(said).not.toContain('"msg":"listening"');
  });
});
