import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';
import { assertExists, placesOf } from '../../../src/keys/places.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rehydra-places-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('the places of a deployment show no password of a store, of a rollout or of the archive', () => {
  const config = readConfig({
    REDIS_URL: 'redis+cluster://user:hunter2@one:6379,two:6379',
    STORE_ROLLOUT_URL: 'rediss://:hunter3@three:6379',
    STORE_ROLLOUT: '10',
    DATABASE_URL: 'postgres://user:hunter4@four/archive?password=hunter5',
  });
  const places = placesOf(config);
  expect(places).toEqual({
    stores: [
      { name: 'redis+cluster://***@one:6379,two:6379', missing: null },
      { name: 'rediss://***@three:6379', missing: null },
    ],
    archive: { name: 'postgres://***@four/archive?password=***', missing: null },
  });
  expect(() => assertExists(places)).not.toThrow();
});

test('an embedded store of a rollout that does not exist is refused by the name of its setting', () => {
  writeFileSync(join(folder, 'archive.db'), '');
  const missing = join(folder, 'next');
  const config = readConfig({
    REDIS_URL: 'redis://one:6379',
    STORE_ROLLOUT_URL: `sqlite:${missing}`,
    STORE_ROLLOUT: '10',
    DATA_DIR: folder,
  });
  expect(() => assertExists(placesOf(config))).toThrow(`STORE_ROLLOUT_URL=sqlite:${missing} has no store`);
});

test('an embedded store and archive count as present once their files exist, and a look at them creates none', () => {
  const config = readConfig({ DATA_DIR: folder });
  expect(() => assertExists(placesOf(config))).toThrow(`DATA_DIR=${folder} has no store`);
  writeFileSync(join(folder, 'rehydra.db'), '');
  expect(() => assertExists(placesOf(config))).toThrow(`DATA_DIR=${folder} has no archive`);
  expect(readdirSync(folder)).toEqual(['rehydra.db']);
  writeFileSync(join(folder, 'archive.db'), '');
  expect(() => assertExists(placesOf(config))).not.toThrow();
});

test('a store in the memory of the service is refused, because no other program reads it', () => {
  const config = readConfig({ DATA_DIR: ':memory:' });
  expect(() => assertExists(placesOf(config))).toThrow(
    'DATA_DIR=:memory: keeps the store in the memory of the service, where no other program reads it',
  );
});
