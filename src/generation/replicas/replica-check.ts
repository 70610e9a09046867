/**
 * Asks one replica for its models. It shows a wrong address, key or model name before a turn does, and carries nothing
 * of a conversation, so its details may stand in the log.
 */
import { z } from 'zod';
import { timeoutSignal } from '../../clock.ts';
import type { GenerationFailureCode } from '../port.ts';

export type CheckResult =
  /** `models` is null where the server has no list of them. */
  | { readonly kind: 'ok'; readonly models: readonly string[] | null }
  | { readonly kind: 'failed'; readonly code: GenerationFailureCode; readonly detail: string };

export interface CheckOptions {
  readonly apiKey: string | null;
  /** Whether VLLM_MODEL is set: then a gateway needs no list of models. */
  readonly namesModel: boolean;
  readonly timeoutMs: number;
}

const listSchema = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });

export async function checkReplica(baseUrl: string, options: CheckOptions): Promise<CheckResult> {
  const { apiKey, namesModel, timeoutMs } = options;
  try {
    const response = await fetch(`${baseUrl.replace(/\/+$/, '')}/models`, {
      headers: apiKey === null ? {} : { authorization: `Bearer ${apiKey}` },
      signal: timeoutSignal(timeoutMs),
      redirect: 'manual',
    });
    const text = await response.text();
    return response.ok ? readList(text, namesModel) : refused(response.status, namesModel);
  } catch (error) {
    return { kind: 'failed', code: 'upstream_unavailable', detail: reasonOf(error) };
  }
}

function readList(text: string, namesModel: boolean): CheckResult {
  const parsed = listSchema.safeParse(jsonOf(text));
  if (!parsed.success)
    return {
      kind: 'failed',
      code: 'upstream_error',
      detail: 'the answer to GET /models is no list of models',
    };
  const models = parsed.data.data.map(({ id }) => id);
  if (models.length === 0 && !namesModel)
    return { kind: 'failed', code: 'model_not_found', detail: 'the list of models is empty' };
  return { kind: 'ok', models };
}

function refused(status: number, namesModel: boolean): CheckResult {
  if (namesModel && (status === 404 || status === 405 || status === 501)) return { kind: 'ok', models: null };
  return { kind: 'failed', code: codeOf(status), detail: `GET /models was answered with ${status}` };
}

function codeOf(status: number): GenerationFailureCode {
  if (status === 401 || status === 403) return 'upstream_unauthorized';
  if ([408, 425, 429, 502, 503, 504].includes(status)) return 'upstream_unavailable';
  return status >= 500 ? 'upstream_error' : 'upstream_rejected';
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** A code only: the message of a refused URL quotes its credentials. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return error.name === 'TimeoutError' ? 'no answer in time' : error.name;
}
