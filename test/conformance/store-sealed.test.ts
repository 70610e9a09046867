/** A sealed store keeps the contract, and text that no key opens never passes for an absent one. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NO_KEYS } from '../../src/sealing/key-ring.ts';
import { createSealer } from '../../src/sealing/sealer.ts';
import type { Hint, Store } from '../../src/store/contract.ts';
import { storedFrame } from '../../src/store/log.ts';
import {
  createRecordCipher,
  type RecordCipherOptions,
  STORE_PURPOSE,
} from '../../src/store/sealed/record-cipher.ts';
import { sealedStore } from '../../src/store/sealed/store.ts';
import { textsOfSession } from '../../src/store/sealed/stored-texts.ts';
import { type RedisServer, startRedis } from '../support/instance/redis-server.ts';
import { keyLine, sealingWith } from '../support/keys.ts';
import { appendOf, claimed, commitOf, freshId, OPTIONS, type StoreFixture } from './store-fixture.ts';
import { redisFixture } from './store-redis-fixture.ts';
import { sqliteFixture } from './store-sqlite-fixture.ts';
import { describeStore } from './store-suite.ts';

let server: RedisServer;
beforeAll(async () => {
  server = await startRedis();
}, 60_000);
afterAll(() => server?.stop());

const [first, second] = [keyLine('first'), keyLine('second')];

function sealedWith(store: Store, lines: string, changes: Partial<RecordCipherOptions> = {}): Store {
  return sealedStore(store, createRecordCipher({ ...sealingWith(lines), onUnopened() {}, ...changes }));
}

async function sealedFixture(below: Promise<StoreFixture>): Promise<StoreFixture> {
  const fixture = await below;
  const [a, b, c] = fixture.stores;
  return {
    ...fixture,
    stretches: true,
    stores: [sealedWith(a, first), sealedWith(b, first), sealedWith(c, first)],
  };
}

describeStore('redis, sealed', (options) => sealedFixture(redisFixture(options, server.url, [server.port])));
describeStore('sqlite, sealed', (options) =>
  sealedFixture(sqliteFixture(options, `:memory:${freshId()}`, () => {})),
);

describe.each([
  ['redis', () => redisFixture(OPTIONS, server.url, [server.port])],
  ['sqlite', () => sqliteFixture(OPTIONS, `:memory:${freshId()}`, () => {})],
])('a sealed store on %s', (_name, open) => {
  let below: StoreFixture;
  beforeAll(async () => {
    below = await open();
  });
  afterAll(() => below?.stop());

  const WORD = 'chest-pain-canary';
  const frame = (offset: number) =>
    storedFrame(offset, `{"offset":${offset},"text":"${WORD}"}`, `["${WORD}"]`);
  const said = { role: 'user', content: WORD, turnId: 't1', at: 1, author: WORD } as const;

  async function told(store: Store): Promise<string> {
    const sessionId = freshId();
    const { fence } = await claimed(store, sessionId, 'a');
    const snapshot = `{"word":"${WORD}"}`;
    const history = `["${WORD}"]`;
    const commit = commitOf({ snapshot, frames: [frame(1), frame(2)], transcript: [said], history });
    expect(await store.commit(fence, commit)).toMatchObject({ kind: 'committed' });
    const append = appendOf({ expectedHead: 2, frames: [frame(3)] });
    expect(await store.append(fence, append)).toMatchObject({ kind: 'committed' });
    await store.push(sessionId, `{"word":"${WORD}"}`);
    return sessionId;
  }

  async function everything(store: Store, sessionId: string): Promise<unknown> {
    return {
      record: await store.read(sessionId),
      log: await store.readLog(sessionId, 0, 10),
      transcript: await store.readTranscript(sessionId),
      inbox: await store.readInbox(sessionId),
      history: (await store.readHistory(sessionId))?.history,
    };
  }

  it('a sealed store leaves no word of a session in the store below', async () => {
    const [store] = below.stores;
    const sessionId = await told(sealedWith(store, first));
    expect(JSON.stringify(await everything(sealedWith(store, first), sessionId)).split(WORD)).toHaveLength(
      12,
    );
    expect(JSON.stringify(await everything(store, sessionId))).not.toContain(WORD);
    expect(JSON.stringify(await store.export(sessionId))).not.toContain(WORD);
  });

  it('the list of what a session seals has every sealed text of its dump, and each opens in its place', async () => {
    const [store] = below.stores;
    const sessionId = await told(sealedWith(store, first));
    const dump = await store.export(sessionId);
    if (dump === null) throw new Error('the session is gone');
    const texts = textsOfSession(dump);
    const sealer = createSealer(sealingWith(first).ring, STORE_PURPOSE);
    for (const { scope, place, stored } of texts)
      expect(sealer.open(scope, place, stored)).toMatchObject({ kind: 'opened' });
    expect(texts).toHaveLength(JSON.stringify(dump).split(/~[12]~first~/).length - 1);
    expect(texts.map(({ place }) => place).toSorted()).toEqual(
      ['snapshot/1', 'frame/1', 'frame/2', 'frame/3', 'said/user/t1', 'inbox', 'history'].toSorted(),
    );
  });

  it('a sealed store opens old text with the old key and seals with the new one', async () => {
    const [store] = below.stores;
    const sessionId = await told(sealedWith(store, first));
    const rotated = sealedWith(store, `${second},${first}`);
    const before = await everything(sealedWith(store, first), sessionId);
    expect(await everything(rotated, sessionId)).toEqual(before);
    const young = await told(rotated);
    expect((await store.read(young))?.snapshot).toMatch(/^~1~second~/);
  });

  it('a sealed store reads text from before the first key, unless the operator refuses plain text', async () => {
    const [store] = below.stores;
    const sessionId = await told(store);
    expect(await everything(sealedWith(store, first), sessionId)).toEqual(await everything(store, sessionId));
    const strict = sealedWith(store, first, { plain: 'refuse' });
    await expect(strict.read(sessionId)).rejects.toMatchObject({ code: 'STORE_SEALED' });
  });

  it('a sealed store rejects text that no key opens and names its place, but a claim returns it', async () => {
    const [store, , another] = below.stores;
    const sessionId = await told(sealedWith(store, first));
    await below.elapse(OPTIONS.leaseMs * 2);
    const unopened: string[] = [];
    const wrong = sealedWith(another, second, {
      onUnopened: (id, place, why) => unopened.push(`${id} ${place} ${why}`),
    });
    for (const read of [
      () => wrong.read(sessionId),
      () => wrong.readLog(sessionId, 0, 10),
      () => wrong.readTranscript(sessionId),
      () => wrong.readHistory(sessionId),
      () => wrong.export(sessionId),
    ])
      await expect(read()).rejects.toMatchObject({ code: 'STORE_SEALED' });
    expect(unopened).toContain(`${sessionId} frame/1 key-unknown`);
    const { record } = await claimed(wrong, sessionId, 'b');
    expect(() => JSON.parse(record?.snapshot ?? '{}')).toThrow();
    // A store with the key still reads everything.
    expect(JSON.stringify(await everything(sealedWith(store, first), sessionId)).split(WORD)).toHaveLength(
      12,
    );
  });

  it('a store without keys does not read sealed text', async () => {
    const [store] = below.stores;
    const sessionId = await told(sealedWith(store, first));
    const keyless = sealedStore(store, createRecordCipher({ ...NO_KEYS, onUnopened() {} }));
    await expect(keyless.read(sessionId)).rejects.toMatchObject({ code: 'STORE_SEALED' });
    await expect(keyless.readLog(sessionId, 0, 10)).rejects.toMatchObject({ code: 'STORE_SEALED' });
    const plain = await told(keyless);
    expect(await everything(keyless, plain)).toEqual(await everything(store, plain));
  });

  it('a sealed store turns a hint that no key opens into a moved hint', async () => {
    const [store, watcher] = below.stores;
    const sessionId = freshId();
    const heard: Hint[] = [];
    sealedWith(watcher, second).onHint((hint) => heard.push(hint));
    await watcher.watch(sessionId);
    const sealed = sealedWith(store, first);
    const { fence } = await claimed(sealed, sessionId, 'a');
    await sealed.commit(fence, commitOf());
    await sealed.commit(fence, commitOf({ expectedVersion: 1, frames: [frame(1)], notify: true, end: true }));
    await expect.poll(() => heard.at(-1)).toEqual({ kind: 'moved', sessionId });
  });
});
