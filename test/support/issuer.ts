/** TestIssuer signs tokens as an identity provider does, and publishes its public keys. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { type JWTPayload, SignJWT } from 'jose';
import type { JwtConfig } from '../../src/config/identity.ts';
import type { Role } from '../../src/identity/caller.ts';

export interface Bearer {
  readonly role?: Role;
  readonly tenant?: string;
  /** Seconds from now until the token ends. */
  readonly endsInSeconds?: number;
  /** Replace or, if undefined, remove claims. */
  readonly claims?: Readonly<Record<string, unknown>>;
}

export interface TestKey {
  readonly id: string;
  readonly algorithm: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export const ISSUER = 'https://issuer.example';
export const AUDIENCE = 'rehydra';

/** Settings of a service that believes the issuer; the keys are up to the test. */
export const JWT_CONFIG: Omit<JwtConfig, 'keys'> = {
  issuer: ISSUER,
  audience: AUDIENCE,
  algorithms: ['RS256', 'ES256', 'EdDSA'],
  roleClaim: 'role',
  tenantClaim: 'tenant',
};

export function newKey(algorithm: 'RS256' | 'ES256' | 'EdDSA' = 'ES256'): TestKey {
  const id = randomUUID();
  switch (algorithm) {
    case 'RS256':
      return { id, algorithm, ...generateKeyPairSync('rsa', { modulusLength: 2_048 }) };
    case 'ES256':
      return { id, algorithm, ...generateKeyPairSync('ec', { namedCurve: 'prime256v1' }) };
    case 'EdDSA':
      return { id, algorithm, ...generateKeyPairSync('ed25519') };
  }
}

export function pemOf({ publicKey }: TestKey): string {
  return publicKey.export({ format: 'pem', type: 'spki' }).toString();
}

/** The document that an issuer publishes. */
export function jwksOf(...keys: readonly TestKey[]): string {
  const published = keys.map(({ id, algorithm, publicKey }) => ({
    ...publicKey.export({ format: 'jwk' }),
    kid: id,
    alg: algorithm,
    use: 'sig',
  }));
  return JSON.stringify({ keys: published });
}

export function claimsFor(
  subject: string,
  { role, tenant, endsInSeconds = 600, claims }: Bearer = {},
): JWTPayload {
  const nowSeconds = Math.floor(Date.now() / 1_000);
  return {
    iss: ISSUER,
    aud: AUDIENCE,
    sub: subject,
    iat: nowSeconds,
    exp: nowSeconds + endsInSeconds,
    ...(role === undefined ? {} : { role }),
    ...(tenant === undefined ? {} : { tenant }),
    ...claims,
  };
}

export function tokenFor(key: TestKey, subject: string, bearer: Bearer = {}): Promise<string> {
  return sign(key, claimsFor(subject, bearer));
}

/** Signs anything, with any header. */
export function sign(
  { id, algorithm, privateKey }: Omit<TestKey, 'publicKey'>,
  claims: JWTPayload,
  header: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  return new SignJWT(claims)
    .setProtectedHeader({ typ: 'JWT', kid: id, ...header, alg: algorithm })
    .sign(privateKey);
}
