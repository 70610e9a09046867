import { randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseKeys } from '../../src/sealing/keys.ts';
import { createSealer, isSealed } from '../../src/sealing/sealer.ts';
import { keyLine, sealingWith } from '../support/keys.ts';

const ringOf = (lines: string) => sealingWith(lines).ring;
const keysOf = (lines: string) => ringOf(lines).current();
const [one, two] = [keyLine('one'), keyLine('two')];
const sealer = createSealer(ringOf(one), 'test');
const text = fc.string({ unit: 'binary', maxLength: 200 });

describe('a sealed text', () => {
  it('a sealed text of any length opens unchanged, together with the text sealed beside it', () => {
    fc.assert(
      fc.property(text, text, fc.option(text), fc.nat(3_000), (scope, place, second, times) => {
        const long = 'ä🙂"\\n'.repeat(times * 10);
        const stored = sealer.seal(scope, place, long, second ?? undefined);
        expect(sealer.open(scope, place, stored)).toEqual({ kind: 'opened', text: long, second });
        expect(isSealed(stored)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it('a sealed text opens in no other session and no other place', () => {
    fc.assert(
      fc.property(text, text, text, text, (scope, place, otherScope, otherPlace) => {
        fc.pre(scope !== otherScope && place !== otherPlace);
        const stored = sealer.seal(scope, place, 'said in confidence');
        for (const [inScope, at] of [
          [otherScope, place],
          [scope, otherPlace],
        ] as const)
          expect(sealer.open(inScope, at, stored)).toEqual({ kind: 'unopened', why: 'damaged' });
      }),
    );
  });

  it('a sealed text with a changed, lost or added character does not open', () => {
    const stored = sealer.seal('s', 'p', 'said in confidence', 'by a user');
    fc.assert(
      fc.property(fc.nat(stored.length - 1), fc.constantFrom(...'A9+/=~-', ''), (at, put) => {
        const changed = stored.slice(0, at) + put + stored.slice(at + 1);
        fc.pre(changed !== stored);
        expect(sealer.open('s', 'p', changed).kind).toBe('unopened');
        expect(sealer.open('s', 'p', stored.slice(0, at)).kind).toBe('unopened');
        expect(sealer.open('s', 'p', stored.slice(0, at) + put + stored.slice(at)).kind).toBe(
          put === '' ? 'opened' : 'unopened',
        );
      }),
      { numRuns: 500 },
    );
  });

  it('a sealed text whose tag was cut short does not open, whatever is left of it', () => {
    const stored = sealer.seal('s', 'p', 'said in confidence');
    const header = stored.slice(0, stored.lastIndexOf('~') + 1);
    const bytes = Buffer.from(stored.slice(header.length), 'base64');
    const [nonce, tag, words] = [bytes.subarray(0, 12), bytes.subarray(12, 28), bytes.subarray(28)];
    const withTag = (kept: Buffer) => header + Buffer.concat([nonce, kept, words]).toString('base64');
    expect(sealer.open('s', 'p', withTag(tag)).kind).toBe('opened');
    for (let length = 0; length < tag.length; length += 1)
      expect(sealer.open('s', 'p', withTag(tag.subarray(0, length)))).toEqual({
        kind: 'unopened',
        why: 'damaged',
      });
  });

  it('sealing the same text twice gives different lines, which show only its length and the id of the key', () => {
    const all = Array.from({ length: 2_000 }, () => sealer.seal('s', 'p', 'the same words'));
    expect(new Set(all).size).toBe(all.length);
    expect(new Set(all.map((stored) => stored.length)).size).toBe(1);
    for (const stored of all) expect(stored).toMatch(/^~1~one~[A-Za-z0-9+/]+=*$/);
  });

  it('a sealed text opens with every configured key, not only with the first', () => {
    const old = sealer.seal('s', 'p', 'old');
    const both = createSealer(ringOf(`${two},${one}`), 'test');
    expect(both.open('s', 'p', old)).toMatchObject({ text: 'old' });
    const young = both.seal('s', 'p', 'young');
    expect(young).toMatch(/^~1~two~/);
    expect(sealer.open('s', 'p', young)).toEqual({ kind: 'unopened', why: 'key-unknown' });
    const impostor = createSealer(ringOf(keyLine('one')), 'test');
    expect(impostor.open('s', 'p', old)).toEqual({ kind: 'unopened', why: 'damaged' });
    expect(createSealer(ringOf(one), 'other').open('s', 'p', old)).toEqual({
      kind: 'unopened',
      why: 'damaged',
    });
  });
});

describe('keys', () => {
  it('keys are separated by commas or line ends', () => {
    expect(keysOf(`${one}, ${two}`).map(({ id }) => id)).toEqual(['one', 'two']);
    expect(keysOf(`${one}\n${two}\n`).map(({ id }) => id)).toEqual(['one', 'two']);
  });

  it.each([
    ['', 'holds no key'],
    ['only-an-id', 'key 1 of 1 is not id:base64 of 32 bytes'],
    [`short:${randomBytes(16).toString('base64')}`, 'key 1 of 1 is not'],
    [`${one},${keyLine('an id')}`, 'key 2 of 3 is not'],
    [`${one},${keyLine('one')}`, 'key 2 repeats an id'],
  ])('keys that cannot be used are refused with a message that quotes none of them: %#', (given, why) => {
    const parsed = parseKeys(given);
    expect(parsed).toMatchObject({ kind: 'wrong', why: expect.stringContaining(why) });
    for (const [, secret] of given.matchAll(/:([^,]+)/g))
      expect(JSON.stringify(parsed)).not.toContain(secret);
  });
});
