/** `POST /api/protocol` as a client calls it, with its answer held against the schema that the document promises. */
import type { z } from 'zod';
import { problemSchema } from '../../../src/http/core/answer.ts';
import { protocolAnswerSchema } from '../../../src/http/turns/protocol-answer.ts';

export type Fields = Readonly<Record<string, unknown>>;
export type ProtocolAnswer = z.infer<typeof protocolAnswerSchema>;

export interface Reply {
  readonly status: number;
  readonly headers: Headers;
  readonly body: unknown;
}

export async function post(
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  });
  return replyOf(response);
}

export async function get(url: string, init: RequestInit = {}): Promise<Reply> {
  return replyOf(await fetch(url, init));
}

/** A turn that is completed; throws where it is not. */
export async function ask(
  http: string,
  body: Fields,
  headers: Readonly<Record<string, string>> = {},
): Promise<ProtocolAnswer> {
  const reply = await post(`${http}/api/protocol`, body, headers);
  if (reply.status !== 200) throw new Error(`${reply.status} ${JSON.stringify(reply.body)}`);
  return protocolAnswerSchema.parse(reply.body);
}

/** The error in a reply, in the one shape of errors. */
export function problemOf(reply: Reply): z.infer<typeof problemSchema>['error'] {
  return problemSchema.parse(reply.body).error;
}

async function replyOf(response: Response): Promise<Reply> {
  const text = await response.text();
  const isJson = response.headers.get('content-type')?.includes('json') === true;
  return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text };
}
