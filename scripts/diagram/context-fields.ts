// Lists the fields of the context that snapshots store: a changed field breaks stored snapshots as a changed state does.

import { z } from 'zod';

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly additionalProperties?: boolean | Schema;
}

/** One line per field: `path: type`, with `?` where the field may be absent. */
export function contextFields(schema: z.ZodType): readonly string[] {
  return fieldsOf(z.toJSONSchema(schema) as Schema, '').toSorted();
}

function fieldsOf(schema: Schema, path: string): readonly string[] {
  if (schema.anyOf !== undefined) {
    const kinds = schema.anyOf.map(kindOf).join(' | ');
    return [`${path}: ${kinds}`, ...schema.anyOf.flatMap((one) => nested(one, path))];
  }
  return path === '' ? nested(schema, path) : [`${path}: ${kindOf(schema)}`, ...nested(schema, path)];
}

function nested({ properties = {}, required = [], items }: Schema, path: string): readonly string[] {
  const inner = Object.entries(properties).flatMap(([name, field]) => {
    const mark = required.includes(name) ? '' : '?';
    return fieldsOf(field, `${path === '' ? '' : `${path}.`}${name}${mark}`);
  });
  return items === undefined ? inner : [...inner, ...fieldsOf(items, `${path}[]`)];
}

function kindOf(schema: Schema): string {
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' | ');
  return String(schema.type ?? 'any');
}
