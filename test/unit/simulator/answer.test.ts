import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { answer, restAfterIds, restAfterText } from '../../../src/simulator/text/answer.ts';
import { type ChatMessage, parsePrompt, render } from '../../../src/simulator/text/chat-template.ts';
import { decode } from '../../../src/simulator/text/tokenizer.ts';

const FIRST: ChatMessage[] = [
  { role: 'user', content: 'I have chest pain and diabetes since yesterday evening, doctor' },
];
const FAITHFUL = { trimContinuation: false, retokenise: false };

function answerTo(messages: readonly ChatMessage[], tokens = 64, exact = false): number[] {
  return answer(messages, parsePrompt(render(messages, true)).key, { tokens, exact });
}

describe('the answer', () => {
  test('an answer repeats the last message and its findings', () => {
    const text = decode(answerTo(FIRST));
    expect(text).toContain('You said: I have chest pain and diabetes since yesterday.');
    expect(text).toContain('I note chest pain, diabetes.');
  });

  test('an answer repeats the earlier messages', () => {
    const messages: ChatMessage[] = [
      ...FIRST,
      { role: 'assistant', content: decode(answerTo(FIRST)) },
      { role: 'user', content: 'It is worse at night' },
    ];
    const text = decode(answerTo(messages));
    expect(text).toContain('You said: It is worse at night.');
    expect(text).toContain('Earlier you told me: I have chest pain and.');
  });

  test('an answer ends with the sentence that reaches its length; only an exact length cuts it', () => {
    for (let tokens = 0; tokens < 200; tokens += 1) {
      const whole = answerTo(FIRST, tokens);
      expect(whole.length).toBeGreaterThanOrEqual(tokens);
      expect(decode(whole)).toMatch(/\.$/);
    }
    expect(answerTo(FIRST, 5, true)).toHaveLength(5);
    expect(decode(answerTo(FIRST, 5))).toContain('I note chest pain, diabetes.');
  });

  test('a longer answer begins with the shorter one', () => {
    const long = answerTo(FIRST, 500);
    const short = answerTo(FIRST, 100);
    expect(short.length).toBeLessThan(long.length);
    expect(short).toEqual(long.slice(0, short.length));
  });

  test('an answer has the characters that break joins: emoji, line breaks, words in pieces', () => {
    const text = decode(answerTo(FIRST, 800));
    expect(text).toMatch(/\p{Extended_Pictographic}/u);
    expect(text).toContain('\n\n');
    expect(text).toContain('  ');
  });

  test('two conversations get two different answers', () => {
    expect(answerTo([{ role: 'user', content: 'hello' }])).not.toEqual(
      answerTo([{ role: 'user', content: 'hello you' }]),
    );
  });

  test('another process gives the same answer', () => {
    const script = `
      import { answer } from './src/simulator/text/answer.ts';
      import { parsePrompt, render } from './src/simulator/text/chat-template.ts';
      const messages = JSON.parse(process.argv[1]);
      const { key } = parsePrompt(render(messages, true));
      process.stdout.write(JSON.stringify(answer(messages, key, { tokens: 120, exact: false })));
    `;
    const root = join(import.meta.dirname, '../../..');
    const args = ['--import', 'tsx', '--input-type=module', '-e', script, JSON.stringify(FIRST)];
    const child = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' });
    expect(child.stderr).toBe('');
    expect(JSON.parse(child.stdout)).toEqual(answerTo(FIRST, 120));
  });
});

describe('a continuation', () => {
  const ids = answerTo(FIRST, 300);
  const text = decode(ids);

  test('after any number of ids a continuation is exactly the rest', () => {
    for (let cut = 0; cut <= ids.length; cut += 1) {
      expect([...ids.slice(0, cut), ...restAfterIds(ids, ids.slice(0, cut))]).toEqual(ids);
    }
  });

  test('after any text, even one that ends inside a word, a continuation is exactly the rest', () => {
    const characters = [...text];
    for (let cut = 0; cut <= characters.length; cut += 1) {
      const partial = characters.slice(0, cut).join('');
      expect(partial + decode(restAfterText(ids, partial, FAITHFUL))).toBe(text);
    }
  });

  test('a template that trims the partial answer repeats its white space', () => {
    const partial = text.slice(0, text.indexOf(' ') + 1);
    const rest = decode(restAfterText(ids, partial, { ...FAITHFUL, trimContinuation: true }));
    expect(rest.startsWith(' ')).toBe(true);
    expect(partial + rest).not.toBe(text);
  });

  test('a server that tokenises a partial answer again continues a cut word with a new word', () => {
    const partial = text.slice(0, text.indexOf('chest') + 3);
    expect(decode(restAfterText(ids, partial, { ...FAITHFUL, retokenise: true }))).toMatch(/^ st/);
  });

  test('a partial answer that the simulator never gave has a continuation, and no error', () => {
    expect(restAfterText(ids, 'Something else entirely', FAITHFUL).length).toBeLessThan(ids.length);
  });
});
