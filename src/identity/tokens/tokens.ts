/**
 * Tokens proves callers by the JSON Web Tokens of one issuer.
 *
 *  TOKEN-1  The configuration decides on algorithms, keys, issuer and audience. What a token's header says only chooses
 *           among them: `jku`, `jwk`, `x5u` and `x5c` are not read.
 *  TOKEN-2  A token ends. Clocks may differ by `SKEW_MS`, and its identity ends that much after `exp`.
 */
import type { KeyObject } from 'node:crypto';
import { decodeProtectedHeader, type JWTPayload, jwtVerify, type ProtectedHeaderParameters } from 'jose';
import type { JwtConfig } from '../../config/identity.ts';
import { codeOf } from '../../errors.ts';
import type { Authenticated } from '../authenticator.ts';
import { claimedBy } from '../claims.ts';
import type { TokenKeySource } from './issuer-keys.ts';

export interface Tokens {
  authenticate(token: string, now: number): Promise<Authenticated>;
}

const TOKEN_MAX = 8_192;
const SKEW_MS = 30_000;
/** The last moment that a Date can hold. */
const LATEST_DATE = 8.64e15;
const TYPES = ['jwt', 'at+jwt', 'application/at+jwt', 'application/jwt'];

export function createTokens(
  config: Omit<JwtConfig, 'keys'>,
  source: Pick<TokenKeySource, 'candidates'>,
): Tokens {
  const { issuer, audience, roleClaim, tenantClaim } = config;
  return {
    async authenticate(token, now) {
      const refused = (why: string) => ({ kind: 'refused', why }) as const;
      // Before any of it is decoded.
      if (token.length > TOKEN_MAX) return refused(`a token of ${token.length} characters`);
      const header = headerOf(token);
      if (header === null) return refused('no JSON Web Token');
      const { alg = '', kid, typ } = header;
      if (!config.algorithms.includes(alg)) return refused('its algorithm is not accepted');
      if (typ !== undefined && !TYPES.includes(typ.toLowerCase())) return refused('its type is not accepted');
      const keys = await source.candidates(alg, kid);
      let why = 'no key for it';
      for (const key of keys) {
        const verified = await verify(token, key, {
          algorithms: [alg],
          issuer,
          audience,
          requiredClaims: ['exp', 'sub'],
          clockTolerance: SKEW_MS / 1_000,
          currentDate: new Date(now),
        });
        if (verified.kind === 'refused') ({ why } = verified);
        else return accepted(verified.payload);
      }
      return refused(why);
    },
  };

  function accepted(payload: JWTPayload): Authenticated {
    const claimed = claimedBy({
      subject: payload.sub,
      role: payload[roleClaim],
      tenant: tenantClaim === null ? undefined : payload[tenantClaim],
    });
    if (claimed.kind === 'wrong') return { kind: 'refused', why: claimed.why };
    const { kind: _, ...names } = claimed;
    return {
      kind: 'accepted',
      caller: {
        kind: 'identified',
        ...names,
        expiresAt: Math.min((payload.exp ?? 0) * 1_000 + SKEW_MS, LATEST_DATE), // TOKEN-2
        rights: null,
        proof: 'jwt',
        credential: typeof payload.jti === 'string' ? payload.jti.slice(0, 64) : 'jwt',
      },
    };
  }
}

/** Null if the text is no token. The header is not yet to be believed. */
function headerOf(token: string): ProtectedHeaderParameters | null {
  try {
    const header = decodeProtectedHeader(token);
    const isText = [header.alg, header.kid, header.typ].every(
      (one) => one === undefined || typeof one === 'string',
    );
    return isText ? header : null;
  } catch {
    return null;
  }
}

type Verified =
  | { readonly kind: 'verified'; readonly payload: JWTPayload }
  | { readonly kind: 'refused'; readonly why: string };

async function verify(
  token: string,
  key: KeyObject,
  options: NonNullable<Parameters<typeof jwtVerify>[2]>,
): Promise<Verified> {
  try {
    const { payload } = await jwtVerify(token, key, options);
    return { kind: 'verified', payload };
  } catch (error) {
    // The code, not the message: a message may quote what the client sent.
    return { kind: 'refused', why: codeOf(error) || 'the token cannot be verified' };
  }
}
