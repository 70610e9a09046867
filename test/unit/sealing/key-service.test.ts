/** The port for keys takes a key management service: an adapter that keeps only wrapped keys, and asks to unwrap them. */
import { createCipheriv, createDecipheriv, createSecretKey, randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { KeyRing } from '../../../src/sealing/key-ring.ts';
import type { DataKey } from '../../../src/sealing/keys.ts';
import { createRecordCipher } from '../../../src/store/sealed/record-cipher.ts';
import { sealedStore } from '../../../src/store/sealed/store.ts';
import { openSqliteStore } from '../../../src/store/sqlite/open.ts';
import { created, OPTIONS } from '../../conformance/store-fixture.ts';

const WRAP = 'id-aes256-wrap';
const IV = Buffer.alloc(8, 0xa6);

interface WrappedKey {
  readonly id: string;
  readonly wrapped: Buffer;
}

/** The service: its own key never leaves it, and it can be away. */
function keyService() {
  const own = randomBytes(32);
  const state = { isAway: false };
  return {
    state,
    make(id: string): WrappedKey {
      const cipher = createCipheriv(WRAP, own, IV);
      return { id, wrapped: Buffer.concat([cipher.update(randomBytes(32)), cipher.final()]) };
    },
    async unwrap({ wrapped }: WrappedKey): Promise<Buffer> {
      await Promise.resolve();
      if (state.isAway) throw new Error('the key service is away');
      const decipher = createDecipheriv(WRAP, own, IV);
      return Buffer.concat([decipher.update(wrapped), decipher.final()]);
    },
  };
}

type KeyService = ReturnType<typeof keyService>;

async function openServiceRing(service: KeyService, wrapped: () => readonly WrappedKey[]): Promise<KeyRing> {
  const unwrapped = () =>
    Promise.all(
      wrapped().map(async (key) => ({ id: key.id, secret: createSecretKey(await service.unwrap(key)) })),
    );
  let keys: readonly DataKey[] = await unwrapped();
  return {
    current: () => keys,
    finds: () => false,
    async reload() {
      keys = await unwrapped().catch(() => keys);
    },
  };
}

test('a ring of keys that a key service unwraps seals a store, rotates, and survives an absence of the service', async () => {
  const service = keyService();
  const wrapped = [service.make('one')];
  const ring = await openServiceRing(service, () => wrapped);
  const below = await openSqliteStore({ ...OPTIONS, dataDir: ':memory:' });
  const store = sealedStore(below, createRecordCipher({ ring, plain: 'read', onUnopened() {} }));
  const keyOf = async (sessionId: string) => (await below.read(sessionId))?.snapshot.split('~')[2];

  const old = await created(store, 'a', { snapshot: '{"said":"before"}' });
  wrapped.unshift(service.make('two'));
  service.state.isAway = true;
  await ring.reload();
  const meanwhile = await created(store, 'a');
  service.state.isAway = false;
  await ring.reload();
  const young = await created(store, 'a');
  expect(await Promise.all([old, meanwhile, young].map(({ sessionId }) => keyOf(sessionId)))).toEqual([
    'one',
    'one',
    'two',
  ]);
  expect(await store.read(old.sessionId)).toMatchObject({ snapshot: '{"said":"before"}' });
  await store.close();
});
