/** TokenKeys parses the public keys of an issuer, and chooses those that a token may be signed with. */
import { createPublicKey, type JsonWebKey, type KeyObject } from 'node:crypto';
import { z } from 'zod';

export interface TokenKey {
  /** Null: the key has no id, so it may be meant by any. */
  readonly id: string | null;
  readonly key: KeyObject;
  /** Those of the configuration that this key, by its type and by its own word, verifies. */
  readonly algorithms: readonly string[];
}

export type ParsedTokenKeys =
  | { readonly kind: 'parsed'; readonly keys: readonly TokenKey[] }
  | { readonly kind: 'wrong'; readonly why: string };

const RSA_BITS_MIN = 2_048;
const RSA = ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'];
const CURVES: Readonly<Record<string, readonly string[]>> = {
  prime256v1: ['ES256'],
  secp384r1: ['ES384'],
  secp521r1: ['ES512'],
};
/** A token without a key id costs a verification for each key that it may be signed with. */
const CANDIDATES_MAX = 4;

const jwkSchema = z.looseObject({
  kty: z.string(),
  kid: z.string().optional(),
  alg: z.string().optional(),
  use: z.string().optional(),
  key_ops: z.array(z.string()).optional(),
});
type Jwk = z.infer<typeof jwkSchema>;
const setSchema = z.object({ keys: z.array(jwkSchema) });

const PRIVATE: ParsedTokenKeys = {
  kind: 'wrong',
  why: 'holds a private or secret key, which only the issuer may have; give the public key',
};

/** PEM, one JWK or a JWKS. Keys for other purposes are left out; at least one must fit the algorithms. */
export function parseTokenKeys(text: string, algorithms: readonly string[]): ParsedTokenKeys {
  return text.includes('-----BEGIN') ? parsePem(text, algorithms) : parseJwks(text, algorithms);
}

export function candidatesOf(
  keys: readonly TokenKey[],
  algorithm: string,
  id: string | undefined,
): readonly KeyObject[] {
  return keys
    .filter((key) => key.algorithms.includes(algorithm))
    .filter((key) => id === undefined || key.id === null || key.id === id)
    .slice(0, CANDIDATES_MAX)
    .map(({ key }) => key);
}

function parsePem(text: string, algorithms: readonly string[]): ParsedTokenKeys {
  if (/-----BEGIN (\w+ )*PRIVATE KEY-----/.test(text)) return PRIVATE;
  try {
    return keysFrom([match({ key: createPublicKey(text), id: null }, algorithms)]);
  } catch {
    return { kind: 'wrong', why: 'holds no public key' };
  }
}

function parseJwks(text: string, algorithms: readonly string[]): ParsedTokenKeys {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: 'wrong', why: 'is neither PEM nor JSON' };
  }
  const set = setSchema.safeParse(raw);
  const single = jwkSchema.safeParse(raw);
  const found = set.success ? set.data.keys : single.success ? [single.data] : null;
  if (found === null) return { kind: 'wrong', why: 'is neither a JWK nor a JWKS' };
  if (found.some((jwk) => Object.hasOwn(jwk, 'd') || Object.hasOwn(jwk, 'k'))) return PRIVATE;
  return keysFrom(found.filter(verifies).map((jwk) => matchJwk(jwk, algorithms)));
}

function verifies({ use, key_ops: operations }: Jwk): boolean {
  return (use === undefined || use === 'sig') && (operations === undefined || operations.includes('verify'));
}

type Match =
  | { readonly kind: 'fits'; readonly key: TokenKey }
  | { readonly kind: 'unfit'; readonly why: string };

function keysFrom(matches: readonly Match[]): ParsedTokenKeys {
  const keys = matches.flatMap((one) => (one.kind === 'fits' ? [one.key] : []));
  if (keys.length > 0) return { kind: 'parsed', keys };
  const unfit = matches.find((one) => one.kind === 'unfit');
  return { kind: 'wrong', why: unfit?.why ?? 'holds no key that verifies signatures' };
}

function matchJwk(jwk: Jwk, algorithms: readonly string[]): Match {
  const own = jwk.alg === undefined ? algorithms : algorithms.filter((one) => one === jwk.alg);
  try {
    const key = createPublicKey({ key: jwk as JsonWebKey, format: 'jwk' });
    return match({ key, id: jwk.kid ?? null }, own);
  } catch {
    return { kind: 'unfit', why: 'holds a key that is damaged or of an unknown type' };
  }
}

function match({ key, id }: Omit<TokenKey, 'algorithms'>, algorithms: readonly string[]): Match {
  const bits = key.asymmetricKeyDetails?.modulusLength ?? 0;
  if (key.asymmetricKeyType === 'rsa' && bits < RSA_BITS_MIN)
    return { kind: 'unfit', why: `holds an RSA key of ${bits} bits; ${RSA_BITS_MIN} are needed` };
  const possible = algorithmsOf(key).filter((one) => algorithms.includes(one));
  if (possible.length > 0) return { kind: 'fits', key: { id, key, algorithms: possible } };
  const type = key.asymmetricKeyDetails?.namedCurve ?? key.asymmetricKeyType;
  return { kind: 'unfit', why: `holds a key (${type}) for none of the signatures in AUTH_JWT_ALGORITHMS` };
}

function algorithmsOf({
  asymmetricKeyType: type,
  asymmetricKeyDetails: details,
}: KeyObject): readonly string[] {
  switch (type) {
    case 'rsa':
      return RSA;
    case 'ec':
      return CURVES[details?.namedCurve ?? ''] ?? [];
    case 'ed25519':
      return ['EdDSA', 'Ed25519'];
    default:
      return [];
  }
}
