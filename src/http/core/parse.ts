/** What a client sent, read by a schema: its value, or what is wrong with it in words for the client. */
import type { z } from 'zod';

export type Parsed<T> =
  | { readonly kind: 'parsed'; readonly value: T }
  | { readonly kind: 'invalid'; readonly detail: string };

const DETAIL_MAX = 1_000;

export function parseBody<T>(schema: z.ZodType<T>, text: string): Parsed<T> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: 'invalid', detail: 'the body is not JSON' };
  }
  return parse(schema, raw);
}

/** Of a parameter that is given more than once the last one counts. */
export function parseQuery<T>(schema: z.ZodType<T>, query: URLSearchParams): Parsed<T> {
  return parse(schema, Object.fromEntries(query));
}

function parse<T>(schema: z.ZodType<T>, raw: unknown): Parsed<T> {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return { kind: 'parsed', value: parsed.data };
  const detail = parsed.error.issues
    .map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`))
    .join('; ');
  return { kind: 'invalid', detail: detail.slice(0, DETAIL_MAX) };
}
