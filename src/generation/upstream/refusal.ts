/**
 * Reads why a server refused a request, from a failed response or from an error inside a stream.
 *
 * Shapes differ: OpenAI sends `{error: {…}}`, older vLLM and SGLang a flat object, TGI and Ollama a bare string, FastAPI
 * `detail`. The words may quote a patient's prompt, so a refusal never leaves this folder.
 */
import { isRecord, type Loose, parseJson, positiveIn, recordIn, stringIn } from './loose-json.ts';

export interface UpstreamRefusal {
  /** The HTTP status, or the status in an error inside a stream; null if there is none. */
  readonly status: number | null;
  readonly message: string;
  readonly param: string | null;
  /** The error's `code`, `type` and the like. */
  readonly names: readonly string[];
  /** The context window, if the error has a field for it, as llama.cpp's has. */
  readonly contextLimit: number | null;
  /** The wait that the server asks for; null: none. */
  readonly retryAfterMs: number | null;
}

/** `body` is the whole body of a failed response: JSON, a proxy's page, or nothing. */
export function refusalOfResponse(
  status: number,
  body: string,
  headers: { get(name: string): string | null },
): UpstreamRefusal {
  const { message, ...rest } = readError(parseJson(body));
  return { ...rest, message: message || body, status, retryAfterMs: retryAfterMs(headers) };
}

/** null: the value is not an error. */
export function refusalInStream(value: unknown): UpstreamRefusal | null {
  if (!isRecord(value)) return null;
  const hasError = hasContent(value.error, Array.isArray(value.choices));
  const isError = value.object === 'error' || value.type === 'error';
  const isDetail = value.detail !== undefined && value.choices === undefined;
  if (!hasError && !isError && !isDetail) return null;
  return { ...readError(value), status: statusIn(value), retryAfterMs: null };
}

/** Some gateways send an empty error beside each part of an answer. */
function hasContent(error: unknown, isBesideAnswer: boolean): boolean {
  if (error === undefined || error === null || error === false) return false;
  const isEmpty = error === '' || (isRecord(error) && Object.keys(error).length === 0);
  return !(isEmpty && isBesideAnswer);
}

function readError(value: unknown): Omit<UpstreamRefusal, 'status' | 'retryAfterMs'> {
  const outer = recordIn(Array.isArray(value) ? value[0] : value);
  const inner = isRecord(outer.error) ? outer.error : outer;
  const names = [inner.code, inner.type, inner.error_type, outer.error_type, outer.type].filter(
    (name) => typeof name === 'string',
  );
  return {
    message: wordsOf(outer),
    param: stringIn(inner.param),
    names,
    contextLimit: positiveIn(inner.n_ctx),
  };
}

function wordsOf(outer: Loose): string {
  const { error, message, detail } = outer;
  if (typeof error === 'string') return error;
  const words = isRecord(error) ? (error.message ?? error.detail) : (message ?? detail);
  if (typeof words === 'string') return words;
  // FastAPI sends a list of problems, each with its words in `msg`.
  return words === undefined || words === null ? '' : JSON.stringify(words);
}

function statusIn(value: Loose): number | null {
  const inner = isRecord(value.error) ? value.error : value;
  for (const candidate of [inner.status_code, inner.status, inner.code, value.status_code, value.code]) {
    const status = Number(candidate);
    if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
  }
  return null;
}

function retryAfterMs(headers: { get(name: string): string | null }): number | null {
  const exact = positiveIn(Number(headers.get('retry-after-ms') ?? Number.NaN));
  if (exact !== null) return exact;
  const text = headers.get('retry-after');
  if (text === null || text.trim() === '') return null;
  const seconds = Number(text);
  const waitMs = Number.isNaN(seconds) ? Date.parse(text) - Date.now() : seconds * 1000;
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs);
}
