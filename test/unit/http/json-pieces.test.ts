import fc from 'fast-check';
import { expect, it } from 'vitest';
import { jsonPieces, lazily } from '../../../src/http/core/json-pieces.ts';

it('JSON in pieces is byte for byte the JSON in one piece', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 7 }), (value) => {
      expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value));
    }),
  );
});

it('JSON in pieces omits absent fields, writes null for absent items, and knows dates', () => {
  const value = {
    a: undefined,
    b: [undefined, 1, []],
    c: {},
    d: { e: undefined },
    at: new Date(0),
    list: [{}],
  };
  expect([...jsonPieces(value)].join('')).toBe(JSON.stringify(value));
});

it('an item of a lazy list is made when its piece is read, and not before', () => {
  const made: number[] = [];
  const items = lazily([1, 2, 3], (n) => {
    made.push(n);
    return { n };
  });
  const pieces = jsonPieces({ items });
  let text = '';
  while (!text.includes('{"n":1}')) text += pieces.next().value;
  expect(made).toEqual([1]);
  expect(text + [...pieces].join('')).toBe('{"items":[{"n":1},{"n":2},{"n":3}]}');
  expect(made).toEqual([1, 2, 3]);
});
