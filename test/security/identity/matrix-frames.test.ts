/**
 * Every frame × every kind of caller, on a running instance that believes tokens and API keys. The table is written by
 * hand: it promises what src/identity/permissions.ts and machines/access.ts must say.
 */
import { afterAll, describe, expect, it } from 'vitest';
import { permissions } from '../../../src/identity/permissions.ts';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { TestClient } from '../../support/instance/client.ts';
import { problemOf } from '../../support/instance/http.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { startRedis } from '../../support/instance/redis-server.ts';
import { started } from '../../support/instance/started.ts';
import { forgedTokens } from './forged-tokens.ts';
import {
  CALLERS,
  type CallerName,
  newId,
  openIdentities,
  openScene,
  type Shown,
  send,
  visible,
} from './matrix-scene.ts';

const [known] = started(openIdentities);
const [redis] = started(startRedis);
const launch = () =>
  startInstance({
    REDIS_URL: redis.url,
    ...known.environment,
    RATE_CONNECTIONS_PER_MINUTE: '0',
    RATE_FAILED_CREDENTIALS_PER_MINUTE: '0',
    RATE_GUESSES_PER_MINUTE: '0',
    RATE_MESSAGES_PER_MINUTE: '0',
    SESSIONS_PER_USER_MAX: '0',
    SIMULATOR_TOKENS: '2',
    SIMULATOR_TOKENS_PER_SECOND: '0',
  });
const [one, two] = started(launch, launch);

const clients: TestClient[] = [];
afterAll(() => Promise.all(clients.map((client) => client.close())));

/** Says hello with the credential in the frame, and returns the first answer. */
async function hello(url: string, shown: Shown, fields: Readonly<Record<string, unknown>> = {}) {
  const client = await TestClient.open(url);
  clients.push(client);
  const token = shown.bearer === null ? {} : { token: shown.bearer };
  const user = shown.onBehalfOf === undefined ? {} : { user_id: shown.onBehalfOf };
  client.send({ type: 'hello', ...token, ...user, ...fields });
  const answer = await client.waitFor(() => true, 'an answer to hello');
  return { client, answer };
}

const wordOf = (frame: ServerFrame): string => (frame.type === 'error' ? frame.code : frame.type);

const U = 'unauthenticated';
const N = 'session_not_found';
const F = 'forbidden';
/** In the order of CALLERS: none, expired, wrong audience; other user, other tenant, revoked guest; read, write, owner; … */
const ROWS: readonly (readonly [string, Readonly<Record<string, unknown>>, readonly string[]])[] = [
  ['hello', {}, [U, U, U, N, N, N, 'welcome', 'welcome', 'welcome', 'welcome', N, F, F, F]],
  [
    'message',
    { id: 'asked', content: 'And now?' },
    [U, U, U, N, N, N, F, 'state', 'state', 'state', N, F, F, F],
  ],
  [
    'instructions',
    { type: 'message', id: 'asked', content: 'And now?', instructions: 'Answer in Latin.' },
    [U, U, U, N, N, N, F, F, F, 'state', N, F, F, F],
  ],
  // The owner asked the only question.
  ['regenerate', { id: 'again' }, [U, U, U, N, N, N, F, F, 'turn.retracted', 'turn.retracted', N, F, F, F]],
  ['fork', { id: 'copy' }, [U, U, U, N, N, N, F, F, 'forked', 'forked', N, F, F, F]],
  // Nothing runs that could be cancelled.
  ['cancel', {}, [U, U, U, N, N, N, F, 'unknown_turn', 'unknown_turn', 'unknown_turn', N, F, F, F]],
  ['extend', {}, [U, U, U, N, N, N, F, 'extended', 'extended', 'extended', N, F, F, F]],
  ['close', {}, [U, U, U, N, N, N, F, F, 'state', 'state', N, F, F, F]],
  ['ping', {}, CALLERS.map(() => 'pong')],
  [
    'authenticate',
    { token: 'the own one' },
    [U, U, U, N, N, N, 'authenticated', 'authenticated', 'authenticated', 'authenticated', N, F, F, F],
  ],
];
const cells = ROWS.flatMap(([frame, fields, words]) =>
  CALLERS.map((caller, index) => ({ frame, fields, caller, word: words[index] ?? '' })),
);

it('the matrix has a row for every frame of the table of permissions, and no other', () => {
  const frames = Object.keys(permissions).filter((operation) => !operation.includes(' '));
  expect(ROWS.map(([frame]) => frame).sort()).toEqual(frames.sort());
});

describe('the matrix of frames', () => {
  it.each(cells)(
    '$frame gets $word if sent by the caller: $caller',
    async ({ frame, fields, caller, word }) => {
      const all = known;
      const { sessionId } = await openScene(one, all);
      const shown = all.of(caller);
      if (frame === 'ping') {
        // Before hello as well: a client finds out whether its connection works.
        const client = await TestClient.open(two.url);
        clients.push(client);
        client.send({ type: 'ping' });
        return expect(wordOf(await client.waitFor(() => true, 'an answer'))).toBe(word);
      }
      const { client, answer } = await hello(two.url, shown, { session_id: sessionId });
      if (frame === 'hello' || answer.type !== 'welcome') return expect(wordOf(answer)).toBe(word);
      client.send({ type: frame, ...fields, ...(frame === 'authenticate' ? { token: shown.bearer } : {}) });
      const isAnswer = ({ type }: ServerFrame) => type !== 'presence';
      expect(wordOf(await client.waitFor(isAnswer, `an answer to ${frame}`))).toBe(word);
    },
  );

  it.each(['none', 'expired', 'wrong audience', 'auditor', 'admin'] as const)(
    'a socket is closed after the hello of the caller: %s',
    async (caller) => {
      const all = known;
      const { client, answer } = await hello(one.url, all.of(caller));
      const code = wordOf(answer);
      expect(await client.closed).toEqual({ code: code === U ? 4001 : 4003, reason: code });
    },
  );
});

describe('a foreign session over a socket', () => {
  const outsiders: readonly CallerName[] = [
    'other user',
    'other tenant',
    'revoked guest',
    'service for another',
  ];

  it.each(outsiders)('looks absent in every byte to the caller: %s', async (caller) => {
    const all = known;
    const { sessionId } = await openScene(one, all);
    const answers = [];
    for (const session_id of [sessionId, newId()]) {
      const { answer } = await hello(two.url, all.of(caller), { session_id });
      answers.push(JSON.stringify(answer));
    }
    expect(answers[0]).toContain(N);
    expect(answers[0]).toBe(answers[1]);
  });

  it('a token that names another user than the hello opens nothing', async () => {
    const all = known;
    const { client, answer } = await hello(one.url, { ...all.of('other user'), onBehalfOf: 'olga' });
    expect(wordOf(answer)).toBe(F);
    expect(await client.closed).toMatchObject({ code: 4003 });
  });

  it('a socket does not change hands: a token of another user renews nothing', async () => {
    const all = known;
    const { client } = await hello(one.url, all.of('owner'));
    client.send({ type: 'authenticate', token: all.of('other user').bearer });
    expect(wordOf(await client.waitFor(() => true, 'an answer'))).toBe(F);
    client.send({ type: 'extend' });
    await client.waitForType('extended');
  });
});

describe('a credential at the upgrade', () => {
  it('opens a socket without a token in hello: as a header or as a sub-protocol, which the server never echoes', async () => {
    const all = known;
    const bearer = all.of('owner').bearer ?? '';
    const byHeader = await TestClient.open(one.url, [], { authorization: `Bearer ${bearer}` });
    const byProtocol = await TestClient.open(one.url, ['rehydra.v1', `rehydra.bearer.${bearer}`]);
    clients.push(byHeader, byProtocol);
    for (const client of [byHeader, byProtocol]) await client.hello();
    expect(byProtocol.protocol).toBe('rehydra.v1');
  });

  it('opens neither a socket nor a route from the address, and stays out of the log', async () => {
    const bearer = known.of('owner').bearer ?? '';
    for (const name of ['token', 'access_token', 'authorization']) {
      const query = `?${name}=${encodeURIComponent(bearer)}`;
      const reply = await send(one, { method: 'GET', path: `/api/sessions${query}` }, { bearer: null });
      expect(reply.status).toBe(401);
      const { answer } = await hello(`${one.url}${query}`, { bearer: null });
      expect(wordOf(answer)).toBe(U);
    }
    expect(one.logs.filter((line) => line.includes(bearer))).toEqual([]);
  });
});

describe('forged and stale tokens', () => {
  it('40 forged or stale tokens are refused over HTTP and at hello, each with the same bytes', async () => {
    const forged = await forgedTokens(known.keys.rsa, known.keys.ec);
    expect(forged.length).toBeGreaterThanOrEqual(40);
    const overHttp = new Set<string>();
    const atHello = new Set<string>();
    for (const { token } of forged) {
      const reply = await send(one, { method: 'GET', path: '/api/sessions' }, { bearer: token });
      expect(problemOf(reply).code).toBe(U);
      overHttp.add(visible(reply));
      const { client, answer } = await hello(two.url, { bearer: token });
      atHello.add(JSON.stringify([answer, await client.closed]));
    }
    process.stdout.write(`forged or stale tokens refused: ${forged.length} of ${forged.length}\n`);
    expect(overHttp.size).toBe(1);
    expect([...atHello]).toEqual([expect.stringContaining('"code":4001')]);
  });
});
