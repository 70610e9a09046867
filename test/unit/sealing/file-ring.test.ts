import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type KeysRead, keepReading, openRing, READ_EVERY_MS } from '../../../src/sealing/file-ring.ts';
import { fixedRing, followKeys } from '../../../src/sealing/key-ring.ts';
import { createSealer } from '../../../src/sealing/sealer.ts';
import { keyLine, sealingWith } from '../../support/keys.ts';

const [one, two, three] = [keyLine('one'), keyLine('two'), keyLine('three')];

/** A ring on a file, with a clock that only the test moves. */
function ringOn(...lines: readonly string[]) {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-ring-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'keys');
  const write = (...others: readonly string[]) => writeFileSync(path, others.join('\n'));
  const reports: KeysRead[] = [];
  const clock = { nowMs: 0 };
  write(...lines);
  const { ring: first } = sealingWith(lines.join('\n'));
  const source = { keys: first.current(), keysFile: path };
  const ring = openRing(
    source,
    (read) => reports.push(read),
    () => clock.nowMs,
  );
  return { ring, path, write, reports, clock };
}

test('after a reload a sealer writes with the new first key and still opens what the old one sealed', async () => {
  const { ring, write, reports } = ringOn(one);
  const sealer = createSealer(ring, 'test');
  const old = sealer.seal('s', 'p', 'said before');
  write(two, one);
  expect(sealer.seal('s', 'p', 'said meanwhile')).toMatch(/^~1~one~/);
  await ring.reload();
  expect(sealer.seal('s', 'p', 'said after')).toMatch(/^~1~two~/);
  expect(sealer.open('s', 'p', old)).toMatchObject({ kind: 'opened', text: 'said before' });
  expect(reports).toEqual([{ kind: 'changed', ids: ['two', 'one'] }]);
});

test('after a reload a sealer no longer opens what a removed key sealed', async () => {
  const { ring, write } = ringOn(two, one);
  const old = createSealer(sealingWith(one).ring, 'test').seal('s', 'p', 'said before');
  const sealer = createSealer(ring, 'test');
  expect(sealer.open('s', 'p', old)).toMatchObject({ kind: 'opened' });
  write(two);
  await ring.reload();
  expect(sealer.open('s', 'p', old)).toEqual({ kind: 'unopened', why: 'key-unknown' });
});

test('a sealer notices that a key keeps its id and has other bytes', async () => {
  const { ring, write } = ringOn(one);
  const sealer = createSealer(ring, 'test');
  const old = sealer.seal('s', 'p', 'said before');
  write(keyLine('one'));
  await ring.reload();
  expect(sealer.open('s', 'p', old)).toEqual({ kind: 'unopened', why: 'damaged' });
});

test.each([
  ['is empty', ''],
  ['holds half a line', `${one}\ntwo:c2VjcmV0LW9mLWEta2V5`],
  ['repeats an id', `${one}\n${keyLine('one')}`],
])('a reload keeps the former keys and quotes none of them if the file %s', async (_, text) => {
  const { ring, path, write, reports } = ringOn(two, one);
  const before = ring.current();
  write(text);
  await ring.reload();
  expect(ring.current()).toBe(before);
  expect(reports).toEqual([{ kind: 'kept', why: expect.stringContaining(path) }]);
  for (const [, secret = ''] of text.matchAll(/:(\S+)/g))
    expect(JSON.stringify(reports)).not.toContain(secret);
});

test('a reload keeps the former keys while the file is gone, and takes the keys of the next one', async () => {
  const { ring, path, write, reports } = ringOn(one);
  rmSync(path);
  await ring.reload();
  expect(ring.current().map(({ id }) => id)).toEqual(['one']);
  write(two, one);
  await ring.reload();
  expect(ring.current().map(({ id }) => id)).toEqual(['two', 'one']);
  expect(reports.map(({ kind }) => kind)).toEqual(['kept', 'changed']);
});

test('a text with an unknown key makes an instance read its key file, so that it opens what another instance wrote', () => {
  const { ring, write, reports } = ringOn(one);
  const sealer = createSealer(ring, 'test');
  const byAnother = createSealer(sealingWith(`${two},${one}`).ring, 'test').seal('s', 'p', 'said elsewhere');
  write(two, one);
  expect(sealer.open('s', 'p', byAnother)).toMatchObject({ kind: 'opened', text: 'said elsewhere' });
  expect(reports).toEqual([{ kind: 'changed', ids: ['two', 'one'] }]);
});

test('an instance that missed the signal reads its key file within a minute, until it stops', () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { ring, write } = ringOn(one);
  const idsNow = () => ring.current().map(({ id }) => id);
  const stop = keepReading(ring);
  write(two, one);
  vi.advanceTimersByTime(READ_EVERY_MS);
  expect(idsNow()).toEqual(['two', 'one']);
  stop();
  write(three, two, one);
  vi.advanceTimersByTime(10 * READ_EVERY_MS);
  expect(idsNow()).toEqual(['two', 'one']);
});

test('texts with unknown keys make an instance read its key file once a second at most', () => {
  const { ring, write, clock } = ringOn(one);
  expect(ring.finds('three')).toBe(false);
  write(three, one);
  clock.nowMs = 999;
  expect(ring.finds('three')).toBe(false);
  clock.nowMs = 1_000;
  expect(ring.finds('three')).toBe(true);
});

test('a reload of an unchanged file keeps everything that was derived from the keys', async () => {
  const { ring, reports } = ringOn(two, one);
  let derived = 0;
  const follow = followKeys(ring, (keys) => {
    derived += 1;
    return keys.length;
  });
  for (let text = 0; text < 1_000; text += 1) follow();
  await ring.reload();
  expect([follow(), derived]).toEqual([2, 1]);
  expect(reports).toEqual([]);
});

test('keys of the environment stay as they are', async () => {
  const keys = sealingWith(one).ring.current();
  const ring = openRing({ keys, keysFile: null });
  await ring.reload();
  expect(ring.current()).toBe(keys);
  expect(ring.finds('two')).toBe(false);
  expect(fixedRing([]).current()).toEqual([]);
});
