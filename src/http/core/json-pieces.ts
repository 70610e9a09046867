/**
 * jsonPieces writes JSON in pieces, byte for byte as `JSON.stringify` does: lists may be long, and a list may be any iterable,
 * whose items are made when their turn comes.
 */
type Fields = Readonly<Record<string, unknown>>;

/** Deeper values are written in one piece. The lists of every answer lie above. */
const DEPTH = 4;

export function* jsonPieces(value: unknown, depth = DEPTH): Generator<string> {
  if (depth > 0 && isList(value)) yield* listPieces(value, depth);
  else if (depth > 0 && isFields(value)) yield* fieldPieces(value, depth);
  else yield JSON.stringify(value);
}

function* listPieces(items: Iterable<unknown>, depth: number): Generator<string> {
  let before = '[';
  for (const item of items) {
    yield before;
    yield* jsonPieces(item ?? null, depth - 1);
    before = ',';
  }
  yield before === '[' ? '[]' : ']';
}

function* fieldPieces(fields: Fields, depth: number): Generator<string> {
  let before = '{';
  for (const [name, field] of Object.entries(fields)) {
    if (field === undefined) continue;
    yield `${before}${JSON.stringify(name)}:`;
    yield* jsonPieces(field, depth - 1);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}

function isList(value: unknown): value is Iterable<unknown> {
  return typeof value === 'object' && value !== null && Symbol.iterator in value;
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !('toJSON' in value);
}

/** Maps items one at a time, each time that they are iterated. */
export function lazily<Item, Made>(items: Iterable<Item>, make: (item: Item) => Made): Iterable<Made> {
  return {
    *[Symbol.iterator]() {
      for (const item of items) yield make(item);
    },
  };
}
