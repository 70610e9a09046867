/**
 * What a page of another site can do in the browser of a person who reaches the service, and a page that gives its own name
 * the address of this machine (DNS rebinding).
 */
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestClient } from '../../support/instance/client.ts';
import { post } from '../../support/instance/http.ts';
import { type Instance, startInstance } from '../../support/instance/instance.ts';
import { started } from '../../support/instance/started.ts';
import { headOf, sendRaw } from './raw-http.ts';

const APP = 'https://app.example';
const EVIL = [
  'https://evil.example',
  'null',
  'https://app.example.evil.example',
  'http://app.example',
  '',
  'x',
];
const UPGRADE = [
  'upgrade: websocket',
  'connection: upgrade',
  'sec-websocket-version: 13',
  'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==',
];

/** Status of the upgrade that a page of this origin asks for. */
async function upgradeFrom(instance: Instance, origin: string): Promise<number> {
  const socket = new WebSocket(instance.url, { headers: { origin } });
  socket.on('error', () => {});
  const status = await new Promise<number>((resolve) => {
    socket.once('open', () => resolve(101));
    socket.once('unexpected-response', (_, { statusCode }) => resolve(statusCode ?? 0));
  });
  socket.terminate();
  return status;
}

describe('origins and hosts', () => {
  const [local, listed] = started(
    () => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0', AUDIT_LOG: 'stdout' }),
    () =>
      startInstance({
        SIMULATOR_TOKENS_PER_SECOND: '0',
        ALLOWED_ORIGINS: APP,
        ALLOWED_HOSTS: 'chat.example, other.example:8443',
      }),
  );

  it.each(EVIL)('a page of another origin opens no socket: "%s"', async (origin) => {
    for (const instance of [local, listed]) expect(await upgradeFrom(instance, origin)).toBe(403);
  });

  it('pages of the same host open sockets, and so do programs that send no origin', async () => {
    expect(await upgradeFrom(local, local.http)).toBe(101);
    expect(await upgradeFrom(local, 'http://localhost:3000')).toBe(101);
    expect(await upgradeFrom(listed, APP)).toBe(101);
    // The list is the whole list.
    expect(await upgradeFrom(listed, listed.http)).toBe(403);
    await (await TestClient.greet(listed.url)).close();
  });

  it.each(EVIL)('a page of another origin can send no request, whatever its method: "%s"', async (origin) => {
    for (const { port } of [local, listed])
      for (const [method, path] of [
        ['GET', '/api/sessions'],
        ['GET', '/readyz'],
        ['DELETE', '/api/users/ada'],
        ['POST', '/api/protocol'],
        ['OPTIONS', '/api/protocol'],
      ] as const) {
        const answer = await sendRaw(port, headOf(method, path, `origin: ${origin}`, 'content-length: 0'));
        expect(answer.statuses, `${method} ${path}`).toEqual([403]);
        expect(answer.text).not.toContain('access-control-');
      }
  });

  it('a page of a listed origin is asked first, may send JSON, and reads the answer without cookies', async () => {
    const preflight = await fetch(`${listed.http}/api/protocol`, {
      method: 'OPTIONS',
      headers: {
        origin: APP,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,content-type',
      },
    });
    expect(preflight.status).toBe(204);
    const { headers } = preflight;
    expect(headers.get('access-control-allow-origin')).toBe(APP);
    expect(headers.get('access-control-allow-methods')).toContain('POST');
    expect(headers.get('access-control-allow-headers')).toContain('authorization, content-type');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('vary')).toBe('origin');
    const url = `${listed.http}/api/protocol`;
    const turn = await post(url, { chief_complaint: 'headache' }, { origin: APP });
    expect([turn.status, turn.headers.get('access-control-allow-origin')]).toEqual([200, APP]);
    const refused = await post(url, '{', { origin: APP });
    expect([refused.status, refused.headers.get('access-control-allow-origin')]).toEqual([400, APP]);
    const stream = await post(
      url,
      { chief_complaint: 'cough' },
      { origin: APP, accept: 'text/event-stream' },
    );
    expect([stream.status, stream.headers.get('access-control-allow-origin')]).toEqual([200, APP]);
  });

  it('a client that sends no origin gets no header of an origin, and OPTIONS without one is no preflight', async () => {
    const plain = await fetch(`${listed.http}/readyz`);
    expect(plain.headers.get('access-control-allow-origin')).toBeNull();
    expect((await fetch(`${listed.http}/readyz`, { method: 'OPTIONS' })).status).toBe(405);
  });

  it.each([
    'evil.example',
    'evil.example:80',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '',
    'x@localhost',
  ])('a page that gives its own name the address of this machine gets nothing: "%s"', async (host) => {
    const { port } = local;
    const requests = [
      headOf('GET', '/api/sessions', `host: ${host}`),
      headOf('GET', '/v1/session', `host: ${host}`, ...UPGRADE, `origin: http://${host}`),
      headOf('POST', '/api/protocol', `host: ${host}`, 'content-type: application/json', 'content-length: 0'),
    ];
    for (const request of requests) expect((await sendRaw(port, request)).statuses).toEqual([421]);
  });

  it('a listed name is served beside the names of this machine, and a probe may use an address', async () => {
    const statusAs = async (host: string, path: string) =>
      (await sendRaw(listed.port, headOf('GET', path, `host: ${host}`))).statuses;
    for (const host of ['chat.example', 'CHAT.example:9', 'other.example:8443', 'localhost', '[::1]:1'])
      expect(await statusAs(host, '/api/sessions'), host).toEqual([200]);
    for (const host of ['other.example', 'evil.example', '10.0.0.1'])
      expect(await statusAs(host, '/api/sessions'), host).toEqual([421]);
    for (const path of ['/healthz', '/readyz', '/metrics']) {
      expect(await statusAs('10.0.0.1:8080', path)).toEqual([200]);
      expect(await statusAs('evil.example', path)).toEqual([421]);
    }
  });

  it('each refused origin and host leaves a line in the audit log, without what the stranger wrote', async () => {
    const lines = () => local.logs.filter((line) => line.includes('"action":"refused"'));
    const before = lines().length;
    const client = new WebSocket(local.url, { headers: { origin: 'https://canary.example' } });
    client.on('error', () => {});
    await once(client, 'unexpected-response');
    client.terminate();
    await sendRaw(local.port, headOf('GET', '/canary', 'host: canary.example'));
    const written = lines().slice(before);
    expect(written.map((line) => JSON.parse(line))).toMatchObject([
      { outcome: 'origin_refused', session_id: null, address: '127.0.0.1' },
      { outcome: 'host_refused', session_id: null, address: '127.0.0.1' },
    ]);
    expect(written.join('')).not.toContain('canary');
  });
});
