/** openaiErrors writes every error of a route as the OpenAI API does, so that its clients raise the class that they know. */
import { z } from 'zod';
import { errors } from '../../errors.ts';
import type { HttpAnswer } from '../core/answer.ts';
import type { ErrorForm } from '../core/router.ts';

const openaiErrorSchema = z
  .strictObject({
    error: z.strictObject({
      message: z.string(),
      type: z.enum([
        'invalid_request_error',
        'authentication_error',
        'permission_error',
        'rate_limit_error',
        'server_error',
      ]),
      code: z.string().describe('a code of this service'),
      param: z.string().nullable().describe('the parameter at fault'),
      request_id: z.string().describe('finds the entry in the log of the service'),
    }),
  })
  .meta({ id: 'OpenaiError' });

type ErrorType = z.infer<typeof openaiErrorSchema>['error']['type'];

interface Problem {
  readonly error: { readonly message: string; readonly detail?: string; readonly request_id: string };
}

/** A detail begins with the parameter that it is about. */
const PARAM = /^([a-z_][\w.[\]]*): /i;

export const openaiErrors: ErrorForm = {
  schema: openaiErrorSchema,
  write(problem) {
    const { code, body, status } = problem;
    if (code === undefined || typeof body !== 'string') return problem;
    const { message, detail, request_id } = (JSON.parse(body) as Problem).error;
    const error = {
      message: detail ?? message,
      type: typeOf(status),
      code,
      param: detail === undefined ? null : (PARAM.exec(detail)?.[1] ?? null),
      request_id,
    };
    return { ...problem, headers: headersOf(problem), body: JSON.stringify({ error }) };
  },
};

/** Clients repeat a request after these statuses, without a look at the code. */
const isRepeated = (status: number): boolean =>
  status === 408 || status === 409 || status === 429 || status >= 500;

function headersOf({ code, status, headers }: HttpAnswer): HttpAnswer['headers'] {
  const isFinal = code !== undefined && !errors[code].retryable;
  return isFinal && isRepeated(status) ? { ...headers, 'x-should-retry': 'false' } : headers;
}

function typeOf(status: number): ErrorType {
  if (status === 401) return 'authentication_error';
  if (status === 403) return 'permission_error';
  if (status === 429) return 'rate_limit_error';
  return status >= 500 ? 'server_error' : 'invalid_request_error';
}
