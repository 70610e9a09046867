/** An instance refuses a client over its rate early and cheaply, says when to retry, and refuses no other client. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { TestClient } from '../support/instance/client.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { eventually, metric } from '../support/instance/observed.ts';

type Headers = Readonly<Record<string, string>>;

const from = (address: string): Headers => ({ 'x-forwarded-for': address });
const RETRY_AFTER = /^([1-9]|[1-5]\d|60)$/;

let instance: Instance;
afterEach(async () => {
  await instance?.stop();
});
const start = async (environment: Headers) => {
  instance = await startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0', ...environment });
};

const get = (path: string, headers: Headers = {}) => fetch(`${instance.http}${path}`, { headers });
const statusOf = async (path: string, headers?: Headers) => {
  const response = await get(path, headers);
  await response.arrayBuffer();
  return response.status;
};
const post = (body: Headers, headers: Headers = {}) =>
  fetch(`${instance.http}/api/protocol`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ chief_complaint: 'cough', ...body }),
  });
const limited = (limit: string) => metric(instance.http, 'rehydra_rate_limited_total', { limit });

describe('too many requests', () => {
  it('requests over the rate of an address get 429 with a Retry-After on every route, and start nothing', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '3' });
    for (let time = 0; time < 3; time += 1) expect(await statusOf('/api/sessions')).toBe(200);
    for (const path of ['/api/sessions', '/openapi.json', '/dashboard', '/nowhere']) {
      const response = await get(path);
      expect(response.status).toBe(429);
      expect(response.headers.get('retry-after')).toMatch(RETRY_AFTER);
      expect(await response.json()).toMatchObject({ error: { code: 'rate_limited', retryable: true } });
    }
    const before = await metric(instance.http, 'rehydra_commits_total');
    expect((await post({ past_medical_history: 'x'.repeat(900_000) })).status).toBe(429);
    expect(await metric(instance.http, 'rehydra_commits_total')).toBe(before);
    expect(await limited('requests')).toBe(5);
  });

  it('a request over the rate is refused before its body arrives', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '1' });
    await statusOf('/api/sessions');
    const socket = connect(instance.port, '127.0.0.1');
    socket.write('POST /api/protocol HTTP/1.1\r\nhost: localhost\r\ncontent-length: 500000\r\n\r\n{"chief');
    const [answer] = (await once(socket, 'data')) as [Buffer];
    expect(answer.toString()).toMatch(/^HTTP\/1\.1 429/);
    // The server discards the rest of the body; the connection stays usable.
    socket.write('x'.repeat(500_000 - 7));
    socket.write('GET /readyz HTTP/1.1\r\nhost: localhost\r\n\r\n');
    const [next] = (await once(socket, 'data')) as [Buffer];
    expect(next.toString()).toMatch(/^HTTP\/1\.1 200/);
    socket.destroy();
  });

  it('the request rate does not apply to /healthz, /readyz and /metrics', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '1' });
    for (let time = 0; time < 10; time += 1)
      for (const path of ['/healthz', '/readyz', '/metrics']) expect(await statusOf(path)).toBe(200);
    expect(await statusOf('/api/sessions')).toBe(200);
    expect(await statusOf('/api/sessions')).toBe(429);
  });

  it('behind a trusted proxy requests count by the address that the proxy adds, not by one that the client invents', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '2', TRUST_PROXY: '1' });
    for (const status of [200, 200, 429])
      expect(await statusOf('/api/sessions', from('192.0.2.1'))).toBe(status);
    expect(await statusOf('/api/sessions', from('192.0.2.2'))).toBe(200);
    for (const invented of ['198.51.100.1', '198.51.100.2'])
      expect(await statusOf('/api/sessions', from(`${invented}, 192.0.2.1`))).toBe(429);
  });

  it('the last of several X-Forwarded-For lines counts, because the proxy adds it after the lines of the client', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '1', TRUST_PROXY: '1' });
    const ask = async (invented: string) => {
      const socket = connect(instance.port, '127.0.0.1');
      const lines = [`x-forwarded-for: ${invented}`, 'x-forwarded-for: 192.0.2.1'].join('\r\n');
      socket.write(`GET /api/sessions HTTP/1.1\r\nhost: localhost\r\n${lines}\r\n\r\n`);
      const [answer] = (await once(socket, 'data')) as [Buffer];
      socket.destroy();
      return answer.toString().slice(9, 12);
    };
    expect([await ask('198.51.100.1'), await ask('198.51.100.2')]).toEqual(['200', '429']);
  });

  it('without a trusted proxy an invented X-Forwarded-For evades no limit, and one log line hints at TRUST_PROXY', async () => {
    await start({ RATE_REQUESTS_PER_MINUTE: '2' });
    const statuses: number[] = [];
    for (const invented of ['198.51.100.1', '198.51.100.2', '198.51.100.3'])
      statuses.push(await statusOf('/api/sessions', from(invented)));
    expect(statuses).toEqual([200, 200, 429]);
    expect(instance.logs.filter((line) => line.includes('TRUST_PROXY'))).toHaveLength(1);
  });
});

describe('too many connections', () => {
  const upgrade = async (headers: Headers = {}): Promise<number> => {
    const socket = new WebSocket(instance.url, { headers });
    socket.on('error', () => {});
    const status = await new Promise<number>((resolve) => {
      socket.once('open', () => resolve(101));
      socket.once('unexpected-response', (_, response) => {
        expect(response.headers['retry-after']).toMatch(RETRY_AFTER);
        response.destroy();
        resolve(response.statusCode ?? 0);
      });
    });
    socket.terminate();
    return status;
  };

  it('connections over the rate of an address are refused before the upgrade; other addresses and open connections are served', async () => {
    await start({ RATE_CONNECTIONS_PER_MINUTE: '3', TRUST_PROXY: '127.0.0.0/8' });
    const client = await TestClient.open(instance.url, ['rehydra.v1'], from('192.0.2.1'));
    expect(client.protocol).toBe('rehydra.v1');
    expect(await client.hello()).toMatchObject({ resumed: false });
    const statuses: number[] = [];
    for (let time = 0; time < 4; time += 1) statuses.push(await upgrade(from('192.0.2.1')));
    expect(statuses).toEqual([101, 101, 429, 429]);
    expect(await upgrade(from('192.0.2.2'))).toBe(101);
    client.message('m', 'Good morning');
    expect(await client.completed('m')).toMatchObject({ type: 'turn.completed' });
    expect(await limited('connections')).toBe(2);
    expect(await metric(instance.http, 'rehydra_connects_total')).toBe(4);
  });

  it('simultaneous connections over the rate are refused, and an aborted one harms no other client', async () => {
    await start({ RATE_CONNECTIONS_PER_MINUTE: '5' });
    for (let time = 0; time < 20; time += 1) {
      const socket = connect(instance.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(
        'GET /v1/session HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n' +
          'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
        () => socket.destroy(),
      );
      await once(socket, 'close');
    }
    const statuses = await Promise.all(Array.from({ length: 10 }, () => upgrade()));
    expect(statuses.filter((status) => status === 429).length).toBeGreaterThanOrEqual(5);
    expect(await statusOf('/healthz')).toBe(200);
  });
});

describe('too many messages', () => {
  it('messages over the rate of a user are refused in every session, by socket and by HTTP, and the socket stays open', async () => {
    await start({ RATE_MESSAGES_PER_MINUTE: '3' });
    const userId = randomUUID();
    const client = await TestClient.open(instance.url);
    await client.hello({ user_id: userId, after: 0 });
    client.message('a', 'Good morning');
    await client.completed('a');
    expect((await post({ user_id: userId })).status).toBe(200);
    const streamed = await post({ user_id: userId }, { accept: 'text/event-stream' });
    expect(await streamed.text()).toContain('turn.completed');
    const refused = await post({ user_id: userId });
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([
      429,
      expect.stringMatching(RETRY_AFTER),
    ]);
    expect(await refused.json()).toMatchObject({ error: { code: 'rate_limited' } });
    client.message('b', 'Good evening');
    const error = await client.refused('b');
    expect(error).toMatchObject({ code: 'rate_limited', retryable: true });
    expect(error.retry_after_ms).toBeGreaterThan(0);
    expect(error.retry_after_ms).toBeLessThanOrEqual(60_000);
    expect(client.isOpen).toBe(true);
    expect((await post({ user_id: randomUUID() })).status).toBe(200);
    expect(await limited('messages')).toBe(2);
  });

  it('messages over the rate of a session without a user are refused; resuming a stream counts as no message', async () => {
    await start({ RATE_MESSAGES_PER_MINUTE: '2' });
    const session_id = randomUUID();
    for (const status of [200, 200, 429]) expect((await post({ session_id })).status).toBe(status);
    const headers = { accept: 'text/event-stream', 'last-event-id': '1' };
    expect((await post({ session_id }, headers)).status).toBe(200);
    expect((await post({ session_id: randomUUID() })).status).toBe(200);
  });
});

const hex = (): string => randomUUID().replaceAll('-', '');
const responseId = (): string => `resp_${hex()}${hex()}`;

/** Requests that name a session, of which there is none. */
const GENERAL_DOORS: readonly (readonly [string, string, () => string, (() => unknown)?])[] = [
  ...['regenerate', 'fork', 'cancel', 'extend'].map(
    (what) => [`by ${what}`, 'POST', () => `/v1/sessions/${randomUUID()}/${what}`, () => ({})] as const,
  ),
  ['by following its events', 'GET', () => `/v1/sessions/${randomUUID()}/events?after=0`],
  ['by a response', 'GET', () => `/v1/responses/${responseId()}`],
  ['by cancelling a response', 'POST', () => `/v1/responses/${responseId()}/cancel`],
  [
    'by going on from a response',
    'POST',
    () => '/v1/responses',
    () => ({ input: 'x', previous_response_id: responseId() }),
  ],
  [
    'by going on in a conversation',
    'POST',
    () => '/v1/responses',
    () => ({ input: 'x', conversation: `conv_${hex()}` }),
  ],
  ['by a conversation', 'GET', () => `/v1/conversations/conv_${hex()}`],
  ['by its metadata', 'POST', () => `/v1/conversations/conv_${hex()}`, () => ({ metadata: {} })],
  [
    'by answering again in a chat',
    'POST',
    () => '/api/chat',
    () => ({
      id: randomUUID(),
      trigger: 'regenerate-message',
      messages: [{ id: 'q', role: 'user', parts: [{ type: 'text', text: 'x' }] }],
    }),
  ],
];

describe('guessing session ids', () => {
  const hello = async (fields: Headers, address: string) => {
    const client = await TestClient.open(instance.url, [], from(address));
    client.send({ type: 'hello', ...fields });
    return client.waitFor((frame) => frame.type === 'welcome' || frame.type === 'error', 'an answer');
  };
  const EVE = '192.0.2.1';
  const ADA = '192.0.2.2';

  it.each([
    ['by hello', async () => void (await hello({ session_id: randomUUID() }, EVE))],
    ['by a turn', async () => void (await post({ session_id: randomUUID() }, from(EVE)))],
    [
      'by a stream',
      async () => {
        const headers = { ...from(EVE), accept: 'text/event-stream', 'last-event-id': '0' };
        expect((await post({ session_id: randomUUID() }, headers)).status).toBe(404);
      },
    ],
    ['by reading one', async () => void (await statusOf(`/api/session/${randomUUID()}`, from(EVE)))],
    [
      'by a transcript',
      async () => void (await statusOf(`/api/session/${randomUUID()}/transcript`, from(EVE))),
    ],
    [
      'by deleting',
      async () => {
        const path = `${instance.http}/api/session/${randomUUID()}`;
        expect((await fetch(path, { method: 'DELETE', headers: from(EVE) })).status).toBe(404);
      },
    ],
    ['in the archive', async () => void (await statusOf(`/api/archive/${randomUUID()}`, from(EVE)))],
  ])(
    'after too many wrong session ids every id is refused, on every route and for existing ids too: %s',
    async (_, guess) => {
      await start({ RATE_GUESSES_PER_MINUTE: '4', TRUST_PROXY: '1' });
      const welcome = await hello({ user_id: 'ada' }, ADA);
      if (welcome.type !== 'welcome') throw new Error('ada was not welcomed');
      const { session_id } = welcome;
      for (let time = 0; time < 4; time += 1) await guess();
      for (const id of [session_id, randomUUID()]) {
        expect(await hello({ session_id: id }, EVE)).toMatchObject({ code: 'rate_limited', retryable: true });
        for (const path of [`/api/session/${id}`, `/api/session/${id}/transcript`, `/api/archive/${id}`])
          expect(await statusOf(path, from(EVE))).toBe(429);
        expect((await post({ session_id: id }, from(EVE))).status).toBe(429);
      }
      // A client that names no id is no guesser, and other addresses are not refused.
      expect(await hello({}, EVE)).toMatchObject({ type: 'welcome' });
      expect((await post({}, from(EVE))).status).toBe(200);
      expect(await hello({ session_id, user_id: 'ada' }, ADA)).toMatchObject({ resumed: true });
      expect(await statusOf(`/api/session/${session_id}`, from(ADA))).toBe(200);
      expect(await limited('guesses')).toBe(10);
    },
  );

  it('each general door counts wrong session ids, and refuses an address after too many of them', async () => {
    const wrongMax = 4;
    await start({ RATE_GUESSES_PER_MINUTE: String(wrongMax), TRUST_PROXY: '1' });
    for (const [index, [name, method, path, body]] of GENERAL_DOORS.entries()) {
      const headers = { ...from(`198.51.100.${index + 1}`), 'content-type': 'application/json' };
      const statuses: number[] = [];
      for (let time = 0; time <= wrongMax; time += 1) {
        const sent = { method, headers, ...(body && { body: JSON.stringify(body()) }) };
        statuses.push((await fetch(`${instance.http}${path()}`, sent)).status);
      }
      expect([name, ...statuses]).toEqual([name, ...new Array<number>(wrongMax).fill(404), 429]);
    }
  });

  it('a refused guess of a session id leaves a line in the audit log with the address that the proxy names', async () => {
    await start({ RATE_GUESSES_PER_MINUTE: '1', TRUST_PROXY: '1', AUDIT_LOG: 'stdout' });
    await statusOf(`/api/session/${randomUUID()}`, from(EVE));
    const session_id = randomUUID();
    await hello({ session_id }, EVE);
    await statusOf(`/api/session/${session_id}`, from(EVE));
    await post({ session_id }, from(EVE));
    const seen = () =>
      instance.logs
        .filter((line) => line.includes('"log":"audit"'))
        .map((line) => JSON.parse(line) as Readonly<Record<string, unknown>>)
        .filter((line) => line.session_id === session_id);
    const lines = await eventually('three lines', seen, (found) => found.length === 3);
    for (const line of lines) expect(line).toMatchObject({ address: EVE, outcome: 'rate_limited' });
    expect(lines.map(({ action }) => action)).toEqual(['resumed', 'read', 'resumed']);
  });

  it('an unknown id counts as a guess when its session is refused because the user has too many', async () => {
    await start({ RATE_GUESSES_PER_MINUTE: '3', SESSIONS_PER_USER_MAX: '1', TRUST_PROXY: '1' });
    const turn = () => post({ session_id: randomUUID(), user_id: 'eve' }, from(EVE));
    await hello({ user_id: 'eve' }, EVE);
    for (let time = 0; time < 2; time += 1)
      expect(await (await turn()).json()).toMatchObject({ error: { code: 'too_many_sessions' } });
    expect(await hello({ session_id: randomUUID(), user_id: 'eve' }, EVE)).toMatchObject({
      code: 'too_many_sessions',
    });
    expect(await (await turn()).json()).toMatchObject({ error: { code: 'rate_limited' } });
  });

  it('ids of other users’ sessions count as guesses: a client that is forbidden too often gets rate_limited instead', async () => {
    await start({ RATE_GUESSES_PER_MINUTE: '3', TRUST_PROXY: '1' });
    const welcome = await hello({ user_id: 'ada' }, ADA);
    if (welcome.type !== 'welcome') throw new Error('ada was not welcomed');
    const { session_id } = welcome;
    expect(await hello({ session_id, user_id: 'eve' }, EVE)).toMatchObject({ code: 'forbidden' });
    for (let time = 0; time < 2; time += 1)
      expect((await post({ session_id, user_id: 'eve' }, from(EVE))).status).toBe(403);
    expect(await hello({ session_id, user_id: 'eve' }, EVE)).toMatchObject({ code: 'rate_limited' });
    expect((await post({ session_id, user_id: 'eve' }, from(EVE))).status).toBe(429);
    expect(await hello({ session_id, user_id: 'ada' }, ADA)).toMatchObject({ resumed: true });
  });

  it('a client that resumes its own session again and again does not count as guessing', async () => {
    await start({ RATE_GUESSES_PER_MINUTE: '1', TRUST_PROXY: '1' });
    const session_id = randomUUID();
    for (let time = 0; time < 5; time += 1) {
      expect((await post({ session_id }, from(`203.0.113.${time}`))).status).toBe(200);
      expect(await hello({ session_id }, ADA)).toMatchObject({ resumed: true });
      expect(await statusOf(`/api/session/${session_id}`, from(ADA))).toBe(200);
    }
    expect(await limited('guesses')).toBe(0);
  });
});

it('by default only guesses are limited, far above what a crowd behind one address does', async () => {
  await start({});
  const client = await TestClient.greet(instance.url);
  for (let time = 0; time < 1_000; time += 1) client.send({ type: 'extend' });
  for (let time = 0; time < 100; time += 1) {
    const statuses = await Promise.all(Array.from({ length: 10 }, () => statusOf('/api/sessions?limit=1')));
    expect(new Set(statuses)).toEqual(new Set([200]));
  }
  const crowd = await Promise.all(
    Array.from({ length: 300 }, () => TestClient.greet(instance.url, { session_id: randomUUID() })),
  );
  for (const limit of ['connections', 'requests', 'messages', 'guesses'])
    expect(await limited(limit)).toBe(0);
  for (const one of crowd) one.drop();
});
