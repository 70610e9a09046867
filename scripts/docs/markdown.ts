/** The parts of a JSON Schema that the documents print. */
export interface Schema {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly format?: string;
  readonly default?: unknown;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly allOf?: readonly Schema[];
}

/** A Markdown table; pipes in cells are escaped. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** The address of a heading on its page. */
export const anchor = (title: string): string =>
  title
    .toLowerCase()
    .replace(/[^\w -]/g, '')
    .replaceAll(' ', '-');

/** The kind of value that a schema allows, in a few words. */
export function kindOf(schema: Schema): string {
  const { $ref, type, items, properties = {}, required = [] } = schema;
  if ($ref !== undefined) {
    const name = $ref.split('/').at(-1) ?? '';
    return `[${name}](#${anchor(name)})`;
  }
  if (schema.const !== undefined) return `\`${String(schema.const)}\``;
  if (schema.enum !== undefined)
    return schema.enum.length > 12
      ? 'one of many'
      : oneOf(schema.enum.map((value) => `\`${String(value)}\``));
  const choices = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choices !== undefined) return oneOf(choices.map(kindOf));
  if (type === 'array') return `list of ${items === undefined ? 'anything' : kindOf(items)}`;
  const fields = Object.keys(properties).map((name) => (required.includes(name) ? name : `${name}?`));
  if (type === 'object' && fields.length > 0) return `{${fields.join(', ')}}`;
  const kind = schema.format ?? String(type ?? 'anything');
  return schema.default === undefined ? kind : `${kind}, \`${String(schema.default)}\` if absent`;
}

function oneOf(kinds: readonly string[]): string {
  const [last = '', ...before] = [...new Set(kinds)].reverse();
  return before.length === 0 ? last : `${before.reverse().join(', ')} or ${last}`;
}
