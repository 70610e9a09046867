import { appendFileSync, copyFileSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reportOf } from '../../../src/audit/verify/report.ts';
import { type Audited, access, auditedFolder } from '../../support/audited.ts';

let audited: Audited;
beforeEach(() => {
  audited = auditedFolder();
});
afterEach(() => audited.remove());

/** A run of the instance: a start, `count` accesses, and a stop unless it is killed. */
async function run(name: string, count: number, end: 'stop' | 'kill' = 'stop'): Promise<void> {
  const log = audited.open(name);
  for (let index = 1; index <= count; index += 1) log.note(access(`s-${index}`));
  if (end === 'stop') await log.close();
}

function changed(name: string, change: (lines: string[]) => void): void {
  const lines = audited.lines(name);
  change(lines);
  audited.rewrite(name, lines);
}

describe('a check of the audit log', () => {
  it('a log that no hand has touched is unchanged, with one chain for each run of the instance', async () => {
    for (const _ of [1, 2, 3]) await run('log', 4);
    const { findings, notes, chains, lines } = audited.verdict(['log']);
    expect({ findings, notes, lines }).toEqual({ findings: [], notes: [], lines: 18 });
    expect(chains).toMatchObject([1, 2, 3].map(() => ({ instance: 'one', first: 1, hasStopped: true })));
  });

  it('an edited line is found where it stands', async () => {
    await run('log', 6);
    changed('log', (lines) => {
      lines[3] = lines[3]?.replace('dr-a', 'dr-b') ?? '';
    });
    expect(audited.firstFinding(['log'])).toBe('edited log:4');
    expect(audited.verdict(['log']).findings).toHaveLength(1);
  });

  it('a deleted line is found at the line that now stands in its place', async () => {
    await run('log', 6);
    changed('log', (lines) => lines.splice(3, 1));
    expect(audited.firstFinding(['log'])).toBe('deleted log:4');
    expect(audited.verdict(['log']).findings).toHaveLength(1);
  });

  it('a moved line is found at the first place where the order breaks', async () => {
    await run('log', 6);
    changed('log', (lines) => lines.splice(2, 0, ...lines.splice(5, 1)));
    expect(audited.firstFinding(['log'])).toBe('moved log:3');
  });

  it('a line that is copied to a second place is found there', async () => {
    await run('log', 6);
    changed('log', (lines) => lines.splice(6, 0, lines[2] ?? ''));
    expect(audited.firstFinding(['log'])).toBe('moved log:7');
  });

  it('lines cut off at the end are found behind the last one that is left, by a head that the service reported', async () => {
    await run('log', 6);
    changed('log', (lines) => lines.splice(5));
    expect(audited.firstFinding(['log'])).toBeNull();
    expect(audited.firstFinding(['log'], audited.heads)).toBe('cut off log:5');
  });

  it('lines cut off at the end of one file are found there if the chain goes on in the next file', async () => {
    const log = audited.open('log');
    for (const id of ['a', 'b', 'c']) log.note(access(id));
    renameSync(audited.file('log'), audited.file('log.1'));
    log.reopen();
    log.note(access('d'));
    await log.close();
    expect(audited.verdict(['log', 'log.1'])).toMatchObject({ findings: [], notes: [], lines: 7 });
    expect(audited.verdict(['log'])).toMatchObject({
      findings: [],
      notes: [{ what: expect.stringContaining('the files before were not given') }],
    });
    changed('log.1', (lines) => lines.splice(3));
    expect(audited.firstFinding(['log', 'log.1'])).toBe('cut off log.1:3');
  });

  it('lines cut off at the beginning are found at the line that now stands first', async () => {
    await run('log', 6);
    changed('log', (lines) => lines.splice(0, 2));
    expect(audited.firstFinding(['log'])).toBe('cut off log:1');
  });

  it('lines cut off behind a start that names them are found, without any head from elsewhere', async () => {
    await run('log', 4, 'kill');
    await run('log', 4);
    changed('log', (lines) => lines.splice(3, 2));
    expect(audited.firstFinding(['log'])).toBe('cut off log:3');
    changed('log', (lines) => lines.splice(0, 3));
    expect(audited.firstFinding(['log'])).toBe('cut off log:1');
  });

  it('a line that no instance wrote is found, with and without the form of a chain', async () => {
    await run('log', 4);
    changed('log', (lines) => lines.splice(2, 0, '{"log":"audit","action":"read","session_id":"x"}'));
    expect(audited.firstFinding(['log'])).toBe('added log:3');
    changed('log', (lines) => {
      lines[2] = lines[3]?.replace('"seq":3', '"seq":9') ?? '';
    });
    expect(audited.firstFinding(['log'])).toBe('edited log:3');
  });

  it('a file whose seals were all removed does not pass', async () => {
    await run('log', 4);
    changed('log', (lines) => {
      for (const [index, line] of lines.entries()) lines[index] = line.replace(/,"chain":.*$/, '}');
    });
    expect(audited.firstFinding(['log'])).toBe('added log:1');
  });

  it('lines that several instances write into one file are checked chain by chain', async () => {
    const [one, two] = [audited.open('log'), audited.open('log', { instance: 'two' })];
    for (const id of ['a', 'b', 'c', 'd']) {
      one.note(access(id));
      two.note(access(id));
    }
    await Promise.all([one.close(), two.close()]);
    expect(audited.verdict(['log']).findings).toEqual([]);
    changed('log', (lines) => lines.splice(5, 1));
    expect(audited.verdict(['log']).findings).toMatchObject([{ kind: 'deleted', place: { line: 7 } }]);
  });

  it('another program may write its own lines between those of the audit log', async () => {
    await run('log', 3);
    changed('log', (lines) => lines.splice(2, 0, '{"level":30,"msg":"listening"}'));
    expect(audited.verdict(['log'])).toMatchObject({ findings: [], lines: 5 });
  });

  it('an unfinished line of a killed process is no tampering once the next start answers for it', async () => {
    await run('log', 4, 'kill');
    const whole = readFileSync(audited.file('log'));
    await run('other', 1, 'kill');
    const torn = audited.lines('other')[1]?.slice(0, 40) ?? '';
    appendFileSync(audited.file('log'), torn);
    expect(audited.firstFinding(['log'])).toBe('cut off log:6');
    await run('log', 2);
    expect(audited.verdict(['log'])).toMatchObject({
      findings: [],
      notes: [{ place: { line: 6 }, what: expect.stringContaining('unfinished') }],
    });
    // The same bytes at another time are no accident.
    writeFileSync(audited.file('log'), Buffer.concat([whole, Buffer.from(`${torn}\n`)]));
    expect(audited.firstFinding(['log'])).toBe('edited log:6');
  });

  it('a last line that was torn on purpose looks like an accident, but not to a head from elsewhere', async () => {
    const log = audited.open('log');
    for (const id of ['a', 'b', 'c']) log.note(access(id));
    await audited.clock.advance(3_600_000);
    truncateSync(audited.file('log'), readFileSync(audited.file('log')).length - 30);
    await run('log', 2);
    expect(audited.firstFinding(['log'])).toBeNull();
    expect(audited.firstFinding(['log'], audited.heads)).toBe('cut off log:4');
  });

  it('an unfinished line inside a chain is tampering', async () => {
    await run('log', 4);
    changed('log', (lines) => {
      lines[2] = lines[2]?.slice(0, 30) ?? '';
    });
    await run('log', 2);
    expect(audited.firstFinding(['log'])).toBe('deleted log:4');
  });

  it('heads come at the start, each hour and at the stop, and go to the log of the service', async () => {
    const log = audited.open('log');
    await audited.clock.advance(2 * 3_600_000);
    await log.close();
    const heads = audited.lines('log').map((line) => (JSON.parse(line) as { readonly head: string }).head);
    expect(heads).toEqual(['start', 'hour', 'hour', 'stop']);
    expect(audited.heads.map(({ seq }) => seq)).toEqual([1, 2, 3, 4]);
  });

  it('a log that was cut off and then written on by the next start shows it to a head from elsewhere', async () => {
    const log = audited.open('log');
    for (const id of ['a', 'b', 'c']) log.note(access(id));
    await audited.clock.advance(3_600_000);
    changed('log', (lines) => lines.splice(3));
    await run('log', 2);
    expect(audited.firstFinding(['log'])).toBeNull();
    expect(audited.firstFinding(['log'], audited.heads)).toBe('cut off log:3');
  });

  it('a whole chain that is missing shows to a head from elsewhere', async () => {
    await run('gone', 2);
    await run('log', 2);
    expect(audited.firstFinding(['log'])).toBeNull();
    expect(audited.firstFinding(['log'], audited.heads)).toBe('cut off');
  });

  it('a file that is given twice under two names does not pass as one log', async () => {
    await run('log', 2);
    copyFileSync(audited.file('log'), audited.file('copy'));
    expect(audited.firstFinding(['log', 'copy'])).toBe('moved copy:1');
  });

  it('the report of a chain without a stop says where its last known head is, and from where lost lines would not show', async () => {
    await run('log', 6, 'kill');
    changed('log', (lines) => lines.splice(5));
    const end = `lines cut off after line 5 (${audited.file('log')}:5) would not show`;
    expect(reportOf(audited.verdict(['log']), 0)).toContain(
      `\n  no head outside the chain names it: ${end}\n`,
    );
    const report = reportOf(audited.verdict(['log'], audited.heads), audited.heads.length);
    expect(report).toContain(`\n  the last head outside the chain names line 1: ${end}\n`);
    expect(report).toMatch(/\nunchanged: 5 lines\n$/);
  });

  it('a start after lines were cut off names the last line that is left, and the report promises no more', async () => {
    await run('log', 6, 'kill');
    changed('log', (lines) => lines.splice(4));
    await run('log', 2);
    const report = reportOf(audited.verdict(['log'], audited.heads), audited.heads.length);
    expect(report).toContain(
      `the last head outside the chain names line 4: lines cut off after line 4 (${audited.file('log')}:4) would not show`,
    );
  });

  it('the report says that no line is missing after a stop, and nothing of lines that would not show', async () => {
    await run('log', 3);
    const report = reportOf(audited.verdict(['log'], audited.heads), audited.heads.length);
    expect(report).toContain('stopped: no line after it is missing\n');
    expect(report).not.toContain('would not show');
  });

  it('a report without any head from elsewhere says that a whole missing chain would not show', async () => {
    await run('log', 3);
    expect(reportOf(audited.verdict(['log']), 0)).toContain(
      'a chain that is missing as a whole would not show\n',
    );
  });
});
