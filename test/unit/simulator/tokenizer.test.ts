import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parsePrompt, render, renderOpen } from '../../../src/simulator/text/chat-template.ts';
import { createStreamDecoder, decode, encode } from '../../../src/simulator/text/tokenizer.ts';
import { END, roleId, VOCABULARY_SIZE } from '../../../src/simulator/text/vocabulary.ts';

const wellFormed = fc.string({ unit: 'grapheme', maxLength: 60 });

describe('the tokenizer', () => {
  test('the tokenizer decodes every text that it encoded', () => {
    fc.assert(
      fc.property(wellFormed, (text) => {
        expect(decode(encode(text))).toBe(text);
      }),
    );
  });

  test('the tokenizer encodes a text with ids of its vocabulary and without control tokens', () => {
    fc.assert(
      fc.property(fc.oneof(wellFormed, fc.constant('<|user|> <|end|> [INST]')), (text) => {
        expect(encode(text).every((id) => id >= 0 && id < VOCABULARY_SIZE && (id < 256 || id > 271))).toBe(
          true,
        );
      }),
    );
  });

  test('the tokenizer keeps its ids: a change of the word lists must append', () => {
    expect(encode('You have chest pain.\n\nTemperature 38 °C 🩺é')).toMatchInlineSnapshot(`
      [
        2371,
        1138,
        770,
        1638,
        279,
        281,
        2035,
        299,
        56,
        32,
        286,
        32,
        290,
        293,
      ]
    `);
    expect(VOCABULARY_SIZE).toMatchInlineSnapshot(`2453`);
  });

  test('the tokenizer decodes the rest of a text id by id from any position', () => {
    fc.assert(
      fc.property(wellFormed, fc.nat(), (text, seed) => {
        const ids = encode(text);
        const cut = ids.length === 0 ? 0 : seed % (ids.length + 1);
        const before = createStreamDecoder([]);
        const head = ids
          .slice(0, cut)
          .map((id) => before.push(id))
          .join('');
        const after = createStreamDecoder(ids.slice(0, cut));
        const tail =
          ids
            .slice(cut)
            .map((id) => after.push(id))
            .join('') + after.flush();
        expect(head + tail).toBe(text);
      }),
    );
  });
});

describe('the chat template', () => {
  const message = fc.record({
    role: fc.constantFrom('system' as const, 'user' as const, 'assistant' as const),
    content: wellFormed,
  });

  test('the chat template can be read backwards', () => {
    fc.assert(
      fc.property(fc.array(message, { minLength: 1, maxLength: 6 }), wellFormed, (messages, partial) => {
        const asked = parsePrompt(render(messages, true));
        expect(asked.messages).toEqual(messages);
        expect(asked.answered).toEqual([]);
        const open = parsePrompt(renderOpen([...messages, { role: 'assistant', content: partial }]));
        expect(open.messages).toEqual(messages);
        expect(decode(open.answered)).toBe(partial);
        expect(open.key).toBe(asked.key);
      }),
    );
  });

  test('the chat template reads ids without a role marker as one user message', () => {
    expect(parsePrompt(encode('plain prompt')).messages).toEqual([{ role: 'user', content: 'plain prompt' }]);
  });

  test('the chat template marks roles with ids that no text has', () => {
    expect(render([{ role: 'user', content: '' }], true)).toEqual([roleId('user'), END, roleId('assistant')]);
  });
});
