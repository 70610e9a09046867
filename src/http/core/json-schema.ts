/**
 * Zod's schemas as JSON Schema inside a document: those with a name (`.meta({ id })`) once under its components, and a
 * reference wherever they are used.
 */
import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

export interface SchemaBook {
  /** A reference where the schema has a name, else the schema itself. `owner` names what it has inside. */
  of(schema: z.ZodType, io: 'input' | 'output', owner: string): Json;
  /** Every named schema so far, by name. */
  readonly named: Readonly<Record<string, Json>>;
}

export function openSchemaBook(target: 'draft-2020-12' | 'draft-7'): SchemaBook {
  const named: Record<string, Json> = {};
  const convert = (schema: z.ZodType, io: 'input' | 'output', owner: string): Json => {
    const raw = z.toJSONSchema(schema, { target, io, unrepresentable: 'any' }) as Json;
    const parts = (raw.$defs ?? raw.definitions ?? {}) as Readonly<Record<string, Json>>;
    const nameOf = (part: string) => (part.startsWith('__') ? `${owner}_${part.slice(2)}` : part);
    for (const [part, body] of Object.entries(parts)) named[nameOf(part)] ??= tidied(body, nameOf);
    return tidied(raw, nameOf);
  };
  return {
    named,
    of(schema, io, owner) {
      const id = z.globalRegistry.get(schema)?.id;
      if (id === undefined) return convert(schema, io, owner);
      if (named[id] === undefined) {
        const whole = convert(schema, io, id);
        // A schema with a name comes as a reference to itself, among its own parts.
        named[id] ??= whole;
      }
      return reference(id);
    },
  };
}

const reference = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** What zod says of itself and of JavaScript's numbers says nothing to a reader of the document. */
const NOISE = new Set(['$schema', '$id', 'id', '$defs', 'definitions', 'readOnly']);
const MAPS = new Set(['properties', 'patternProperties']);

function tidied(schema: Json, nameOf: (part: string) => string): Json {
  const tidy = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(tidy);
    return typeof value === 'object' && value !== null ? tidied(value as Json, nameOf) : value;
  };
  const entries = Object.entries(schema).flatMap(([key, value]): (readonly [string, unknown])[] => {
    if (NOISE.has(key) || Math.abs(value as number) === Number.MAX_SAFE_INTEGER) return [];
    if (key === '$ref') return [[key, reference(nameOf(String(value).split('/').at(-1) ?? '')).$ref]];
    // The keys of these are names of fields, whatever they are.
    if (MAPS.has(key))
      return [
        [key, Object.fromEntries(Object.entries(value as Json).map(([name, one]) => [name, tidy(one)]))],
      ];
    return [[key, tidy(value)]];
  });
  return Object.fromEntries(entries);
}
