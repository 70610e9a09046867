/** Converts zod's schemas to the JSON Schemas of one document: those with a name (`.meta({ id })`) only once. */
import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

export class SchemaBook {
  /** The named schemas so far: the document's `components.schemas`. */
  readonly named: Record<string, Json> = {};
  readonly #target: 'draft-2020-12' | 'draft-7';

  constructor(target: 'draft-2020-12' | 'draft-7') {
    this.#target = target;
  }

  /** A reference if the schema has a name, else the schema itself. */
  of(schema: z.ZodType, io: 'input' | 'output'): Json {
    // Zod leaves the outermost schema inline even if it has a name, so each one is converted as a property.
    const whole = z.toJSONSchema(z.object({ schema }), {
      target: this.#target,
      io,
      unrepresentable: 'any',
      override: ({ jsonSchema }) => withoutNoise(jsonSchema),
    });
    const text = JSON.stringify(whole).replaceAll(/"#\/(\$defs|definitions)\//g, '"#/components/schemas/');
    const { properties, $defs, definitions } = JSON.parse(text) as {
      readonly properties: { readonly schema: Json };
      readonly $defs?: Json;
      readonly definitions?: Json;
    };
    Object.assign(this.named, $defs, definitions);
    return properties.schema;
  }
}

/** Removes what tells readers of the document nothing: zod's own notes and the range of JavaScript's integers. */
function withoutNoise(schema: z.core.JSONSchema.BaseSchema): void {
  delete schema.id;
  delete schema.readOnly;
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum;
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum;
}
