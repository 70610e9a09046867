/**
 * Every route × every kind of caller, on two running instances that believe tokens and API keys. The table is written by
 * hand: it promises what src/identity/permissions.ts must say.
 *
 *  MATRIX-1  A foreign session and one that does not exist get the same bytes as an answer.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { permissions } from '../../../src/identity/permissions.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';
import {
  CALLERS,
  type CallerName,
  newId,
  OWNER,
  openIdentities,
  openScene,
  type Request,
  type Scene,
  send,
  visible,
} from './matrix-scene.ts';

const [known] = started(openIdentities);
/** The archive, which both instances share. */
const folder = mkdtempSync(join(tmpdir(), 'rehydra-matrix-'));
afterAll(() => rmSync(folder, { recursive: true }));
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    DATA_DIR: folder,
    ...known.environment,
    RATE_FAILED_CREDENTIALS_PER_MINUTE: '0',
    RATE_GUESSES_PER_MINUTE: '0',
    SESSIONS_PER_USER_MAX: '0',
    RATE_REQUESTS_PER_MINUTE: '0',
    RATE_MESSAGES_PER_MINUTE: '0',
    SIMULATOR_TOKENS: '2',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);

type Row = readonly [route: string, request: (scene: Scene) => Request, statuses: readonly number[]];

const at =
  (method: string, path: (id: string) => string, body?: unknown) =>
  ({ sessionId }: Scene): Request => ({
    method,
    path: path(sessionId),
    ...(body === undefined ? {} : { body }),
  });
const fixed = (method: string, path: string) => (): Request => ({ method, path });

const hex = (id: string) => id.replaceAll('-', '');
const conversation = (method: string, path = '') =>
  at(method, (id) => `/v1/conversations/conv_${hex(id)}${path}`);
const response =
  (method: string, path = '') =>
  ({ sessionId, turnId }: Scene): Request => ({
    method,
    path: `/v1/responses/resp_${hex(sessionId)}${hex(turnId)}${path}`,
  });
const item =
  (method: string) =>
  ({ sessionId, turnId }: Scene): Request => ({
    method,
    path: `/v1/conversations/conv_${hex(sessionId)}/items/msg_u${hex(turnId)}`,
  });

const ALL = CALLERS.map(() => 200);
/** Everyone with access to the session, guests included. */
const INSIDE = [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 403, 403, 403];
/** In the order of CALLERS: none, expired, wrong audience; other user, other tenant, revoked guest; read, write, owner; … */
const ROWS: readonly Row[] = [
  ['GET /healthz', fixed('GET', '/healthz'), ALL],
  ['GET /readyz', fixed('GET', '/readyz'), ALL],
  ['GET /openapi.json', fixed('GET', '/openapi.json'), ALL],
  ['GET /asyncapi.json', fixed('GET', '/asyncapi.json'), ALL],
  ...['/', '/chat/chat.js', '/chat/chat.css', '/chat/icon.svg'].map(
    (path): Row => [`GET ${path}`, fixed('GET', path), ALL],
  ),
  ...['/docs', '/docs/reference.js', '/docs/swagger-ui.css', '/docs/swagger-ui-bundle.js'].map(
    (path): Row => [`GET ${path}`, fixed('GET', path), ALL],
  ),
  [
    'POST /api/protocol',
    ({ sessionId }) => ({
      method: 'POST',
      path: '/api/protocol',
      body: { session_id: sessionId, chief_complaint: 'fever' },
    }),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /v1/sessions',
    ({ sessionId }) => ({ method: 'POST', path: '/v1/sessions', body: { id: sessionId } }),
    // The id of a foreign session names a session of the caller's own.
    [401, 401, 401, 201, 201, 201, 200, 200, 200, 200, 201, 403, 403, 403],
  ],
  [
    'POST /v1/sessions/:id/regenerate',
    at('POST', (id) => `/v1/sessions/${id}/regenerate`),
    // Only the owner's question can be answered again.
    [401, 401, 401, 404, 404, 404, 403, 403, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /v1/sessions/:id/fork',
    at('POST', (id) => `/v1/sessions/${id}/fork`),
    [401, 401, 401, 404, 404, 404, 403, 403, 201, 201, 404, 403, 403, 403],
  ],
  [
    'POST /v1/sessions/:id/cancel',
    at('POST', (id) => `/v1/sessions/${id}/cancel`),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /v1/sessions/:id/extend',
    at('POST', (id) => `/v1/sessions/${id}/extend`),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'GET /v1/sessions/:id/events',
    at('GET', (id) => `/v1/sessions/${id}/events?after=0`),
    [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /v1/sessions/:id/messages',
    ({ sessionId }) => ({
      method: 'POST',
      path: `/v1/sessions/${sessionId}/messages`,
      body: { content: 'And now?' },
    }),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /api/chat',
    ({ sessionId }) => ({
      method: 'POST',
      path: '/api/chat',
      body: {
        id: sessionId,
        messages: [{ id: newId(), role: 'user', parts: [{ type: 'text', text: 'fever' }] }],
      },
    }),
    // The id of a foreign chat names a chat of the caller's own.
    [401, 401, 401, 200, 200, 200, 403, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'GET /api/chat/:id',
    at('GET', (id) => `/api/chat/${id}`),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'GET /api/chat/:id/stream',
    at('GET', (id) => `/api/chat/${id}/stream`),
    [401, 401, 401, 204, 204, 204, 204, 204, 204, 204, 204, 403, 403, 403],
  ],
  [
    'POST /api/chat/:id/stop',
    at('POST', (id) => `/api/chat/${id}/stop`),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'POST /api/ag-ui',
    ({ sessionId }) => ({
      method: 'POST',
      path: '/api/ag-ui',
      body: {
        threadId: sessionId,
        runId: newId(),
        messages: [{ id: newId(), role: 'user', content: 'fever' }],
      },
    }),
    // The id of a foreign thread names a thread of the caller's own.
    [401, 401, 401, 200, 200, 200, 403, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'GET /api/ag-ui',
    at('GET', (id) => `/api/ag-ui?threadId=${id}`),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'POST /api/ag-ui/:id/stop',
    at('POST', (id) => `/api/ag-ui/${id}/stop`),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403],
  ],
  [
    'POST /v1/responses',
    ({ sessionId }) => ({
      method: 'POST',
      path: '/v1/responses',
      body: { conversation: `conv_${hex(sessionId)}`, input: 'And now?' },
    }),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  ['GET /v1/responses/:id', response('GET'), INSIDE],
  ['POST /v1/responses/:id/cancel', response('POST', '/cancel'), INSIDE],
  ['GET /v1/responses/:id/input_items', response('GET', '/input_items'), INSIDE],
  [
    'DELETE /v1/responses/:id',
    response('DELETE'),
    [401, 401, 401, 404, 404, 404, 403, 403, 200, 200, 404, 403, 403, 403],
  ],
  [
    'POST /v1/conversations',
    fixed('POST', '/v1/conversations'),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 403, 403, 403],
  ],
  ['GET /v1/conversations/:id', conversation('GET'), INSIDE],
  [
    'POST /v1/conversations/:id',
    at('POST', (id) => `/v1/conversations/conv_${hex(id)}`, { metadata: {} }),
    [401, 401, 401, 404, 404, 404, 403, 200, 200, 200, 404, 403, 403, 403],
  ],
  [
    'DELETE /v1/conversations/:id',
    conversation('DELETE'),
    [401, 401, 401, 404, 404, 404, 403, 403, 200, 200, 404, 403, 403, 403],
  ],
  ['GET /v1/conversations/:id/items', conversation('GET', '/items'), INSIDE],
  ['GET /v1/conversations/:id/items/:item', item('GET'), INSIDE],
  // Neither is supported, and a stranger must not learn even that.
  [
    'POST /v1/conversations/:id/items',
    conversation('POST', '/items'),
    [401, 401, 401, 404, 404, 404, 400, 400, 400, 400, 404, 403, 403, 403],
  ],
  [
    'DELETE /v1/conversations/:id/items/:item',
    item('DELETE'),
    [401, 401, 401, 404, 404, 404, 400, 400, 400, 400, 404, 403, 403, 403],
  ],
  [
    'GET /v1/models',
    fixed('GET', '/v1/models'),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
  ],
  [
    'GET /api/session/:id',
    at('GET', (id) => `/api/session/${id}`),
    [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 200, 200, 404],
  ],
  [
    'DELETE /api/session/:id',
    at('DELETE', (id) => `/api/session/${id}`),
    [401, 401, 401, 404, 404, 404, 403, 403, 200, 200, 404, 403, 200, 404],
  ],
  [
    'DELETE /api/session/:id?erase=true',
    at('DELETE', (id) => `/api/session/${id}?erase=true`),
    [401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200],
  ],
  [
    'GET /api/session/:id/transcript',
    at('GET', (id) => `/api/session/${id}/transcript`),
    [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 403, 200, 404],
  ],
  [
    'GET /api/session/:id/history',
    at('GET', (id) => `/api/session/${id}/history`),
    [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 200, 200, 404],
  ],
  [
    'POST /api/session/:id/shares',
    at('POST', (id) => `/api/session/${id}/shares`, { user_id: 'nina' }),
    [401, 401, 401, 404, 404, 404, 403, 403, 201, 201, 404, 403, 403, 403],
  ],
  [
    'GET /api/session/:id/shares',
    at('GET', (id) => `/api/session/${id}/shares`),
    [401, 401, 401, 404, 404, 404, 200, 200, 200, 200, 404, 200, 200, 404],
  ],
  [
    'DELETE /api/session/:id/shares/:share',
    ({ sessionId, shareId }) => ({ method: 'DELETE', path: `/api/session/${sessionId}/shares/${shareId}` }),
    [401, 401, 401, 404, 404, 404, 403, 403, 200, 200, 404, 403, 200, 404],
  ],
  [
    'GET /api/sessions',
    fixed('GET', '/api/sessions'),
    [401, 401, 401, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200],
  ],
  [
    'GET /api/archive/:id',
    at('GET', (id) => `/api/archive/${id}`),
    // Nothing is archived while the session lives.
    [401, 401, 401, 404, 404, 404, 404, 404, 404, 404, 404, 403, 404, 404],
  ],
  [
    'GET /api/archive',
    fixed('GET', '/api/archive'),
    [401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200, 200],
  ],
  [
    'GET /api/archive/export',
    fixed('GET', '/api/archive/export'),
    [401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200],
  ],
  [
    'DELETE /api/users/:id',
    fixed('DELETE', '/api/users/a-name-without-sessions'),
    [401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200],
  ],
  ...[
    '/api/analytics',
    '/metrics',
    '/dashboard',
    '/dashboard/dashboard.css',
    '/dashboard/dashboard.js',
    '/dashboard/icon.svg',
    '/dashboard/chart.js',
  ].map(
    (path): Row => [
      `GET ${path}`,
      fixed('GET', path),
      [401, 401, 401, 403, 403, 403, 403, 403, 403, 403, 403, 200, 200, 200],
    ],
  ),
];

const cells = ROWS.flatMap(([route, request, statuses]) =>
  CALLERS.map((caller, index) => ({ route, request, caller, status: statuses[index] ?? 0 })),
);

it('the matrix has a row for every route of the table of permissions, and no other', () => {
  const routes = Object.keys(permissions).filter((operation) => operation.includes(' '));
  expect(ROWS.map(([route]) => route).sort()).toEqual(routes.sort());
});

describe('the matrix of routes', () => {
  it.each(cells)('$route answers $status to the caller: $caller', async ({ request, caller, status }) => {
    const all = known;
    const scene = await openScene(one, all);
    const reply = await send(two, request(scene), all.of(caller));
    expect(reply.status, JSON.stringify(reply.body)).toBe(status);
  });
});

/** Those to whom the session must not exist. */
const OUTSIDERS: readonly CallerName[] = [
  'none',
  'expired',
  'wrong audience',
  'other user',
  'other tenant',
  'revoked guest',
  'service for another',
  'admin of another tenant',
];

describe('a foreign session', () => {
  const named = ROWS.filter(([route]) => /:id|protocol/.test(route) && !route.includes('users'));
  const pairs = named.flatMap(([route, request]) => OUTSIDERS.map((caller) => ({ route, request, caller })));

  it.each(pairs)(
    'looks absent in every byte of $route to the caller: $caller',
    async ({ request, caller }) => {
      const all = known;
      const scene = await openScene(one, all);
      const absent = { sessionId: newId(), shareId: newId(), turnId: newId() };
      const shown = all.of(caller);
      const hide = (text: string, { sessionId }: Scene) => text.replaceAll(sessionId, 'the session');
      const foreign = visible(await send(two, request(scene), shown));
      const missing = visible(await send(two, request(absent), shown));
      expect(hide(foreign, scene)).toBe(hide(missing, absent)); // MATRIX-1
      const owner = all.of('owner');
      const still = await send(one, { method: 'GET', path: `/api/session/${scene.sessionId}` }, owner);
      expect(still.status).toBe(200);
    },
  );
});

describe('lists', () => {
  const idsIn = (body: unknown) =>
    (body as { readonly sessions: readonly { readonly session_id: string }[] }).sessions.map(
      ({ session_id }) => session_id,
    );

  it('a list of sessions has those of the own user, and for operators those of the own tenant', async () => {
    const all = known;
    const { sessionId } = await openScene(one, all);
    const seen: Partial<Record<CallerName, boolean>> = {};
    for (const caller of CALLERS.slice(3)) {
      const ids: string[] = [];
      for (let cursor = ''; ; ) {
        const path = `/api/sessions?limit=200${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
        const { body } = await send(two, { method: 'GET', path }, all.of(caller));
        ids.push(...idsIn(body));
        const { cursor: next } = body as { readonly cursor: string | null };
        if (next === null) break;
        cursor = next;
      }
      seen[caller] = ids.includes(sessionId);
    }
    const seeing = Object.keys(seen).filter((caller) => seen[caller as CallerName]);
    expect(seeing).toEqual(['owner', 'service', 'auditor', 'admin']);
  });

  it('an archived conversation is found by its owner and by operators of its tenant alone', async () => {
    const all = known;
    const { sessionId } = await openScene(one, all);
    await send(one, { method: 'DELETE', path: `/api/session/${sessionId}` }, all.of('owner'));
    const path = `/api/archive/${sessionId}`;
    const readable: CallerName[] = [];
    for (const caller of CALLERS) {
      const { status } = await send(two, { method: 'GET', path }, all.of(caller));
      if (status === 200) readable.push(caller);
    }
    expect(readable).toEqual(['owner', 'service', 'admin']);
    for (const [caller, finds] of [
      ['auditor', true],
      ['admin', true],
      ['admin of another tenant', false],
    ] as const) {
      const { body } = await send(two, { method: 'GET', path: '/api/archive?limit=200' }, all.of(caller));
      expect([caller, idsIn(body).includes(sessionId)]).toEqual([caller, finds]);
    }
  });

  it('an auditor gets no snippet, may search for no word, and sees no beginning of a question', async () => {
    const all = known;
    const auditor = all.of('auditor');
    const search = { method: 'GET', path: '/api/archive?text=cough' };
    expect((await send(one, search, auditor)).status).toBe(403);
    const { body } = await send(one, { method: 'GET', path: '/api/analytics' }, auditor);
    expect(body).toMatchObject({ ended: { second_turns: [] } });
  });

  it('a user may not take the name of another in a request', async () => {
    const all = known;
    const { bearer } = all.of('other user');
    const { sessionId } = await openScene(one, all);
    const path = `/api/session/${sessionId}`;
    expect((await send(one, { method: 'GET', path }, { bearer, onBehalfOf: OWNER })).status).toBe(403);
    const body = { chief_complaint: 'fever', user_id: OWNER };
    expect((await send(one, { method: 'POST', path: '/api/protocol', body }, { bearer })).status).toBe(403);
  });
});
