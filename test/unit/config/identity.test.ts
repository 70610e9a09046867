import { expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';
import { isLoopback } from '../../../src/startup/address.ts';

type Variables = Readonly<Record<string, string>>;

function problems(environment: Variables): readonly string[] {
  try {
    readConfig(environment);
    return [];
  } catch (error) {
    return String(error).split('\n').slice(1);
  }
}

const JWT: Variables = {
  AUTH: 'jwt',
  AUTH_JWT_ISSUER: 'https://issuer.example',
  AUTH_JWT_AUDIENCE: 'rehydra',
  AUTH_JWT_JWKS_URL: 'https://issuer.example/keys',
};

it.each(['0.0.0.0', '::', '[::]', '10.0.0.7', '203.0.113.1', 'rehydra.internal', 'localhost.example'])(
  'a start with HOST=%s and without AUTH is refused in one line that says what to set',
  (HOST) => {
    for (const environment of [{ HOST }, { HOST, AUTH: 'off' }])
      expect(problems(environment)).toEqual([
        `HOST=${HOST} needs AUTH: set AUTH=jwt, AUTH=keys or AUTH=proxy (README, "Put it in front of users"), or HOST=127.0.0.1`,
      ]);
  },
);

it.each(['127.0.0.1', '127.8.9.1', '127.1', 'localhost', 'LOCALHOST', '::1', '[::1]', '0:0:0:0:0:0:0:1'])(
  'a server on the loopback address %s needs no AUTH',
  (HOST) => {
    expect(isLoopback(HOST)).toBe(true);
    expect(problems({ HOST })).toEqual([]);
  },
);

it('a server that proves identities over TLS may listen on any address', () => {
  const tls = { TLS_CERT: 'a.crt', TLS_KEY: 'a.key' };
  expect(problems({ ...JWT, ...tls, HOST: '0.0.0.0' })).toEqual([]);
});

it('without AUTH no identity is proven, and AUTH may name several ways', () => {
  const none = { jwt: null, keysFile: null, proxy: null, disabledFile: null };
  expect(readConfig({}).identity).toEqual(none);
  expect(readConfig({ AUTH: 'off' }).identity).toEqual(none);
  const all = readConfig({ ...JWT, AUTH: 'proxy, keys,jwt', AUTH_KEYS_FILE: 'k', TRUST_PROXY: '10.0.0.0/8' });
  expect(all.identity).toMatchObject({
    jwt: { algorithms: ['RS256', 'ES256', 'EdDSA'], roleClaim: 'role', tenantClaim: null },
    keysFile: 'k',
    proxy: { userHeader: 'x-rehydra-user', roleHeader: 'x-rehydra-role', tenantHeader: 'x-rehydra-tenant' },
  });
});

it.each<readonly [Variables, RegExp]>([
  [{ AUTH: 'basic' }, /^AUTH=basic is neither off nor a list of jwt, keys, proxy$/],
  [{ AUTH: 'off,jwt' }, /^AUTH=off,jwt is neither off nor a list/],
  [{ AUTH: 'keys' }, /^AUTH=keys needs AUTH_KEYS_FILE$/],
  [{ AUTH: 'proxy' }, /^AUTH=proxy needs TRUST_PROXY: /],
  [{ AUTH: 'proxy', TRUST_PROXY: '0' }, /^AUTH=proxy needs TRUST_PROXY: /],
  [{ ...JWT, AUTH_JWT_ISSUER: '' }, /^AUTH=jwt needs AUTH_JWT_ISSUER$/],
  [{ ...JWT, AUTH_JWT_AUDIENCE: '' }, /^AUTH=jwt needs AUTH_JWT_AUDIENCE$/],
  [{ ...JWT, AUTH_JWT_JWKS_URL: '' }, /^AUTH=jwt needs one of AUTH_JWT_JWKS_URL and AUTH_JWT_KEY_FILE$/],
  [{ ...JWT, AUTH_JWT_KEY_FILE: 'k' }, /, not both$/],
  [{ ...JWT, AUTH_JWT_JWKS_URL: 'http://issuer.example/keys' }, /is not an https URL/],
  [{ ...JWT, AUTH_JWT_ALGORITHMS: 'none' }, /^AUTH_JWT_ALGORITHMS=none is not a list of RS256, /],
  [
    { ...JWT, AUTH_JWT_ALGORITHMS: 'RS256,HS256' },
    /^AUTH_JWT_ALGORITHMS=RS256,HS256 is not a list of RS256, /,
  ],
  [{ AUTH_PROXY_USER_HEADER: 'x user' }, /is not the name of a header$/],
  [
    { AUTH: 'proxy', TRUST_PROXY: '1', AUTH_PROXY_ROLE_HEADER: 'X-Rehydra-User' },
    /^AUTH_PROXY_USER_HEADER, AUTH_PROXY_ROLE_HEADER and AUTH_PROXY_TENANT_HEADER must differ$/,
  ],
])('settings that would prove no identity refuse the start: %o', (environment, line) => {
  expect(problems(environment)).toEqual([expect.stringMatching(line)]);
});

it('an issuer on this machine may publish its keys over http', () => {
  expect(problems({ ...JWT, AUTH_JWT_JWKS_URL: 'http://127.0.0.1:9000/keys' })).toEqual([]);
});

it('the log warns of identity settings without effect, and of a number of proxies that any client can pose as', () => {
  const { warnings } = readConfig({ AUTH: 'proxy', TRUST_PROXY: '1', AUTH_KEYS_FILE: 'k' });
  expect(warnings).toEqual([
    'AUTH_KEYS_FILE has no effect while AUTH does not name keys',
    expect.stringMatching(
      /^AUTH=proxy with a number as TRUST_PROXY believes every client that reaches this port/,
    ),
  ]);
  expect(readConfig({ AUTH: 'proxy', TRUST_PROXY: '10.0.0.0/8' }).warnings).toEqual([]);
});
