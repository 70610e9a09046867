import { describe, expect, it } from 'vitest';
import { firstRowNumber, rowNumberAfter, rowNumberOf } from '../../../src/archive/rows/row-number.ts';
import { indexedWords, scopeWords, snippetOf, wordsOf } from '../../../src/archive/search/search-words.ts';

describe('words of a text', () => {
  it('words of the index are letters and digits of one case, without accents', () => {
    expect(wordsOf('Être: 38.5°C — "ÄRZTIN"')).toEqual(['etre', '38', '5', 'c', 'arztin']);
  });

  it('words of the index keep the vowel signs that distinguish words of Hindi', () => {
    expect(wordsOf('दर्द है')).toEqual(['दर्द', 'है']);
  });

  it('words of the index have a maximum length, in the archive and in the query alike', () => {
    expect(wordsOf('x'.repeat(1_000))).toEqual(['x'.repeat(64)]);
  });

  it('a word of a text is never the index word of a user or a diagnosis', () => {
    const [user, diagnosis] = scopeWords({ tenant: '', userId: 'anna', diagnosisId: 'anna' });
    expect(user).not.toBe(diagnosis);
    expect(wordsOf(`${user} ${diagnosis}`)).not.toContain(user);
  });

  it('words of a long conversation stay within what PostgreSQL takes, the first ones first', () => {
    const line = { role: 'user', author: null, turnId: 't', at: 0 } as const;
    const content = Array.from({ length: 200_000 }, (_, index) => `word${index}`).join(' ');
    const words = indexedWords(
      { tenant: '', userId: null, diagnosisId: null, lines: [{ ...line, content }] },
      (word) => word,
    );
    expect(words.length).toBeLessThan(600_000);
    expect(words.startsWith('word0 word1 ')).toBe(true);
  });
});

describe('a snippet', () => {
  it('a snippet shows each word at its first place, as written', () => {
    const contents = [`${'before '.repeat(40)}Chest PAIN${' after'.repeat(40)}`, 'and Diabétès'];
    const snippet = snippetOf(contents, ['pain', 'diabetes']);
    expect(snippet).toMatch(/^before .*Chest PAIN after.* … and Diabétès$/);
    expect(snippet.length).toBeLessThan(160);
  });

  it('a snippet is empty if the words are gone', () => {
    expect(snippetOf(['nothing here'], ['pain'])).toBe('');
  });
});

describe('the number of a session', () => {
  const at = Date.UTC(2026, 0, 1);

  it('the number of a row grows with the time and is a safe integer beyond the year 2200', () => {
    expect(rowNumberOf(at + 1, 0)).toBeGreaterThan(rowNumberOf(at, 0));
    expect(Number.isSafeInteger(rowNumberOf(Date.UTC(2200, 0, 1), 199))).toBe(true);
  });

  it('the number of a row lies within the range of its date, however crowded its ms is', () => {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      const place = rowNumberOf(at, attempt);
      expect(place).toBeGreaterThanOrEqual(firstRowNumber(at));
      expect(place).toBeLessThan(rowNumberAfter(at + 1));
    }
  });
});
