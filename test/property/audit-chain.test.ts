import { readFileSync, writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Audited, access, auditedFolder } from '../support/audited.ts';

describe('the chain of the audit log', () => {
  let audited: Audited;
  let bytes: Buffer;

  beforeAll(async () => {
    audited = auditedFolder();
    for (const instance of ['one', 'two', 'one']) {
      const log = audited.open('log', { instance });
      for (const userId of ['dr-a', 'Ωmega', 'a"quote\\', '\ufffd', null]) log.note(access('s', { userId }));
      await log.close();
    }
    bytes = readFileSync(audited.file('log'));
    expect(audited.firstFinding(['log'])).toBeNull();
  });
  afterAll(() => audited.remove());

  it('any changed byte of a log is found at its line', () => {
    const position = fc.integer({ min: 0, max: bytes.length - 1 });
    fc.assert(
      fc.property(position, fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const edited = Buffer.from(bytes);
        edited[at] = (edited[at] ?? 0) ^ flip;
        writeFileSync(audited.file('edited'), edited);
        const { findings } = audited.verdict(['edited']);
        const line = edited.subarray(0, at).toString('latin1').split('\n').length;
        // A byte that became a line end belongs to both lines.
        const lines = edited[at] === 0x0a ? [line, line + 1] : [line];
        // Without its line end the last line looks unfinished.
        expect(findings[0]?.kind).toBe(at === bytes.length - 1 ? 'cut off' : 'edited');
        expect(lines).toContain(findings[0]?.place?.line);
      }),
      { numRuns: 400 },
    );
  });

  it('any missing stretch of lines inside a log is found', () => {
    const lines = audited.lines('log');
    const stretch = fc.tuple(
      fc.integer({ min: 0, max: lines.length - 2 }),
      fc.integer({ min: 1, max: lines.length }),
    );
    fc.assert(
      fc.property(stretch, ([from, count]) => {
        const rest = lines.toSpliced(from, Math.min(count, lines.length - 1 - from));
        audited.rewrite('cut', rest);
        expect(audited.firstFinding(['cut'], audited.heads)).not.toBeNull();
      }),
      { numRuns: 200 },
    );
  });

  it('any other order of the lines is found', () => {
    const lines = audited.lines('log');
    // Lines of different chains may interleave in any way.
    const orders = (text: readonly string[]) => {
      const chains = new Map<string, string[]>();
      for (const line of text) {
        const chain = /"chain":"([\w-]+)"/.exec(line)?.[1] ?? '';
        chains.set(chain, [...(chains.get(chain) ?? []), line]);
      }
      return [...chains.values()].map(String).toSorted();
    };
    const written = String(orders(lines));
    fc.assert(
      fc.property(fc.shuffledSubarray(lines, { minLength: lines.length }), (shuffled) => {
        audited.rewrite('shuffled', shuffled);
        const isSame = String(orders(shuffled)) === written;
        expect(audited.firstFinding(['shuffled']) === null).toBe(isSame);
      }),
      { numRuns: 200 },
    );
    const [first = '', second = '', ...rest] = lines;
    audited.rewrite('shuffled', [second, first, ...rest]);
    expect(audited.firstFinding(['shuffled'])).toBe('moved shuffled:1');
  });
});
