/**
 * Routes requests, free of any server library: a request is a value, an answer is a value or a stream.
 * The first route that matches method and path answers.
 */
import { randomUUID } from 'node:crypto';
import type { z } from 'zod';
import type { AuditAction } from '../../audit/audit.ts';
import type { ErrorCode } from '../../errors.ts';
import { STRANGER } from '../../identity/caller.ts';
import { isOperation, type Operation } from '../../identity/permissions.ts';
import { type HttpAnswer, problem, Refusal } from './answer.ts';
import type { HttpRequest, IncomingRequest } from './request.ts';
import type { CredentialDescription } from './security-schemes.ts';

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE';
  /** `:name` matches one segment. */
  readonly path: string;
  /** Absent: the OpenAPI document omits the route. */
  readonly describe?: Description;
  /** The action in the audit log; absent: none, or the route writes its own lines. */
  readonly audit?: AuditAction;
  readonly answer: (request: HttpRequest) => HttpAnswer | Promise<HttpAnswer>;
}

/** A route's part of the OpenAPI document. The same schemas parse its requests, so the two cannot differ. */
export interface Description {
  /** Unique; generated clients use it as the function name. */
  readonly name: string;
  readonly summary: string;
  readonly details?: string;
  /** Every `:name` of the path. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** The request may come without a body. */
  readonly isBodyOptional?: true;
  readonly answers: Readonly<Record<number, AnswerDescription>>;
  /** Absent: strangers may ask. */
  readonly credential?: CredentialDescription;
  /** Besides `internal`, which any route may answer. */
  readonly errors?: readonly ErrorCode[];
  /** The body of an error, where the route's protocol has a form of its own. Absent: `problemSchema`. */
  readonly errorForm?: ErrorForm;
  readonly example?: Example;
}

/** A request as a client sends it, and its answers by status and media type. */
export interface Example {
  readonly params?: Readonly<Record<string, unknown>>;
  readonly query?: Readonly<Record<string, unknown>>;
  readonly body?: unknown;
  readonly answers: Readonly<Record<number, Readonly<Record<string, unknown>>>>;
}

export interface ErrorForm {
  readonly schema: z.ZodType;
  readonly write: (problem: HttpAnswer) => HttpAnswer;
}

export interface AnswerDescription {
  readonly description: string;
  /** By media type; the schema of an object has a name (`.meta({ id })`). */
  readonly content: Readonly<Record<string, z.ZodType>>;
}

export const jsonAnswer = (description: string, schema: z.ZodType): AnswerDescription => ({
  description,
  content: { 'application/json': schema },
});

/** The row of a route in the table of permissions. A route without a row is a bug, and keeps the service from starting. */
export function operationOf({ method, path }: Route): Operation {
  const operation = `${method} ${path}`;
  if (!isOperation(operation)) throw new Error(`permissions.ts has no row for ${operation}`);
  return operation;
}

/** Answers every request with the answer to the first one. */
export function builtOnce(build: () => HttpAnswer): Route['answer'] {
  let answer: HttpAnswer | undefined;
  return () => {
    answer ??= build();
    return answer;
  };
}

/** Turns each refusal that a route throws into its answer, so that limits and the audit log see it. */
export function withRefusals(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => ({
    ...route,
    async answer(request) {
      try {
        return await route.answer(request);
      } catch (error) {
        if (error instanceof Refusal) return problem(error.code, request.requestId, error.detail);
        throw error;
      }
    },
  }));
}

/** Writes every error of a route, also those of the gates around it, in the form of the route's protocol. */
export function withErrorForms(routes: readonly Route[]): readonly Route[] {
  return routes.map((route) => {
    const form = route.describe?.errorForm;
    if (form === undefined) return route;
    return {
      ...route,
      async answer(request) {
        try {
          const reply = await route.answer(request);
          return reply.code === undefined ? reply : form.write(reply);
        } catch (error) {
          request.failed(error, request.requestId);
          return form.write(problem('internal', request.requestId));
        }
      },
    };
  });
}

export async function answer(routes: readonly Route[], incoming: IncomingRequest): Promise<HttpAnswer> {
  const requestId = randomUUID();
  // `withCallers` finds the caller of a route that is not open to everyone.
  const request = {
    ...incoming,
    caller: STRANGER,
    reach: 'own',
    userId: null,
    isDisabled: () => false,
  } as const;
  // HEAD is answered as GET; the transport leaves the body out.
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  const allowed: string[] = [];
  for (const route of routes) {
    const params = match(route.path, request.path);
    if (params === null) continue;
    allowed.push(...(route.method === 'GET' ? ['GET', 'HEAD'] : [route.method]));
    if (route.method !== method) continue;
    try {
      return await route.answer({ ...request, params, requestId });
    } catch (error) {
      request.failed(error, requestId);
      return problem('internal', requestId);
    }
  }
  if (allowed.length === 0) return problem('not_found', requestId);
  const refusal = problem('method_not_allowed', requestId);
  return { ...refusal, headers: { ...refusal.headers, allow: allowed.join(', ') } };
}

function match(pattern: string, path: string): Readonly<Record<string, string>> | null {
  const wanted = pattern.split('/');
  const given = path.split('/');
  if (wanted.length !== given.length) return null;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? '';
    if (part.startsWith(':')) params[part.slice(1)] = value;
    else if (part !== value) return null;
  }
  return params;
}
