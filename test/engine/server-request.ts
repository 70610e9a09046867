/** Requests to a model server without Rehydra in between. */

type Json = Readonly<Record<string, unknown>>;

export interface ServerChunk {
  readonly text: string;
  readonly reasoning: string;
  readonly tokenIds: readonly number[] | null;
  readonly promptTokenIds: readonly number[] | null;
  readonly finish: string | null;
  readonly usage: Json | null;
}

export type ServerAnswer =
  | {
      readonly kind: 'stream';
      readonly chunks: readonly ServerChunk[];
      readonly text: string;
      readonly done: boolean;
    }
  | { readonly kind: 'refused'; readonly status: number; readonly body: string };

export const rootOf = (url: string): string => url.replace(/\/v1\/?$/, '');

export async function post(url: string, path: string, body: Json): Promise<Response> {
  return fetch(`${url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

export async function stream(
  url: string,
  path: '/chat/completions' | '/completions',
  body: Json,
): Promise<ServerAnswer> {
  const response = await post(url, path, { ...body, stream: true });
  const text = await response.text();
  if (!response.ok) return { kind: 'refused', status: response.status, body: text };
  const events = text
    .split(/\r?\n/)
    .filter((line) => line.startsWith('data:'))
    .map((line) => line.slice('data:'.length).trim());
  const chunks = events.filter((event) => event !== '[DONE]').map((event) => read(JSON.parse(event)));
  return {
    kind: 'stream',
    chunks,
    text: chunks.map((chunk) => chunk.text).join(''),
    done: events.includes('[DONE]'),
  };
}

function read(event: Json): ServerChunk {
  const choices = event.choices as readonly Json[] | undefined;
  const choice = choices?.[0] ?? {};
  const delta = (choice.delta ?? {}) as Json;
  return {
    text: String(delta.content ?? choice.text ?? ''),
    reasoning: String(delta.reasoning ?? delta.reasoning_content ?? ''),
    tokenIds: (choice.token_ids ?? null) as readonly number[] | null,
    promptTokenIds: (event.prompt_token_ids ?? choice.prompt_token_ids ?? null) as readonly number[] | null,
    finish: (choice.finish_reason ?? null) as string | null,
    usage: (event.usage ?? null) as Json | null,
  };
}
