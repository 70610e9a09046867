/**
 * What a route says of itself. The OpenAPI document is made of it and of nothing else, and the schemas are those that
 * the route reads its input with: so the document cannot say what is not served.
 */
import type { z } from 'zod';
import type { ErrorCode } from '../../errors.ts';

export interface Answer {
  readonly says: string;
  /** By media type; an object's schema carries its name in the document (`.meta({ id })`). */
  readonly content: Readonly<Record<string, z.ZodType>>;
}

export interface Description {
  /** Unique; generated clients name their functions by it. */
  readonly name: string;
  readonly summary: string;
  readonly details?: string;
  /** Parts of the path; one that is not in it is any text. */
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  readonly answers: Readonly<Record<number, Answer>>;
  /** Beside `internal`, which any route may answer. */
  readonly errors?: readonly ErrorCode[];
}

export const jsonAnswer = (says: string, schema: z.ZodType): Answer => ({
  says,
  content: { 'application/json': schema },
});
