/**
 * Reads what the documents promise, for tests that compare it with the code: the routes, the fields of a schema, and FHIR R4.
 *
 * The fields come from the same JSON schema as the documents, so a test finds a new field without a list.
 */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';
import { z } from 'zod';
import type { HttpPorts } from '../../src/http/core/ports.ts';
import { httpRoutes } from '../../src/http/routes.ts';

/** The routes without ports: a route uses its ports only when it answers. */
export const described = httpRoutes({} as HttpPorts);

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
  /** The documents mark it as a field that no code reads. */
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

const fhirSchema = new URL('../fixtures/fhir-communications.schema.json', import.meta.url);
const validateFhir = new Ajv({ allErrors: true }).compile(
  JSON.parse(readFileSync(fhirSchema, 'utf8')) as object,
);

/** The violations of FHIR R4 in a bundle; empty if it is valid. */
export function fhirProblems(bundle: unknown): readonly ErrorObject[] {
  return validateFhir(JSON.parse(JSON.stringify(bundle))) ? [] : (validateFhir.errors ?? []);
}

/** Replaces random ids, which differ between two runs of one scene; their order does not. */
export function withoutRandomIds(text: string, known: readonly string[]): string {
  const names = new Map<string, string>();
  return text
    .replace(/[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g, (id) => {
      if (known.includes(id)) return id;
      names.set(id, names.get(id) ?? `id-${names.size}`);
      return names.get(id) ?? id;
    })
    .replace(/msg_[ua][0-9a-f]{32}/g, 'msg')
    .replace(/resp_[0-9a-f]{64}/g, 'resp')
    .replace(/conv_([0-9a-f]{32})/g, (id, hex) =>
      known.some((one) => one.replaceAll('-', '') === hex) ? id : 'conv',
    )
    .replace(/"token\\?":\\?"[^"\\]+/g, '"token":"');
}
