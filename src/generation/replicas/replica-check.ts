/**
 * Asks one replica for its models, to find a wrong address, key or model name before a turn does. The request carries
 * nothing of a conversation, so the log may show its details.
 */
import { z } from 'zod';
import type { GenerationFailureCode } from '../port.ts';
import { parseJson } from '../upstream/loose-json.ts';
import { apiOf, sideRequest } from '../upstream/side-request.ts';

export type CheckResult =
  /** `models` is null if the server has no such list. */
  | { readonly kind: 'ok'; readonly models: readonly string[] | null }
  | { readonly kind: 'failed'; readonly code: GenerationFailureCode; readonly detail: string };

export interface CheckOptions {
  readonly apiKey: string | null;
  /** VLLM_MODEL is set, so a gateway needs no list of models. */
  readonly namesModel: boolean;
  readonly timeoutMs: number;
}

const listSchema = z.looseObject({ data: z.array(z.looseObject({ id: z.string() })) });

export async function checkReplica(baseUrl: string, options: CheckOptions): Promise<CheckResult> {
  const { namesModel } = options;
  try {
    const { status, text } = await sideRequest(`${apiOf(baseUrl)}/models`, options);
    return status >= 200 && status < 300 ? readList(text, namesModel) : refused(status, namesModel);
  } catch (error) {
    return failed('upstream_unavailable', reasonOf(error));
  }
}

function failed(code: GenerationFailureCode, detail: string): CheckResult {
  return { kind: 'failed', code, detail };
}

function readList(text: string, namesModel: boolean): CheckResult {
  const parsed = listSchema.safeParse(parseJson(text));
  if (!parsed.success) return failed('upstream_error', 'the answer to GET /models is not a list of models');
  const models = parsed.data.data.map(({ id }) => id);
  if (models.length === 0 && !namesModel) return failed('model_not_found', 'the list of models is empty');
  return { kind: 'ok', models };
}

function refused(status: number, namesModel: boolean): CheckResult {
  if (namesModel && (status === 404 || status === 405 || status === 501)) return { kind: 'ok', models: null };
  return failed(codeOf(status), `GET /models was answered with ${status}`);
}

function codeOf(status: number): GenerationFailureCode {
  if (status === 401 || status === 403) return 'upstream_unauthorized';
  if ([408, 425, 429, 502, 503, 504].includes(status)) return 'upstream_unavailable';
  return status >= 500 ? 'upstream_error' : 'upstream_rejected';
}

/** A code only: the error's message may quote the credentials in the URL. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  const { cause } = error;
  if (cause instanceof Error && 'code' in cause && typeof cause.code === 'string') return cause.code;
  return error.name === 'TimeoutError' ? 'no answer in time' : error.name;
}
