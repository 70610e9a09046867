/**
 * The fields of a documented schema, by path, for tests that ask whether the code reads each of them.
 *
 * The paths come from the same JSON schema that the documents are made of, so a new field is found without a list.
 */
import { z } from 'zod';

interface JsonSchema {
  readonly const?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
}

export interface DocumentedField {
  /** Such as `options.stop`; a list adds `[]`. */
  readonly path: string;
  /** The documents say that no code reads it. */
  readonly isReserved: boolean;
}

export function documentedFields(schema: z.ZodType, io: 'input' | 'output'): readonly DocumentedField[] {
  const root = z.toJSONSchema(schema, { io, unrepresentable: 'any', reused: 'inline' }) as JsonSchema;
  const found = new Map<string, DocumentedField>();
  walk(root, root, '', found, 0);
  return [...found.values()];
}

/** The documented variants of a union of frames, each by its `type`. */
export function framesOf(union: z.ZodDiscriminatedUnion): ReadonlyMap<string, z.ZodType> {
  return new Map(
    union.options.map((frame) => {
      const { properties } = z.toJSONSchema(frame as z.ZodType, {
        io: 'input',
        unrepresentable: 'any',
      }) as JsonSchema;
      return [String(properties?.type?.const), frame as z.ZodType];
    }),
  );
}

const DEPTH_MAX = 8;

function walk(
  root: JsonSchema,
  schema: JsonSchema,
  path: string,
  found: Map<string, DocumentedField>,
  depth: number,
): void {
  if (depth > DEPTH_MAX) return;
  const name = schema.$ref?.split('/').at(-1);
  if (name !== undefined) {
    const target = root.$defs?.[name];
    if (target !== undefined) walk(root, target, path, found, depth + 1);
    return;
  }
  for (const choice of [...(schema.anyOf ?? []), ...(schema.oneOf ?? [])])
    walk(root, choice, path, found, depth + 1);
  if (schema.items !== undefined) walk(root, schema.items, `${path}[]`, found, depth + 1);
  for (const [key, field] of Object.entries(schema.properties ?? {})) {
    if (field.const !== undefined) continue;
    const at = path === '' ? key : `${path}.${key}`;
    found.set(at, { path: at, isReserved: field.description?.startsWith('Reserved') === true });
    walk(root, field, at, found, depth + 1);
  }
}
