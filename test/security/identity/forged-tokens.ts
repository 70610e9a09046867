/** Forged and stale tokens, as an attacker sends them who knows the public keys and may have a valid token. */
import { createHmac, createSign, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  AUDIENCE,
  claimsFor,
  ISSUER,
  jwksOf,
  newKey,
  pemOf,
  sign,
  type TestKey,
  tokenFor,
} from '../../support/issuer.ts';

export interface ForgedToken {
  readonly name: string;
  readonly token: string;
}

type Json = Readonly<Record<string, unknown>>;

const encoded = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
const NOW_SECONDS = () => Math.floor(Date.now() / 1_000);

/** A token whose signature an attacker makes of what it knows. */
function madeOf(header: Json, claims: Json, signature: (input: string) => string): string {
  const input = `${encoded(header)}.${encoded(claims)}`;
  return `${input}.${signature(input)}`;
}

const hmac =
  (secret: string | Buffer, hash = 'sha256') =>
  (input: string) =>
    createHmac(hash, secret).update(input).digest('base64url');

/** `rsa` and `ec` are keys of the issuer that the service believes. */
export async function forgedTokens(rsa: TestKey, ec: TestKey): Promise<readonly ForgedToken[]> {
  const claims = { ...claimsFor('alice', { role: 'admin' }) };
  const valid = await tokenFor(ec, 'alice');
  const [header = '', payload = '', signature = ''] = valid.split('.');
  const stranger = newKey('ES256');
  const strangerRsa = newKey('RS256');
  const weak = { ...strangerRsa, ...generateKeyPairSync('rsa', { modulusLength: 1_024 }) };
  const strangerJwk = JSON.parse(jwksOf(stranger)).keys[0];
  const as = (kid: unknown, more: Json = {}) =>
    sign({ ...stranger, id: ec.id }, claims, { kid, ...more } as Json);
  /** Signed by the issuer, with claims that are not those of a token for this service. */
  const withClaims = (more: Json) => sign(ec, claimsFor('alice', { claims: more }));
  const without = (name: string) => {
    const { [name]: _, ...others } = claimsFor('alice');
    return sign(ec, others);
  };
  const rsaSigned = (algorithm: string, hash: string) =>
    madeOf({ alg: algorithm, kid: rsa.id }, claims, (input) =>
      createSign(hash).update(input).sign(rsa.privateKey, 'base64url'),
    );

  /** A right signature of the issuer, under a header that it would not write. */
  const ecSigned = (header: Json) =>
    madeOf(header, claims, (input) =>
      createSign('sha256').update(input).sign({ key: ec.privateKey, dsaEncoding: 'ieee-p1363' }, 'base64url'),
    );

  const made: readonly (readonly [string, string | Promise<string>])[] = [
    // Unsigned.
    ['alg none', madeOf({ alg: 'none' }, claims, () => '')],
    ['alg None', madeOf({ alg: 'None', kid: ec.id }, claims, () => '')],
    ['alg NONE with a signature', madeOf({ alg: 'NONE' }, claims, () => signature)],
    ['no alg', madeOf({ kid: ec.id }, claims, () => signature)],
    ['alg null', madeOf({ alg: null, kid: ec.id }, claims, () => signature)],
    ['alg a list', madeOf({ alg: ['ES256'], kid: ec.id }, claims, () => signature)],
    ['no signature', `${header}.${payload}.`],
    ['two parts', `${header}.${payload}`],
    ['an all-zero ECDSA signature', `${header}.${payload}.${Buffer.alloc(64).toString('base64url')}`],
    // Algorithm confusion: the public key as the secret of an HMAC.
    ['HS256 with the RSA key as PEM', madeOf({ alg: 'HS256', kid: rsa.id }, claims, hmac(pemOf(rsa)))],
    ['HS256 with the EC key as PEM', madeOf({ alg: 'HS256', kid: ec.id }, claims, hmac(pemOf(ec)))],
    [
      'HS384 with the RSA key as PEM',
      madeOf({ alg: 'HS384', kid: rsa.id }, claims, hmac(pemOf(rsa), 'sha384')),
    ],
    [
      'HS512 with the RSA key as PEM',
      madeOf({ alg: 'HS512', kid: rsa.id }, claims, hmac(pemOf(rsa), 'sha512')),
    ],
    ['HS256 with the JWKS', madeOf({ alg: 'HS256', kid: rsa.id }, claims, hmac(jwksOf(rsa)))],
    ['HS256 with an empty secret', madeOf({ alg: 'HS256', kid: rsa.id }, claims, hmac(''))],
    [
      'HS256 with the DER of the RSA key',
      madeOf({ alg: 'HS256' }, claims, hmac(rsa.publicKey.export({ format: 'der', type: 'spki' }))),
    ],
    ['RS256 with the id of the EC key', sign({ ...strangerRsa, id: ec.id }, claims)],
    ['an algorithm that is not accepted, by the right key', rsaSigned('RS512', 'RSA-SHA512')],
    // Keys that the token brings along or points to.
    ['a stranger’s key', sign(stranger, claims)],
    ['a stranger’s key under the id of the issuer’s', as(ec.id)],
    ['a stranger’s RSA key under the id of the issuer’s', sign({ ...strangerRsa, id: rsa.id }, claims)],
    [
      'an RSA key of 1,024 bits',
      madeOf({ alg: 'RS256' }, claims, (input) =>
        createSign('RSA-SHA256').update(input).sign(weak.privateKey, 'base64url'),
      ),
    ],
    ['no kid', sign(stranger, claims, { kid: undefined })],
    ['jwk', as(ec.id, { jwk: strangerJwk })],
    ['jku', as(stranger.id, { jku: 'https://attacker.example/jwks.json' })],
    ['jku on this machine', as(stranger.id, { jku: 'http://127.0.0.1:1/jwks.json' })],
    ['x5u', as(ec.id, { x5u: 'https://attacker.example/cert.pem' })],
    [
      'x5c',
      as(ec.id, { x5c: [stranger.publicKey.export({ format: 'der', type: 'spki' }).toString('base64')] }),
    ],
    ['kid of a path', as('../../../../dev/null')],
    ['kid of SQL', as("x' UNION SELECT 'secret' -- ")],
    ['kid of a command', as('| id')],
    ['kid of an object’s own field', as('__proto__')],
    ['kid a number', ecSigned({ alg: 'ES256', kid: 1 })],
    // What the signature does not cover.
    ['another payload under a valid signature', `${header}.${encoded(claims)}.${signature}`],
    [
      'another header under a valid signature',
      `${encoded({ alg: 'ES256', kid: ec.id, typ: 'JWT', b64: true })}.${payload}.${signature}`,
    ],
    ['a signature with one bit changed', `${header}.${payload}.${flipped(signature)}`],
    ['an unknown critical extension', ecSigned({ alg: 'ES256', kid: ec.id, crit: ['x'], x: 1 })],
    ['a payload that is not encoded', ecSigned({ alg: 'ES256', kid: ec.id, b64: false, crit: ['b64'] })],
    // Stale, early, for others.
    ['expired', tokenFor(ec, 'alice', { endsInSeconds: -61 })],
    ['expired in 1970', withClaims({ exp: 0 })],
    ['no exp', without('exp')],
    ['exp a text', withClaims({ exp: '9999999999' })],
    ['exp null', withClaims({ exp: null })],
    ['nbf in the future', withClaims({ nbf: NOW_SECONDS() + 3_600 })],
    ['no sub', without('sub')],
    ['sub empty', withClaims({ sub: '' })],
    ['sub a number', withClaims({ sub: 7 })],
    ['sub with a line end', withClaims({ sub: 'alice\nbob' })],
    ['sub of 257 characters', withClaims({ sub: 'a'.repeat(257) })],
    ['sub of a lone surrogate', withClaims({ sub: '\ud800' })],
    ['another issuer', withClaims({ iss: 'https://attacker.example' })],
    ['a longer issuer', withClaims({ iss: `${ISSUER}.attacker.example` })],
    ['no issuer', without('iss')],
    ['another audience', withClaims({ aud: 'billing' })],
    ['a longer audience', withClaims({ aud: `${AUDIENCE}-test` })],
    ['no audience', without('aud')],
    ['an unknown role', withClaims({ role: 'root' })],
    ['a list of roles', withClaims({ role: ['admin'] })],
    ['role null', withClaims({ role: null })],
    ['a tenant with a slash', withClaims({ tenant: '../acme' })],
    ['an ID token of another type', sign(ec, claimsFor('alice'), { typ: 'logout+jwt' })],
    // No tokens at all.
    ['words', 'let-me-in'],
    ['dots', '...'],
    ['an encrypted token', 'eyJhbGciOiJkaXIiLCJlbmMiOiJBMjU2R0NNIn0..AAAA.AAAA.AAAA'],
    ['a valid token and more', `${valid}.${signature}`],
    ['a token of 9,000 characters', withClaims({ more: 'a'.repeat(9_000) })],
    ['an API key', `rk_backend_${randomBytes(32).toString('base64url')}`],
  ];
  return Promise.all(made.map(async ([name, token]) => ({ name, token: await token })));
}

function flipped(signature: string): string {
  const bytes = Buffer.from(signature, 'base64url');
  bytes[10] = (bytes[10] ?? 0) ^ 1;
  return bytes.toString('base64url');
}
