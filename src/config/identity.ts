/** Identity reads the settings of how clients prove who they are, and refuses those that would prove nothing. */
import { z } from 'zod';
import { isLoopback } from '../startup/address.ts';
import { parsed, type TrustProxy } from './values.ts';

const PROOFS = ['jwt', 'keys', 'proxy'] as const;
export type Proof = (typeof PROOFS)[number];

/** Signatures by key pairs. A shared secret (HS256) is not among them: a server that verifies with it could also sign. */
const ALGORITHMS: readonly string[] = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
];

export interface JwtConfig {
  readonly issuer: string;
  readonly audience: string;
  readonly algorithms: readonly string[];
  readonly roleClaim: string;
  /** Null: tokens name no tenant. */
  readonly tenantClaim: string | null;
  readonly keys:
    | { readonly kind: 'url'; readonly url: string }
    | { readonly kind: 'file'; readonly path: string };
}

export interface ProxyIdentityConfig {
  readonly userHeader: string;
  readonly roleHeader: string;
  readonly tenantHeader: string;
  readonly trust: TrustProxy;
}

/** Without `jwt`, `keysFile` and `proxy`: `AUTH=off`. */
export interface IdentityConfig {
  readonly jwt: JwtConfig | null;
  readonly keysFile: string | null;
  readonly proxy: ProxyIdentityConfig | null;
  /** File of the subjects whose credentials do not count; null: there is none. */
  readonly disabledFile: string | null;
}

const listOf = (text: string) => text.split(',').flatMap((one) => one.trim() || []);

const proofs = parsed((text) => {
  const named = listOf(text);
  if (named.length === 1 && named[0] === 'off') return { kind: 'parsed', value: [] };
  const value = PROOFS.filter((proof) => named.includes(proof));
  return named.length > 0 && value.length === new Set(named).size
    ? { kind: 'parsed', value }
    : { kind: 'wrong', why: `is neither off nor a list of ${PROOFS.join(', ')}` };
});

const algorithms = parsed((text) => {
  const value = listOf(text);
  const unknown = value.find((name) => !ALGORITHMS.includes(name));
  if (value.length > 0 && unknown === undefined) return { kind: 'parsed', value };
  return { kind: 'wrong', why: `is not a list of ${ALGORITHMS.join(', ')}` };
});

const keysUrl = parsed((text) => {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname)))
    return { kind: 'parsed', value: text };
  return {
    kind: 'wrong',
    why: 'is not an https URL; over http, others on the network could replace the keys',
  };
});

const header = (fallback: string) =>
  z
    .string()
    .toLowerCase()
    .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, { error: 'is not the name of a header' })
    .default(fallback);

const claim = z.string().max(128);

export const identitySettings = {
  AUTH: proofs
    .default([])
    .describe(
      'how clients prove their identity: `jwt`, `keys`, `proxy`, or several, comma-separated; unset or `off`: not at all, only where `HOST` is a loopback address',
    ),
  AUTH_JWT_ISSUER: z.string().optional().describe('`iss` of every token that is accepted'),
  AUTH_JWT_AUDIENCE: z.string().optional().describe('a name of this service that `aud` of a token must hold'),
  AUTH_JWT_ALGORITHMS: algorithms
    .default(['RS256', 'ES256', 'EdDSA'])
    .describe(
      'signatures that are accepted, comma-separated; a shared secret (`HS256`) is never one of them',
    ),
  AUTH_JWT_JWKS_URL: keysUrl
    .optional()
    .describe('where the issuer publishes its public keys (JWKS), over https or on this machine'),
  AUTH_JWT_KEY_FILE: z
    .string()
    .optional()
    .describe('a file with the issuer’s public key as PEM, JWK or JWKS, instead of `AUTH_JWT_JWKS_URL`'),
  AUTH_JWT_ROLE_CLAIM: claim
    .default('role')
    .describe(
      'claim with the role: `user`, `service`, `auditor` or `admin`; a token without it is a `user`’s',
    ),
  AUTH_JWT_TENANT_CLAIM: claim.optional().describe('claim with the tenant; unset: there is one tenant'),
  AUTH_KEYS_FILE: z
    .string()
    .optional()
    .describe('file of API keys for back ends, stored as hashes; `npm run api-key` writes it'),
  AUTH_DISABLED_FILE: z
    .string()
    .optional()
    .describe(
      'file of the users and other subjects whose credentials no longer count: a JSON list of `{"subject":…,"tenant":…}`, read again when it changes',
    ),
  AUTH_PROXY_USER_HEADER: header('x-rehydra-user').describe(
    'with `AUTH=proxy`: header in which a proxy of `TRUST_PROXY` names the user that it has verified',
  ),
  AUTH_PROXY_ROLE_HEADER: header('x-rehydra-role').describe('header with the role; without it: `user`'),
  AUTH_PROXY_TENANT_HEADER: header('x-rehydra-tenant').describe('header with the tenant'),
};

type IdentitySettings = z.output<z.ZodObject<typeof identitySettings>>;

interface Surroundings {
  readonly HOST: string;
  readonly TRUST_PROXY?: TrustProxy | undefined;
}

/** Called for settings that do not contradict each other. */
export function identityIn(env: IdentitySettings & Surroundings): IdentityConfig {
  const path = env.AUTH_JWT_KEY_FILE;
  return {
    jwt: !env.AUTH.includes('jwt')
      ? null
      : {
          issuer: env.AUTH_JWT_ISSUER ?? '',
          audience: env.AUTH_JWT_AUDIENCE ?? '',
          algorithms: env.AUTH_JWT_ALGORITHMS,
          roleClaim: env.AUTH_JWT_ROLE_CLAIM,
          tenantClaim: env.AUTH_JWT_TENANT_CLAIM ?? null,
          keys:
            path === undefined ? { kind: 'url', url: env.AUTH_JWT_JWKS_URL ?? '' } : { kind: 'file', path },
        },
    keysFile: env.AUTH.includes('keys') ? (env.AUTH_KEYS_FILE ?? null) : null,
    disabledFile: env.AUTH.length > 0 ? (env.AUTH_DISABLED_FILE ?? null) : null,
    proxy: !env.AUTH.includes('proxy')
      ? null
      : {
          userHeader: env.AUTH_PROXY_USER_HEADER,
          roleHeader: env.AUTH_PROXY_ROLE_HEADER,
          tenantHeader: env.AUTH_PROXY_TENANT_HEADER,
          trust: env.TRUST_PROXY ?? { kind: 'hops', hops: 0 },
        },
  };
}

export function identityProblems(env: IdentitySettings & Surroundings): readonly string[] {
  const { AUTH: auth, HOST: host, TRUST_PROXY: trust } = env;
  if (auth.length === 0)
    return isLoopback(host)
      ? []
      : [
          `HOST=${host} needs AUTH: set AUTH=jwt, AUTH=keys or AUTH=proxy (README, "Put it in front of users"), or HOST=127.0.0.1`,
        ];
  const problems: string[] = [];
  const needed = (proof: Proof, names: readonly (keyof IdentitySettings)[]) => {
    const missing = names.filter((name) => env[name] === undefined || env[name] === '');
    if (auth.includes(proof) && missing.length > 0)
      problems.push(`AUTH=${auth.join(',')} needs ${missing.join(' and ')}`);
  };
  needed('jwt', ['AUTH_JWT_ISSUER', 'AUTH_JWT_AUDIENCE']);
  needed('keys', ['AUTH_KEYS_FILE']);
  const sources = [env.AUTH_JWT_JWKS_URL, env.AUTH_JWT_KEY_FILE].filter((one) => one !== undefined);
  if (auth.includes('jwt') && sources.length !== 1)
    problems.push(
      `AUTH=${auth.join(',')} needs one of AUTH_JWT_JWKS_URL and AUTH_JWT_KEY_FILE${sources.length > 1 ? ', not both' : ''}`,
    );
  if (auth.includes('proxy')) problems.push(...proxyProblems(env, trust));
  return problems;
}

function proxyProblems(env: IdentitySettings, trust: TrustProxy | undefined): readonly string[] {
  const names = [env.AUTH_PROXY_USER_HEADER, env.AUTH_PROXY_ROLE_HEADER, env.AUTH_PROXY_TENANT_HEADER];
  const trustsNone = trust === undefined || (trust.kind === 'hops' && trust.hops === 0);
  return [
    ...(trustsNone
      ? [`AUTH=${env.AUTH.join(',')} needs TRUST_PROXY: the proxies whose headers name users`]
      : []),
    ...(new Set(names).size < names.length
      ? ['AUTH_PROXY_USER_HEADER, AUTH_PROXY_ROLE_HEADER and AUTH_PROXY_TENANT_HEADER must differ']
      : []),
  ];
}

/** Probable mistakes that still let the service start. */
export function identityWarnings(
  env: IdentitySettings & Surroundings,
  given: ReadonlySet<string>,
): readonly string[] {
  const prefixes: Readonly<Record<Proof, string>> = {
    jwt: 'AUTH_JWT_',
    keys: 'AUTH_KEYS_',
    proxy: 'AUTH_PROXY_',
  };
  const idle = PROOFS.filter((proof) => !env.AUTH.includes(proof)).flatMap((proof) =>
    [...given]
      .filter((name) => name.startsWith(prefixes[proof]))
      .map((name) => `${name} has no effect while AUTH does not name ${proof}`),
  );
  const trustsAnyPeer = env.AUTH.includes('proxy') && env.TRUST_PROXY?.kind === 'hops';
  const disablesNone = env.AUTH.length === 0 && given.has('AUTH_DISABLED_FILE');
  return [
    ...idle,
    ...(disablesNone ? ['AUTH_DISABLED_FILE has no effect while AUTH is off'] : []),
    ...(trustsAnyPeer
      ? [
          'AUTH=proxy with a number as TRUST_PROXY believes every client that reaches this port directly; name the networks of the proxies unless a firewall keeps others out',
        ]
      : []),
  ];
}
