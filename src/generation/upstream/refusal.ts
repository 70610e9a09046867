/**
 * Reads why a server refused a request, from a response that failed or from an error inside a stream.
 *
 * Servers agree on no shape: `{error: {…}}` is OpenAI's, a flat object that of older vLLM and of SGLang, a bare
 * string that of TGI and Ollama, `detail` that of FastAPI. The words may quote a patient's prompt, so a refusal
 * never leaves this room.
 */

export interface UpstreamRefusal {
  /** The HTTP status, or the one that an error inside a stream names; null where there is none. */
  readonly status: number | null;
  readonly message: string;
  readonly param: string | null;
  /** The names that the server gives to this error: its `code`, `type` and the like. */
  readonly names: readonly string[];
  /** The context window where the error has a field for it, as llama.cpp's has. */
  readonly contextLimit: number | null;
  /** How long the server asks a client to wait; null where it does not. */
  readonly retryAfterMs: number | null;
}

/** `body` is the whole body of a response that failed: JSON, a proxy's page, or nothing. */
export function refusalOfResponse(
  status: number,
  body: string,
  headers: { get(name: string): string | null },
): UpstreamRefusal {
  const value = parsed(body);
  const { message, ...rest } = readError(value);
  return { ...rest, message: message || body, status, retryAfterMs: retryAfterMs(headers) };
}

/** null: the value is no error. */
export function refusalInStream(value: unknown): UpstreamRefusal | null {
  if (!isRecord(value)) return null;
  const hasError = saysSomething(value.error, Array.isArray(value.choices));
  const isError = value.object === 'error' || value.type === 'error';
  const isDetail = value.detail !== undefined && value.choices === undefined;
  if (!hasError && !isError && !isDetail) return null;
  return { ...readError(value), status: statusIn(value), retryAfterMs: null };
}

/** Gateways that write every field send an empty error beside each part of an answer. */
function saysSomething(error: unknown, isBesideAnswer: boolean): boolean {
  if (error === undefined || error === null || error === false) return false;
  const isEmpty = error === '' || (isRecord(error) && Object.keys(error).length === 0);
  return !(isEmpty && isBesideAnswer);
}

type Loose = Readonly<Record<string, unknown>>;

function readError(value: unknown): Omit<UpstreamRefusal, 'status' | 'retryAfterMs'> {
  const outer = isRecord(Array.isArray(value) ? value[0] : value)
    ? ((Array.isArray(value) ? value[0] : value) as Loose)
    : {};
  const inner = isRecord(outer.error) ? outer.error : outer;
  const names = [inner.code, inner.type, inner.error_type, outer.error_type, outer.type].filter(
    (name) => typeof name === 'string',
  );
  return {
    message: wordsOf(outer),
    param: typeof inner.param === 'string' ? inner.param : null,
    names,
    contextLimit: positive(inner.n_ctx),
  };
}

function wordsOf(outer: Loose): string {
  const { error, message, detail } = outer;
  if (typeof error === 'string') return error;
  const said = isRecord(error) ? (error.message ?? error.detail) : (message ?? detail);
  if (typeof said === 'string') return said;
  // FastAPI gives a list of problems; each has its words in `msg`.
  return said === undefined || said === null ? '' : JSON.stringify(said);
}

function statusIn(value: Loose): number | null {
  const inner = isRecord(value.error) ? value.error : value;
  for (const told of [inner.status_code, inner.status, inner.code, value.status_code, value.code]) {
    const status = Number(told);
    if (Number.isInteger(status) && status >= 400 && status <= 599) return status;
  }
  return null;
}

function retryAfterMs(headers: { get(name: string): string | null }): number | null {
  const exact = positive(Number(headers.get('retry-after-ms') ?? Number.NaN));
  if (exact !== null) return exact;
  const told = headers.get('retry-after');
  if (told === null || told.trim() === '') return null;
  const seconds = Number(told);
  const waitMs = Number.isNaN(seconds) ? Date.parse(told) - Date.now() : seconds * 1000;
  return Number.isNaN(waitMs) ? null : Math.max(0, waitMs);
}

function positive(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) && value > 0 ? value : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Loose {
  return typeof value === 'object' && value !== null;
}
