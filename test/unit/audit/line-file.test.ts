import { readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Audited, access, auditedFolder } from '../../support/audited.ts';

let audited: Audited;
beforeEach(() => {
  audited = auditedFolder();
});
afterEach(() => audited.remove());

const idsIn = (name: string) =>
  audited.lines(name).flatMap((line) => {
    const { session_id: id } = JSON.parse(line) as { readonly session_id?: string };
    return id === undefined ? [] : [id];
  });
const headsIn = (name: string) =>
  audited.lines(name).flatMap((line) => {
    const { head, lost } = JSON.parse(line) as { readonly head?: string; readonly lost?: number };
    return head === undefined ? [] : [lost === undefined ? head : `${head} lost ${lost}`];
  });

/** A path that leads to a disk without room, until `makeRoom`. */
function fullDisk(name: string): { readonly makeRoom: () => void } {
  symlinkSync('/dev/full', audited.file(name));
  return { makeRoom: () => rmSync(audited.file(name)) };
}

describe.skipIf(process.platform !== 'linux')('audit lines and a full disk', () => {
  it('lines that wait are written in their order once the log has a new file', async () => {
    const disk = fullDisk('log');
    const log = audited.open('log');
    for (const id of ['a', 'b', 'c']) expect(log.note(access(id))).toBe(true);
    disk.makeRoom();
    log.reopen();
    expect(log.note(access('d'))).toBe(true);
    await log.close();
    expect(idsIn('log')).toEqual(['a', 'b', 'c', 'd']);
    expect(headsIn('log')[0]).toBe('rotate');
    expect(audited.verdict(['log']).findings).toEqual([]);
    expect(audited.failures()).toBeGreaterThan(0);
  });

  it('a timer writes the waiting lines, although no access follows', async () => {
    const disk = fullDisk('log');
    const log = audited.open('log');
    log.note(access('a'));
    const before = audited.failures();
    await audited.clock.advance(1_000);
    expect(audited.failures()).toBeGreaterThan(before);
    disk.makeRoom();
    log.reopen();
    expect(idsIn('log')).toEqual(['a']);
    await log.close();
  });

  it('lines beyond the bound are lost, the chain tells how many, and still verifies', async () => {
    const disk = fullDisk('log');
    const log = audited.open('log');
    const sessionIds = Array.from({ length: 30_000 }, (_, index) => `0b5f3c1e-6c0a-4a53-9d0a-${index}`);
    // Each line has about a megabyte, and 16 may wait.
    const ids = Array.from({ length: 20 }, (_, index) => `s-${index}`);
    for (const id of ids) log.note(access(id, { sessionIds }));
    disk.makeRoom();
    log.reopen();
    await log.close();
    const written = idsIn('log');
    expect(written).toEqual(ids.slice(0, written.length));
    expect(written.length).toBeGreaterThan(10);
    expect(written.length).toBeLessThan(18);
    expect(headsIn('log')).toContain(`recover lost ${ids.length - written.length}`);
    expect(audited.verdict(['log']).findings).toEqual([]);
  });

  it('in strict mode an access is refused while lines wait, and accepted once they are written', async () => {
    const disk = fullDisk('log');
    const log = audited.open('log', { isStrict: true });
    const { outcome: _, ...action } = access('a');
    expect([log.refuses(), log.begin(action), log.note(access('a'))]).toEqual([true, false, false]);
    disk.makeRoom();
    log.reopen();
    expect([log.refuses(), log.begin(action), log.note(access('a'))]).toEqual([false, true, true]);
    await log.close();
    // The first `begun` line is not among them: nothing began.
    expect(audited.lines('log').filter((line) => line.includes('"begun"'))).toHaveLength(1);
  });

  it('without strict mode nothing is refused, and no line comes before an action', async () => {
    fullDisk('log');
    const log = audited.open('log');
    const { outcome: _, ...action } = access('a');
    expect([log.refuses(), log.begin(action), log.note(access('a'))]).toEqual([false, true, true]);
    await log.close();
  });
});

describe('audit lines and their file', () => {
  it('SIGHUP without a rotation changes nothing: the log stays in its file, and no head is written', async () => {
    const log = audited.open('log');
    log.note(access('a'));
    log.reopen();
    log.note(access('b'));
    await log.close();
    expect(headsIn('log')).toEqual(['start', 'stop']);
    expect(audited.verdict(['log']).findings).toEqual([]);
  });

  it('a file that cannot be opened again leaves the old one in use, and no line is lost', async () => {
    const log = audited.open('log');
    renameSync(audited.file('log'), audited.file('old'));
    symlinkSync(audited.file('no/such/folder'), audited.file('log'));
    log.reopen();
    log.note(access('a'));
    await log.close();
    expect(idsIn('old')).toEqual(['a']);
  });

  it('a log without a key continues behind an unfinished line on a line of its own', async () => {
    writeFileSync(audited.file('log'), '{"log":"audit","time":"20');
    const log = audited.open('log', { key: null });
    log.note(access('a'));
    await log.close();
    const lines = readFileSync(audited.file('log'), 'utf8').split('\n');
    expect(lines[0]).toBe('{"log":"audit","time":"20');
    expect(JSON.parse(lines[1] ?? '')).toMatchObject({ session_id: 'a' });
    expect(Object.keys(JSON.parse(lines[1] ?? '') as object)).not.toContain('chain');
  });

  it('a line names a proven caller, and the user for whom a service acts', async () => {
    const log = audited.open('log');
    const actor = { role: 'service', subject: 'portal', tenant: 'acme', credential: 'portal' } as const;
    log.note(access('a', { actor, onBehalfOf: 'dr-a' }));
    log.note(access('b', { action: 'refused', outcome: 'unauthenticated', why: 'the token has expired' }));
    await log.close();
    const [, first, second] = audited.lines('log').map((line) => JSON.parse(line) as unknown);
    expect(first).toMatchObject({ actor, on_behalf_of: 'dr-a', user_id: 'dr-a' });
    expect(second).toMatchObject({ action: 'refused', why: 'the token has expired' });
  });
});
