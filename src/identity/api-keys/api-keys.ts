/**
 * ApiKeys proves back ends by the keys of a file.
 *
 *  APIKEY-1  A key counts as long as its entry is in the file, unchanged. Another role, tenant or end makes it another key:
 *            sockets that were opened with the former one end.
 *  APIKEY-2  The comparison takes as long for a wrong secret as for an unknown name.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import type { Log } from '../../telemetry/log.ts';
import type { Authenticated } from '../authenticator.ts';
import type { Identity } from '../caller.ts';
import { openKeyFile, type ParsedFile } from '../key-file.ts';
import { type ApiKeyEntry, hashOf, nameIn, parseApiKeys } from './api-key.ts';

export interface ApiKeys {
  authenticate(key: string, now: number): Authenticated;
  holds(identity: Identity): boolean;
  reload(): void;
  close(): void;
}

interface KnownKey {
  readonly hash: string;
  readonly identity: Identity;
}

const NO_HASH = hashOf('');

/** Throws a start failure if the file cannot be used. */
export function openApiKeys(path: string, log: Log, lookEveryMs?: number): ApiKeys {
  const file = openKeyFile({
    name: 'AUTH_KEYS_FILE',
    path,
    fallback: 'the former keys stay in force',
    isSecret: true,
    parse: knownKeysIn,
    log,
    ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
  });
  return {
    authenticate(key, now) {
      const name = nameIn(key);
      const known = name === null ? undefined : file.content().get(name);
      // Digests of equal length, which `timingSafeEqual` needs.
      const isRight = timingSafeEqual(Buffer.from(hashOf(key)), Buffer.from(known?.hash ?? NO_HASH)); // APIKEY-2
      if (known === undefined) return { kind: 'refused', why: 'no such API key' };
      if (!isRight) return { kind: 'refused', why: `wrong secret of API key ${name}` };
      const { expiresAt } = known.identity;
      if (expiresAt !== null && now >= expiresAt)
        return { kind: 'refused', why: `API key ${name} has expired` };
      return { kind: 'accepted', caller: known.identity };
    },
    holds: ({ subject, credential }) => file.content().get(subject)?.identity.credential === credential, // APIKEY-1
    reload: file.reload,
    close: file.close,
  };
}

function knownKeysIn(text: string): ParsedFile<ReadonlyMap<string, KnownKey>> {
  const parsed = parseApiKeys(text);
  if (parsed.kind === 'wrong') return parsed;
  const known = parsed.content.map((entry) => [entry.name, knownKey(entry)] as const);
  return { kind: 'parsed', content: new Map(known) };
}

function knownKey(entry: ApiKeyEntry): KnownKey {
  const { name, role, rights, tenant = '', hash, expires_at: end } = entry;
  // A part of the hash of a hash: it tells versions of a key apart and says nothing of its secret.
  const version = createHash('sha256').update(JSON.stringify(entry)).digest('hex').slice(0, 12);
  const identity: Identity = {
    kind: 'identified',
    role,
    subject: name,
    tenant,
    expiresAt: end === undefined ? null : Date.parse(end),
    rights: rights === undefined ? null : new Set(rights),
    proof: 'key',
    credential: `${name}#${version}`,
  };
  return { hash, identity };
}
