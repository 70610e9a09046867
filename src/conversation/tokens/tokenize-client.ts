/**
 * Counts tokens with the model servers' /tokenize.
 *
 * TOKENIZE-1  The client asks a server without it (a gateway that knows only /v1) once, not once per turn.
 * TOKENIZE-2  A server that is down delays a few turns a little, then none: generation/replicas/circuit.ts.
 * TOKENIZE-3  A turn never fails for a count: the caller has an estimate.
 */
import type { Message } from '../../generation/port.ts';
import { afterResult, afterStart, allows, type Circuit, CLOSED } from '../../generation/replicas/circuit.ts';
import { parseJson, recordIn } from '../../generation/upstream/loose-json.ts';
import { rootOf, sideRequest } from '../../generation/upstream/side-request.ts';

export type Count =
  | { readonly kind: 'counted'; readonly tokens: number }
  /** The server works and will not count this: a template that refuses the roles, a content it cannot take. */
  | { readonly kind: 'refused' }
  | { readonly kind: 'unavailable' };

export interface TokenizeClient {
  count(model: string, messages: readonly Message[]): Promise<Count>;
}

export interface TokenizeOptions {
  readonly baseUrls: readonly string[];
  readonly apiKey?: string | null;
  readonly nowMs?: () => number;
}

const TIMEOUT_MS = 2_000;
const ABSENT_FOR_MS = 600_000; // TOKENIZE-1: a later deployment may add it

/** The path is missing, or closed to this client. */
const ABSENT: ReadonlySet<number> = new Set([401, 403, 404, 405, 501]);
const REFUSED: ReadonlySet<number> = new Set([400, 413, 422]);

export function createTokenizeClient(options: TokenizeOptions): TokenizeClient {
  const { apiKey = null, nowMs: now = () => performance.now() } = options;
  const servers = options.baseUrls.map((baseUrl) => ({
    url: `${rootOf(baseUrl)}/tokenize`,
    circuit: CLOSED as Circuit,
    absentUntilMs: 0,
  }));

  async function ask(url: string, body: string): Promise<Count | { readonly kind: 'absent' }> {
    try {
      const { status, text } = await sideRequest(url, { apiKey, body, timeoutMs: TIMEOUT_MS });
      if (ABSENT.has(status)) return { kind: 'absent' };
      if (REFUSED.has(status)) return { kind: 'refused' };
      const { count } = recordIn(parseJson(text));
      if (status !== 200 || !Number.isSafeInteger(count)) return { kind: 'unavailable' };
      return { kind: 'counted', tokens: Number(count) };
    } catch {
      return { kind: 'unavailable' };
    }
  }

  return {
    async count(model, messages) {
      const named = model === '' ? {} : { model };
      const body = JSON.stringify({ ...named, messages, add_generation_prompt: true });
      for (const server of servers) {
        if (now() < server.absentUntilMs || !allows(server.circuit, now())) continue;
        server.circuit = afterStart(server.circuit, now());
        const answer = await ask(server.url, body);
        const result =
          answer.kind === 'absent' ? 'none' : answer.kind === 'unavailable' ? 'failure' : 'success';
        server.circuit = afterResult(server.circuit, result, now()); // TOKENIZE-2
        if (answer.kind === 'absent') server.absentUntilMs = now() + ABSENT_FOR_MS;
        else if (answer.kind !== 'unavailable') return answer;
      }
      return { kind: 'unavailable' }; // TOKENIZE-3
    },
  };
}
