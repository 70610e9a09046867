/**
 * Asks the model servers' /tokenize, which lies beside /v1 and not under it.
 *
 * K1  A server without it (a gateway that knows only /v1) is asked once, not once per turn.
 * K2  A server that is down costs a few turns a short wait, then none: the circuit of generation/replicas/circuit.ts.
 * K3  A turn never fails for a count: the caller has an estimate.
 */

import { timeoutSignal } from '../../clock.ts';
import type { Message } from '../../generation/port.ts';
import { allows, type Circuit, CLOSED, entered, judged } from '../../generation/replicas/circuit.ts';

export type Count =
  | { readonly kind: 'counted'; readonly tokens: number }
  /** The server is well and will not count this: a template that refuses the roles, a content it cannot take. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unavailable' };

export interface TokenizeClient {
  count(model: string, messages: readonly Message[]): Promise<Count>;
}

export interface TokenizeOptions {
  readonly baseUrls: readonly string[];
  readonly apiKey?: string;
  readonly timeoutMs?: number;
  readonly nowMs?: () => number;
}

interface Server {
  readonly url: string;
  circuit: Circuit;
  absentUntilMs: number;
}

const DEFAULT_TIMEOUT_MS = 2_000;
const ABSENT_FOR_MS = 600_000; // K1: a deployment may add it one day

export function createTokenizeClient(options: TokenizeOptions): TokenizeClient {
  const now = options.nowMs ?? (() => performance.now());
  const servers: readonly Server[] = options.baseUrls.map((baseUrl) => ({
    url: `${rootOf(baseUrl)}/tokenize`,
    circuit: CLOSED,
    absentUntilMs: 0,
  }));
  const headers = {
    'content-type': 'application/json',
    ...(options.apiKey === undefined ? {} : { authorization: `Bearer ${options.apiKey}` }),
  };

  async function ask(server: Server, body: string): Promise<Count> {
    server.circuit = entered(server.circuit, now());
    const answer = await post(server.url, headers, body, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
    if (answer.kind === 'absent') {
      server.absentUntilMs = now() + ABSENT_FOR_MS;
      server.circuit = judged(server.circuit, 'none', now());
      return { kind: 'unavailable' };
    }
    const verdict = answer.kind === 'unavailable' ? 'failure' : 'success';
    server.circuit = judged(server.circuit, verdict, now()); // K2
    return answer;
  }

  return {
    async count(model, messages) {
      const body = JSON.stringify({
        ...(model === '' ? {} : { model }),
        messages,
        add_generation_prompt: true,
      });
      for (const server of servers) {
        if (now() < server.absentUntilMs || !allows(server.circuit, now())) continue;
        const answer = await ask(server, body);
        if (answer.kind !== 'unavailable') return answer;
      }
      return { kind: 'unavailable' };
    },
  };
}

function rootOf(baseUrl: string): string {
  return baseUrl.replace(/\/+$/, '').replace(/\/v1$/, '');
}

/** These say that the path is not there, or not for us. */
const ABSENT: ReadonlySet<number> = new Set([401, 403, 404, 405, 501]);
const REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

async function post(
  url: string,
  headers: Readonly<Record<string, string>>,
  body: string,
  timeoutMs: number,
): Promise<Count | { readonly kind: 'absent' }> {
  try {
    const signal = timeoutSignal(timeoutMs);
    // A patient's words go to the configured server or nowhere.
    const response = await fetch(url, { method: 'POST', headers, body, signal, redirect: 'manual' });
    const text = await response.text(); // read in any case: an unread body holds its connection
    if (ABSENT.has(response.status)) return { kind: 'absent' };
    if (REFUSED.has(response.status)) return { kind: 'refused' };
    const { count } = JSON.parse(text) as { readonly count?: unknown };
    if (response.status !== 200 || !Number.isSafeInteger(count)) return { kind: 'unavailable' };
    return { kind: 'counted', tokens: Number(count) };
  } catch {
    return { kind: 'unavailable' }; // unreachable, too slow or not JSON: the same to us
  }
}
