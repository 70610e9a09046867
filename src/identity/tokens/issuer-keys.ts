/**
 * IssuerKeys fetches the public keys of an issuer from its JWKS address, and follows their rotation.
 *
 *  ISSUER-1  Only the configured address is asked, without redirects. No field of a token names another.
 *  ISSUER-2  Whatever tokens clients send, the issuer is asked at most once per `COOLDOWN_MS`.
 *  ISSUER-3  While the issuer is away, the keys that are known stay in force.
 */
import { type Clock, startInterval, timeoutSignal } from '../../clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { candidatesOf, parseTokenKeys, type TokenKey } from './token-keys.ts';

export interface TokenKeySource {
  /** Keys that a token with this algorithm and key id may be signed with; none if there is no such key. */
  candidates(algorithm: string, id: string | undefined): Promise<ReturnType<typeof candidatesOf>>;
  reload(): void;
  close(): void;
}

export interface IssuerKeysOptions {
  readonly url: string;
  readonly algorithms: readonly string[];
  readonly log: Log;
  readonly clock: Pick<Clock, 'monotonicMs'>;
}

/** A token with an unknown key id, as after a rotation, asks again no sooner. */
export const COOLDOWN_MS = 10_000;
/** A key that the issuer has withdrawn counts this long at most, if the issuer answers. */
const REFRESH_EVERY_MS = 300_000;
const ANSWER_WITHIN_MS = 5_000;

/** Resolves once the first answer is there or has failed: an issuer that is away must not keep the service from starting. */
export async function openIssuerKeys(options: IssuerKeysOptions): Promise<TokenKeySource> {
  const { url, algorithms, log, clock } = options;
  let keys: readonly TokenKey[] = [];
  let askedMs = Number.NEGATIVE_INFINITY;
  let asking: Promise<void> | null = null;
  let isFailing = false;

  const fetchKeys = async (): Promise<void> => {
    askedMs = clock.monotonicMs();
    try {
      const answer = await fetch(url, {
        redirect: 'error', // ISSUER-1
        signal: timeoutSignal(ANSWER_WITHIN_MS),
        headers: { accept: 'application/jwk-set+json, application/json' },
      });
      if (!answer.ok) throw new Error(`the issuer answers ${answer.status}`);
      const parsed = parseTokenKeys(await answer.text(), algorithms);
      if (parsed.kind === 'wrong') throw new Error(`the answer ${parsed.why}`);
      ({ keys } = parsed);
      if (isFailing) log.info('the keys of the issuer can be fetched again');
      isFailing = false;
    } catch (error) {
      // ISSUER-3
      if (!isFailing)
        log.error(
          { err: error, known: keys.length },
          'AUTH_JWT_JWKS_URL: the keys of the issuer cannot be fetched',
        );
      isFailing = true;
    }
  };
  const ask = (): Promise<void> => {
    asking ??= fetchKeys().finally(() => {
      asking = null;
    });
    return asking;
  };
  await ask();
  const refreshing = startInterval(REFRESH_EVERY_MS, () => void ask(), { background: true });
  return {
    async candidates(algorithm, id) {
      const found = candidatesOf(keys, algorithm, id);
      if (found.length > 0) return found;
      if (asking === null && clock.monotonicMs() - askedMs < COOLDOWN_MS) return []; // ISSUER-2
      await ask();
      return candidatesOf(keys, algorithm, id);
    },
    reload: () => void ask(),
    close: () => refreshing.cancel(),
  };
}
