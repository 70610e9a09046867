import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { changeKeyFile, createKeyFile, freshKey, keysIn } from '../../../src/keys/key-file.ts';
import { parseKeys } from '../../../src/sealing/keys.ts';
import { keyLine } from '../../support/keys.ts';

const DAY = new Date('2026-11-29T23:59:59.999Z');
const idsIn = (file: string) => keysIn(file).map(({ id }) => id);

function folder(): string {
  const dir = mkdtempSync(join(tmpdir(), 'rehydra-key-file-'));
  onTestFinished(() => rmSync(dir, { recursive: true }));
  return dir;
}

function fileWith(...lines: readonly string[]): string {
  const file = join(folder(), 'keys');
  writeFileSync(file, `${lines.join('\n')}\n`, { mode: 0o640 });
  chmodSync(file, 0o640);
  return file;
}

test('a new key is named after its day and is one that DATA_KEYS takes', () => {
  const key = freshKey(DAY);
  expect(key.id).toMatch(/^2026-11-29-[a-z0-9]{4}$/);
  const line = `${key.id}:${key.secret.export().toString('base64')}`;
  expect(parseKeys(line)).toMatchObject({ kind: 'parsed', value: [{ id: key.id }] });
});

test('two keys of one day have different names and different bytes', () => {
  const keys = Array.from({ length: 50 }, () => freshKey(DAY));
  expect(new Set(keys.map(({ id }) => id)).size).toBeGreaterThan(45);
  expect(new Set(keys.map(({ secret }) => secret.export().toString('hex'))).size).toBe(50);
});

test('only its owner can read a new key file', () => {
  const file = join(folder(), 'keys');
  const key = freshKey(DAY);
  createKeyFile(file, key);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(keysIn(file)).toEqual([key]);
});

test('a new key file replaces no file that exists', () => {
  const file = fileWith(keyLine('one'));
  expect(() => createKeyFile(file, freshKey(DAY))).toThrow(/exists; use rotate/);
  expect(idsIn(file)).toEqual(['one']);
});

test('a rotation puts the new key first, and keeps the others, the mode and nothing else in the folder', () => {
  const file = fileWith(keyLine('two'), keyLine('one'));
  const before = keysIn(file);
  const key = freshKey(DAY);
  changeKeyFile(file, { time: 'now', change: (keys) => [key, ...keys] });
  expect(keysIn(file)).toEqual([key, ...before]);
  expect(statSync(file).mode & 0o777).toBe(0o640);
  expect(readdirSync(join(file, '..'))).toEqual(['keys']);
});

test('a change through a link changes the linked file, and the link stays', () => {
  const file = fileWith(keyLine('one'));
  const link = join(folder(), 'link');
  symlinkSync(file, link);
  const key = freshKey(DAY);
  changeKeyFile(link, { time: 'now', change: (keys) => [key, ...keys] });
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(idsIn(file)).toEqual([key.id, 'one']);
});

test('a change that keeps the first key keeps the time of the last rotation', () => {
  const file = fileWith(keyLine('two'), keyLine('one'));
  const rotatedAt = new Date('2026-11-20T00:00:00Z');
  utimesSync(file, rotatedAt, rotatedAt);
  changeKeyFile(file, { time: 'keep', change: (keys) => keys.slice(0, 1) });
  expect(idsIn(file)).toEqual(['two']);
  expect(statSync(file).mtime).toEqual(rotatedAt);
});

test('a change that fails leaves the file as it was', () => {
  const file = fileWith(keyLine('one'));
  const before = readFileSync(file);
  const change = () => {
    throw new Error('no');
  };
  expect(() => changeKeyFile(file, { time: 'now', change })).toThrow('no');
  expect(readFileSync(file)).toEqual(before);
  expect(existsSync(`${file}.next`)).toBe(false);
});

test('a file with half a key is not changed, and the message quotes none of it', () => {
  const secret = 'c2VjcmV0LW9mLWEta2V5';
  const file = fileWith(keyLine('one'), `two:${secret}`);
  const before = readFileSync(file);
  const change = () => changeKeyFile(file, { time: 'now', change: (keys) => keys });
  expect(change).toThrow(/key 2 of 2 is not id:base64/);
  expect(change).not.toThrow(secret);
  expect(readFileSync(file)).toEqual(before);
});

test('while one process changes a key file, another one is refused and told which file to look for', () => {
  const file = fileWith(keyLine('one'));
  const inside = () => changeKeyFile(file, { time: 'now', change: (keys) => [freshKey(DAY), ...keys] });
  changeKeyFile(file, {
    time: 'now',
    change(keys) {
      expect(inside).toThrow(`${file}.next exists`);
      return [freshKey(DAY), ...keys];
    },
  });
  expect(idsIn(file)).toHaveLength(2);
});

test('a process that dies during a change leaves the file whole', () => {
  const file = fileWith(keyLine('one'));
  const source = `import { changeKeyFile } from './src/keys/key-file.ts';
changeKeyFile(${JSON.stringify(file)}, { time: 'now', change() { process.kill(process.pid, 'SIGKILL'); return []; } });`;
  const { signal } = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', source]);
  expect(signal).toBe('SIGKILL');
  expect(idsIn(file)).toEqual(['one']);
  expect(() => changeKeyFile(file, { time: 'now', change: (keys) => keys })).toThrow('delete that file');
});
