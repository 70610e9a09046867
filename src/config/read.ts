/** Reads variables by a schema. Every value that cannot be used becomes one line, so that one start shows them all. */
import type { z } from 'zod';
import { startFailure } from '../startup/start-failure.ts';
import { problemOf } from './problem.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export type Read<Schema extends z.ZodObject> =
  | { readonly kind: 'values'; readonly values: z.output<Schema>; readonly given: ReadonlySet<string> }
  | { readonly kind: 'problems'; readonly problems: readonly string[] };

/** An empty variable counts as unset. White space around a value is the accident of an env file or a secret. */
export function readVariables<Schema extends z.ZodObject>(
  schema: Schema,
  environment: Environment,
): Read<Schema> {
  const given = Object.fromEntries(
    Object.keys(schema.shape).flatMap((name) => {
      const value = environment[name]?.trim() ?? '';
      return value === '' ? [] : [[name, value]];
    }),
  );
  const parsed = schema.safeParse(given);
  if (parsed.success) return { kind: 'values', values: parsed.data, given: new Set(Object.keys(given)) };
  const first = new Map<string, z.core.$ZodIssue>();
  for (const issue of parsed.error.issues) {
    const name = issue.path.join('.');
    if (!first.has(name)) first.set(name, issue);
  }
  const problems = [...first].map(([name, issue]) => problemOf(name, given[name] ?? '', issue));
  return { kind: 'problems', problems };
}

/** A headline, then one line for each problem. */
export function unusable(problems: readonly string[]): Error {
  return startFailure(`The environment cannot be used.\n${problems.join('\n')}`);
}
