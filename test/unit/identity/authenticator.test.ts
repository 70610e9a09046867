import { writeFileSync } from 'node:fs';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { readConfig } from '../../../src/config/config.ts';
import { mayStillAct } from '../../../src/identity/acting-user.ts';
import { CHECK_CREDENTIALS_MS, type Credentials } from '../../../src/identity/authenticator.ts';
import { STRANGER } from '../../../src/identity/caller.ts';
import { LOOK_EVERY_MS } from '../../../src/identity/key-file.ts';
import { openAuthenticator } from '../../../src/identity/open-authenticator.ts';
import { openLog } from '../../../src/telemetry/log.ts';
import { newIdentities } from '../../support/instance/identities.ts';

const log = openLog('silent', 'authenticator');
const identities = newIdentities();
afterAll(() => identities.close());

const open = (environment: Readonly<Record<string, string>>) =>
  openAuthenticator(readConfig(environment).identity, log, systemClock);

const NO_HEADERS: Credentials = { bearer: null, header: () => '', peer: '10.0.0.1' };

const withHeaders = (headers: Readonly<Record<string, string>>, peer = '10.0.0.1'): Credentials => ({
  ...NO_HEADERS,
  header: (name) => headers[name] ?? '',
  peer,
});

const networks = await open({ AUTH: 'proxy', TRUST_PROXY: '10.0.0.0/8' });
const both = await open({ ...identities.environment, AUTH: 'jwt,keys,proxy', TRUST_PROXY: '10.0.0.0/8' });
const withoutProxy = await open(identities.environment);
afterAll(() => {
  for (const one of [networks, both, withoutProxy]) one.close();
});

it('with AUTH=off every caller is open, whatever it shows', async () => {
  const off = await open({});
  expect(off.isOff).toBe(true);
  for (const bearer of [null, 'junk', await identities.token('alice')])
    expect(await off.authenticate({ ...NO_HEADERS, bearer })).toEqual({
      kind: 'accepted',
      caller: { kind: 'open' },
    });
});

it('a client without a credential is a stranger', async () => {
  for (const one of [networks, both, withoutProxy])
    expect(await one.authenticate(NO_HEADERS)).toEqual({ kind: 'accepted', caller: { kind: 'stranger' } });
});

it('headers of a trusted proxy name user, role and tenant', async () => {
  const headers = { 'x-rehydra-user': 'alice', 'x-rehydra-role': 'auditor', 'x-rehydra-tenant': 'acme' };
  expect(await networks.authenticate(withHeaders(headers))).toMatchObject({
    kind: 'accepted',
    caller: {
      kind: 'identified',
      subject: 'alice',
      role: 'auditor',
      tenant: 'acme',
      proof: 'proxy',
      expiresAt: null,
    },
  });
  expect(await networks.authenticate(withHeaders({ 'x-rehydra-user': 'alice' }))).toMatchObject({
    caller: { role: 'user', tenant: '' },
  });
});

it('the operator names the headers of the proxy', async () => {
  const one = await open({
    AUTH: 'proxy',
    TRUST_PROXY: '10.0.0.0/8',
    AUTH_PROXY_USER_HEADER: 'X-Forwarded-User',
  });
  expect(await one.authenticate(withHeaders({ 'x-forwarded-user': 'alice' }))).toMatchObject({
    caller: { subject: 'alice' },
  });
  expect(await one.authenticate(withHeaders({ 'x-rehydra-user': 'alice' }))).toMatchObject({
    caller: { kind: 'stranger' },
  });
});

it.each(['203.0.113.9', '11.0.0.1', '::1', '::ffff:203.0.113.9', 'unknown', ''])(
  'identity headers from %s, which is no trusted proxy, do not count',
  async (peer) => {
    const headers = { 'x-rehydra-user': 'alice', 'x-rehydra-role': 'admin' };
    expect(await networks.authenticate(withHeaders(headers, peer))).toEqual({
      kind: 'accepted',
      caller: { kind: 'stranger' },
    });
  },
);

it('a trusted IPv4 proxy is known by its IPv6 form too', async () => {
  const peer = '0000:0000:0000:0000:0000:ffff:0a00:0001';
  expect(await networks.authenticate(withHeaders({ 'x-rehydra-user': 'alice' }, peer))).toMatchObject({
    caller: { subject: 'alice' },
  });
});

it('identity headers do not count without AUTH=proxy', async () => {
  expect(await withoutProxy.authenticate(withHeaders({ 'x-rehydra-user': 'alice' }))).toMatchObject({
    caller: { kind: 'stranger' },
  });
});

it.each([
  { 'x-rehydra-user': 'alice\nmallory' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-role': 'user\nadmin' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-tenant': 'acme\nother' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-tenant': '\n' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-role': 'root' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-role': 'Admin' },
  { 'x-rehydra-user': 'alice', 'x-rehydra-tenant': 'a/b' },
  { 'x-rehydra-user': 'a'.repeat(257) },
  { 'x-rehydra-user': 'al\ufffdce' },
])('identity headers that come twice or cannot be read are refused: %o', async (headers) => {
  expect(await networks.authenticate(withHeaders(headers))).toMatchObject({ kind: 'refused' });
});

it('a proxy that names a role or tenant but no user leaves the client a stranger', async () => {
  const headers = { 'x-rehydra-role': 'admin', 'x-rehydra-tenant': 'acme' };
  expect(await networks.authenticate(withHeaders(headers))).toMatchObject({ caller: { kind: 'stranger' } });
});

it('a bearer decides where identity headers come too, and an invalid one is refused', async () => {
  const shown = withHeaders({ 'x-rehydra-user': 'alice' });
  const key = identities.apiKey('both', 'service');
  both.reload();
  expect(await both.authenticate({ ...shown, bearer: key })).toMatchObject({
    caller: { subject: 'both', role: 'service', proof: 'key' },
  });
  expect(await both.authenticate({ ...shown, bearer: await identities.token('bob') })).toMatchObject({
    caller: { subject: 'bob', proof: 'jwt' },
  });
  expect(await both.authenticate({ ...shown, bearer: 'junk' })).toMatchObject({ kind: 'refused' });
});

it('with AUTH=proxy alone a bearer is none of the service’s: headers decide, and without them it is refused', async () => {
  const bearer = await identities.token('bob');
  expect(
    await networks.authenticate({ ...withHeaders({ 'x-rehydra-user': 'alice' }), bearer }),
  ).toMatchObject({
    caller: { subject: 'alice' },
  });
  expect(await networks.authenticate({ ...NO_HEADERS, bearer })).toMatchObject({ kind: 'refused' });
});

it('a token is refused where AUTH names only keys, and an API key where AUTH names only tokens', async () => {
  const key = identities.apiKey('alone', 'service');
  const onlyKeys = await open({ ...identities.environment, AUTH: 'keys' });
  const onlyTokens = await open({ ...identities.environment, AUTH: 'jwt' });
  const token = await identities.token('alice');
  const kinds = await Promise.all([
    onlyKeys.authenticate({ ...NO_HEADERS, bearer: key }),
    onlyTokens.authenticate({ ...NO_HEADERS, bearer: token }),
    onlyKeys.authenticate({ ...NO_HEADERS, bearer: token }),
    onlyTokens.authenticate({ ...NO_HEADERS, bearer: key }),
  ]);
  expect(kinds.map(({ kind }) => kind)).toEqual(['accepted', 'accepted', 'refused', 'refused']);
  onlyKeys.close();
  onlyTokens.close();
});

it('an identity holds until the moment of its end, and an API key until it is withdrawn', async () => {
  const key = identities.apiKey('ending', 'service');
  withoutProxy.reload();
  const shown = await Promise.all(
    [key, await identities.token('alice')].map((bearer) =>
      withoutProxy.authenticate({ ...NO_HEADERS, bearer }),
    ),
  );
  const [service, alice] = shown.map((one) =>
    one.kind === 'accepted' && one.caller.kind === 'identified' ? one.caller : null,
  );
  const end = alice!.expiresAt!;
  expect([withoutProxy.holds(alice!, end - 1), withoutProxy.holds(alice!, end)]).toEqual([true, false]);
  expect(withoutProxy.holds(service!, end)).toBe(true);
  identities.withdraw('ending');
  withoutProxy.reload();
  expect(withoutProxy.holds(service!, 0)).toBe(false);
});

it('a disabled subject is refused and its identity holds no longer, in its own tenant and no other', async () => {
  const [alice, other] = await Promise.all(
    [{ tenant: 'acme' }, {}].map((bearer) => identities.token('alice', bearer)),
  );
  const show = (bearer: string) => withoutProxy.authenticate({ ...NO_HEADERS, bearer });
  const shown = await show(alice!);
  const identity = shown.kind === 'accepted' && shown.caller.kind === 'identified' ? shown.caller : null;
  expect(withoutProxy.holds(identity!, 0)).toBe(true);
  identities.disable({ subject: 'alice', tenant: 'acme' });
  withoutProxy.reload();
  expect(withoutProxy.holds(identity!, 0)).toBe(false);
  expect(await show(alice!)).toEqual({ kind: 'refused', why: 'its subject is disabled' });
  expect(withoutProxy.isDisabled({ subject: 'alice', tenant: 'acme' })).toBe(true);
  expect(withoutProxy.isDisabled({ subject: 'alice', tenant: '' })).toBe(false);
  expect(await show(other!)).toMatchObject({ kind: 'accepted', caller: { subject: 'alice', tenant: '' } });
  identities.disable();
  withoutProxy.reload();
  expect(withoutProxy.holds(identity!, 0)).toBe(true);
});

it('an instance looks at its files and its sockets often enough to end a withdrawn credential within 5 seconds', () => {
  expect(LOOK_EVERY_MS + CHECK_CREDENTIALS_MS).toBeLessThanOrEqual(4_000);
});

it('a caller may act until its credential ends, and a back end until its user is disabled', async () => {
  const key = identities.apiKey('acting', 'service', { tenant: 'acme' });
  withoutProxy.reload();
  const shown = await withoutProxy.authenticate({ ...NO_HEADERS, bearer: key });
  const service = shown.kind === 'accepted' ? shown.caller : STRANGER;
  const mayAct = (userId: string | null) => mayStillAct(withoutProxy, service, userId, 0);
  identities.disable({ subject: 'dana', tenant: 'acme' }, { subject: 'evan' });
  withoutProxy.reload();
  expect([mayAct(null), mayAct('dana'), mayAct('evan')]).toEqual([true, false, true]);
  identities.disable();
  identities.withdraw('acting');
  withoutProxy.reload();
  expect(mayAct('evan')).toBe(false);
});

it.each(['', '{}', '["alice"]', '[{"subject":""}]', '[{"subject":"a","tenant":"a b"}]', '[{"user":"a"}]'])(
  'a list of disabled subjects that cannot be read refuses a start: %s',
  async (text) => {
    const broken = newIdentities();
    writeFileSync(broken.environment.AUTH_DISABLED_FILE!, text);
    await expect(open(broken.environment)).rejects.toThrow(/^AUTH_DISABLED_FILE=\S+ is no/);
    broken.close();
  },
);
