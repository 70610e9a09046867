/** Builds the answers of routes: JSON, a stream, or a problem. */
import { z } from 'zod';
import { systemClock } from '../../clock.ts';
import { CodedError, type ErrorCode, errorBody, errors } from '../../errors.ts';
import { budgetWaitMs } from '../../limits/budgets.ts';

export interface HttpAnswer {
  readonly status: number;
  /** Present if the request was refused. */
  readonly code?: ErrorCode;
  readonly headers: Readonly<Record<string, string>>;
  /** Text, bytes, or a function that streams the body after the headers. */
  readonly body: string | Uint8Array | ((sink: StreamSink) => void);
}

/** Receives a streamed body. */
export interface StreamSink {
  /** False if the client reads too slowly or has gone: then write no more. */
  write(chunk: string): boolean;
  /** Resolves once the client has room for more, after other work had its turn; false if it has gone or stopped reading. */
  drained(): Promise<boolean>;
  end(): void;
  /** Breaks the connection off, so that the client does not take half a body for the whole. */
  fail(): void;
}

export const JSON_HEADERS = {
  'content-type': 'application/json; charset=utf-8',
  'cache-control': 'no-store',
} as const;

export function json(
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): HttpAnswer {
  return {
    status,
    headers: { ...JSON_HEADERS, ...headers },
    body: JSON.stringify(body),
  };
}

const codes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];

/** The body of every error over HTTP. */
export const problemSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(codes),
      message: z.string(),
      retryable: z.boolean().describe('whether the same request can succeed later'),
      detail: z.string().optional().describe('what was wrong with the request'),
      request_id: z.string().describe('finds the entry in the log of the service'),
    }),
  })
  .meta({ id: 'Problem' });

export function problem(
  code: ErrorCode,
  requestId: string,
  detail?: string,
  retryAfterMs = budgetWaitMs(code, systemClock.now()) ?? 1_000,
): HttpAnswer {
  const { status, retryable } = errors[code];
  const helps = retryable && (status === 429 || status === 503);
  const headers = helps ? { 'retry-after': String(Math.ceil(retryAfterMs / 1_000)) } : {};
  const error = { ...errorBody(code), ...(detail === undefined ? {} : { detail }), request_id: requestId };
  return { ...json(status, { error }, headers), code };
}

/** A route throws it to answer with a problem. */
export class Refusal extends CodedError<ErrorCode> {
  readonly detail: string | undefined;

  constructor(code: ErrorCode, detail?: string) {
    super(code, detail ?? code);
    this.detail = detail;
  }
}
