import { generateKeyPairSync } from 'node:crypto';
import { expect, it } from 'vitest';
import type { Identity } from '../../../src/identity/caller.ts';
import { candidatesOf, parseTokenKeys } from '../../../src/identity/tokens/token-keys.ts';
import { createTokens } from '../../../src/identity/tokens/tokens.ts';
import {
  AUDIENCE,
  type Bearer,
  claimsFor,
  JWT_CONFIG,
  jwksOf,
  newKey,
  pemOf,
  sign,
  tokenFor,
} from '../../support/issuer.ts';

const key = newKey('ES256');
const { algorithms } = JWT_CONFIG;

function tokensOf(text: string, config: Partial<typeof JWT_CONFIG> = {}) {
  const parsed = parseTokenKeys(text, algorithms);
  if (parsed.kind === 'wrong') throw new Error(parsed.why);
  return createTokens(
    { ...JWT_CONFIG, ...config },
    { candidates: async (algorithm, id) => candidatesOf(parsed.keys, algorithm, id) },
  );
}

const tokens = tokensOf(jwksOf(key));

async function identityOf(token: string, of = tokens, now = Date.now()): Promise<Identity | string> {
  const shown = await of.authenticate(token, now);
  if (shown.kind === 'refused') return shown.why;
  return shown.caller.kind === 'identified' ? shown.caller : shown.caller.kind;
}

const proven = async (subject: string, bearer: Bearer = {}, of = tokens) =>
  identityOf(await tokenFor(key, subject, bearer), of);

it('a token proves its subject, role and tenant', async () => {
  expect(await proven('alice', { role: 'service', tenant: 'acme' })).toMatchObject({
    subject: 'alice',
    role: 'service',
    tenant: 'acme',
    rights: null,
    proof: 'jwt',
  });
});

it('a token without a role or a tenant is of a user of the one tenant', async () => {
  expect(await proven('alice')).toMatchObject({ role: 'user', tenant: '' });
});

it('a tenant in a token does not count unless the operator names its claim', async () => {
  expect(
    await proven('alice', { tenant: 'acme' }, tokensOf(jwksOf(key), { tenantClaim: null })),
  ).toMatchObject({
    tenant: '',
  });
});

it('the operator names the claim of the role', async () => {
  const of = tokensOf(jwksOf(key), { roleClaim: 'https://example.org/role' });
  const claims = { 'https://example.org/role': 'auditor', role: 'admin' };
  expect(await proven('alice', { claims }, of)).toMatchObject({ role: 'auditor' });
});

it.each(['a', 'a'.repeat(256), 'Zoë Müller', '用户', 'a@example.org', '👩‍⚕️'])(
  'a user id may be %s',
  async (subject) => {
    expect(await proven(subject)).toMatchObject({ subject });
  },
);

it.each(['', 'a'.repeat(257), 'a\u0000', 'a\u007f', 'a\tb', '\ud800', 'a\udc00', 'a\ufffd'])(
  'a token with the user id %j is refused',
  async (subject) => {
    expect(await proven(subject)).toBe('its subject is no user id');
  },
);

it('the identity of a token ends half a minute after the token, because clocks differ', async () => {
  const now = Date.now();
  const { exp = 0 } = claimsFor('alice', { endsInSeconds: 60 });
  const token = await sign(key, claimsFor('alice', { claims: { exp } }));
  const end = exp * 1_000 + 30_000;
  expect(await identityOf(token, tokens, now)).toMatchObject({ expiresAt: end });
  expect(await identityOf(token, tokens, end - 1_000)).toMatchObject({ subject: 'alice' });
  expect(await identityOf(token, tokens, end)).toBe('ERR_JWT_EXPIRED');
});

it('a token that begins within half a minute is accepted', async () => {
  const soon = Math.floor(Date.now() / 1_000) + 20;
  expect(await proven('alice', { claims: { nbf: soon } })).toMatchObject({ subject: 'alice' });
});

it('a token for several services, this one among them, is accepted', async () => {
  expect(await proven('alice', { claims: { aud: ['billing', AUDIENCE] } })).toMatchObject({
    subject: 'alice',
  });
});

it.each([undefined, 'JWT', 'jwt', 'at+jwt', 'application/at+jwt'])(
  'a token of type %s is accepted',
  async (typ) => {
    expect(await identityOf(await sign(key, claimsFor('alice'), { typ }))).toMatchObject({
      subject: 'alice',
    });
  },
);

it('the audit log names a token by its id', async () => {
  expect(await proven('alice', { claims: { jti: 'token-7' } })).toMatchObject({ credential: 'token-7' });
  expect(await proven('alice')).toMatchObject({ credential: 'jwt' });
});

it('a token without a key id is verified with each key of its algorithm', async () => {
  const keys = [newKey('ES256'), newKey('EdDSA'), key];
  const token = await sign(key, claimsFor('alice'), { kid: undefined });
  expect(await identityOf(token, tokensOf(jwksOf(...keys)))).toMatchObject({ subject: 'alice' });
});

it.each(['RS256', 'ES256', 'EdDSA'] as const)(
  'a public key for %s may be a PEM, a JWK or a JWKS',
  async (algorithm) => {
    const own = newKey(algorithm);
    const jwk = JSON.stringify(JSON.parse(jwksOf(own)).keys[0]);
    for (const text of [pemOf(own), jwk, jwksOf(own)])
      expect(await identityOf(await tokenFor(own, 'alice'), tokensOf(text))).toMatchObject({
        subject: 'alice',
      });
  },
);

it('keys for other purposes in the document of an issuer are left out', () => {
  const document = JSON.parse(jwksOf(key, newKey('RS256')));
  document.keys[1].use = 'enc';
  const parsed = parseTokenKeys(JSON.stringify(document), algorithms);
  expect(parsed.kind === 'parsed' ? parsed.keys.map(({ id }) => id) : parsed.why).toEqual([key.id]);
});

const weak = generateKeyPairSync('rsa', { modulusLength: 1_024 });
const otherCurve = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
const privatePem = key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
const secretJwk = JSON.stringify({ kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' });

it.each([
  [
    'a short RSA key',
    weak.publicKey.export({ format: 'pem', type: 'spki' }).toString(),
    'RSA key of 1024 bits',
  ],
  ['another curve', otherCurve.publicKey.export({ format: 'pem', type: 'spki' }).toString(), '(secp256k1)'],
  ['a private PEM', privatePem, 'holds a private or secret key'],
  [
    'a private JWK',
    JSON.stringify(key.privateKey.export({ format: 'jwk' })),
    'holds a private or secret key',
  ],
  ['a shared secret', secretJwk, 'holds a private or secret key'],
  ['a shared secret in a JWKS', `{"keys":[${secretJwk}]}`, 'holds a private or secret key'],
  ['a damaged PEM', '-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----', 'holds no public key'],
  ['a damaged JWK', '{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}', 'damaged'],
  ['words', 'hunter2', 'is neither PEM nor JSON'],
  ['another document', '{"issuer":"https://issuer.example"}', 'is neither a JWK nor a JWKS'],
  ['no keys', '{"keys":[]}', 'holds no key that verifies signatures'],
])('a file with %s is no key of an issuer, and the reason quotes none of it', (_, text, why) => {
  const parsed = parseTokenKeys(text, algorithms);
  expect(parsed).toMatchObject({ kind: 'wrong', why: expect.stringContaining(why) });
  expect(JSON.stringify(parsed)).not.toMatch(/hunter2|c2VjcmV0|AAAA/);
});

it('a key verifies only the algorithms of its type', () => {
  const parsed = parseTokenKeys(pemOf(newKey('RS256')), ['RS256', 'PS512', 'ES256']);
  expect(parsed).toMatchObject({ kind: 'parsed', keys: [{ algorithms: ['RS256', 'PS512'] }] });
});
