/** openAuthenticator puts together the ways of proof that `AUTH` names. */
import type { Clock } from '../clock.ts';
import type { IdentityConfig, JwtConfig } from '../config/identity.ts';
import type { Log } from '../telemetry/log.ts';
import { API_KEY_PREFIX } from './api-keys/api-key.ts';
import { openApiKeys } from './api-keys/api-keys.ts';
import { AUTH_OFF, type Authenticated, type Authenticator, type Credentials } from './authenticator.ts';
import { STRANGER } from './caller.ts';
import { openDisabled } from './disabled.ts';
import { openKeyFile } from './key-file.ts';
import { proxyIdentity } from './proxy-identity.ts';
import { openIssuerKeys, type TokenKeySource } from './tokens/issuer-keys.ts';
import { candidatesOf, parseTokenKeys } from './tokens/token-keys.ts';
import { createTokens } from './tokens/tokens.ts';

/** Throws a start failure if a file of keys cannot be used. */
export async function openAuthenticator(
  config: IdentityConfig,
  log: Log,
  clock: Clock,
): Promise<Authenticator> {
  const { jwt, keysFile, proxy, disabledFile } = config;
  if (jwt === null && keysFile === null && proxy === null) return AUTH_OFF;
  const apiKeys = keysFile === null ? null : openApiKeys(keysFile, log);
  const source = jwt === null ? null : await openTokenKeys(jwt, log, clock);
  const tokens = jwt === null || source === null ? null : createTokens(jwt, source);
  const disabled = disabledFile === null ? null : openDisabled(disabledFile, log);
  const fromHeaders = proxy === null ? null : proxyIdentity(proxy);
  const isDisabled: Authenticator['isDisabled'] = (user) => disabled?.has(user) === true;

  const byBearer = async (bearer: string): Promise<Authenticated> => {
    if (apiKeys !== null && bearer.startsWith(API_KEY_PREFIX))
      return apiKeys.authenticate(bearer, clock.now());
    return (
      tokens?.authenticate(bearer, clock.now()) ?? { kind: 'refused', why: 'AUTH names no such credential' }
    );
  };
  const prove = async (credentials: Credentials): Promise<Authenticated> => {
    const { bearer } = credentials;
    const isBearerRead = apiKeys !== null || tokens !== null;
    const named = fromHeaders?.(credentials);
    // With `AUTH=proxy` alone, a bearer is one between client and proxy, which some proxies pass on.
    if (named?.kind === 'accepted' && named.caller !== STRANGER && !isBearerRead) return named;
    if (bearer !== null && bearer !== '') return byBearer(bearer);
    return named ?? { kind: 'accepted', caller: STRANGER };
  };
  return {
    isOff: false,
    readsBearers: apiKeys !== null || tokens !== null,
    async authenticate(credentials) {
      const proven = await prove(credentials);
      const isRefused =
        proven.kind === 'accepted' && proven.caller.kind === 'identified' && isDisabled(proven.caller);
      return isRefused ? { kind: 'refused', why: 'its subject is disabled' } : proven;
    },
    holds(identity, now) {
      if (identity.expiresAt !== null && now >= identity.expiresAt) return false;
      if (isDisabled(identity)) return false;
      return identity.proof !== 'key' || apiKeys?.holds(identity) === true;
    },
    isDisabled,
    reload() {
      disabled?.reload();
      apiKeys?.reload();
      source?.reload();
    },
    close() {
      disabled?.close();
      apiKeys?.close();
      source?.close();
    },
  };
}

async function openTokenKeys(
  { keys, algorithms }: JwtConfig,
  log: Log,
  clock: Clock,
): Promise<TokenKeySource> {
  if (keys.kind === 'url') return openIssuerKeys({ url: keys.url, algorithms, log, clock });
  const file = openKeyFile({
    name: 'AUTH_JWT_KEY_FILE',
    path: keys.path,
    fallback: 'the former keys stay in force',
    isSecret: false,
    parse(text) {
      const parsed = parseTokenKeys(text, algorithms);
      return parsed.kind === 'wrong' ? parsed : { kind: 'parsed', content: parsed.keys };
    },
    log,
  });
  return {
    candidates: async (algorithm, id) => candidatesOf(file.content(), algorithm, id),
    reload: file.reload,
    close: file.close,
  };
}
