// Writes the types of the frames as TypeScript without zod, from the schemas: a user of the package needs no zod.

/** @typedef {Readonly<Record<string, any>>} Schema A JSON Schema. */

/**
 * @param {{ toJSONSchema: (schema: any, options: object) => Schema }} zod
 * @param {Readonly<Record<string, unknown>>} schemas by the name of their type
 * @returns {string} declarations
 */
export function wireTypes(zod, schemas) {
  /** @type {Map<string, string>} */
  const named = new Map();
  for (const [name, schema] of Object.entries(schemas)) {
    const { $defs = {}, ...root } = zod.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' });
    for (const [id, definition] of Object.entries($defs)) named.set(id, typeOf(definition));
    named.set(name, typeOf(root));
  }
  return [...named].map(([name, type]) => `export type ${name} = ${type};\n`).join('');
}

/** @param {Schema} schema @returns {string} */
function typeOf(schema) {
  if (typeof schema.$ref === 'string') return schema.$ref.split('/').at(-1) ?? 'unknown';
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum !== undefined)
    return union(schema.enum.map((/** @type {unknown} */ one) => JSON.stringify(one)));
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices !== undefined) return union(choices.map(typeOf));
  if (Array.isArray(schema.type))
    return union(schema.type.map((/** @type {string} */ type) => typeOf({ ...schema, type })));
  switch (schema.type) {
    case 'string':
    case 'boolean':
    case 'null':
      return schema.type;
    case 'integer':
    case 'number':
      return 'number';
    case 'array':
      return `${bracketed(typeOf(schema.items ?? {}))}[]`;
    case 'object':
      return objectOf(schema);
    default:
      return 'unknown';
  }
}

/** @param {Schema} schema */
function objectOf({ properties, required = [], additionalProperties }) {
  if (properties === undefined) return `{ [key: string]: ${typeOf(additionalProperties || {})} }`;
  const fields = Object.entries(properties).map(([key, schema]) => {
    const type = typeOf(schema);
    return required.includes(key) ? `readonly ${key}: ${type}` : `readonly ${key}?: ${type} | undefined`;
  });
  return `{ ${fields.join('; ')} }`;
}

/** @param {readonly string[]} types */
function union(types) {
  return types.length === 1 ? (types[0] ?? 'never') : types.map((type) => `\n  | ${type}`).join('');
}

/** @param {string} type */
function bracketed(type) {
  return type.includes('|') ? `(${type})` : type;
}
