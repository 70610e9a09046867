/** Opens the source and the target of a move by name, and the notes of the move. */
import { createHash } from 'node:crypto';
import path from 'node:path';
import { Redis } from 'ioredis';
import type { Config } from '../config/config.ts';
import { openRing } from '../sealing/file-ring.ts';
import type { Store } from '../store/contract.ts';
import { makeFolder } from '../store/embedded/folder.ts';
import { folderIn, openStore } from '../store/open.ts';
import { connect, parseAddress, untilReady } from '../store/redis/connection.ts';
import { createRecordCipher } from '../store/sealed/record-cipher.ts';
import { sealedStore } from '../store/sealed/store.ts';
import { guideSource } from './guide-source.ts';
import { fileNotebook, type Notebook, parseNotes } from './notes.ts';
import { type Options, withoutPassword } from './options.ts';
import { type Source, storeSource } from './source.ts';

export interface Endpoints {
  readonly source: Source;
  /** Null for a read-only source. */
  readonly from: Store | null;
  readonly to: Store;
  readonly notebook: Notebook;
  close(): Promise<void>;
}

const TIMEOUT_MS = 30_000;
const GUIDE = 'guide+';

export async function openEndpoints(options: Options, config: Config): Promise<Endpoints> {
  const closing: (() => Promise<void> | void)[] = [];
  const ring = openRing(config.sealing);
  const { plain } = config.sealing;
  const close = async () => {
    for (const one of closing.splice(0).reverse()) await one();
  };
  const open = async (url: string): Promise<Store> => {
    const store = await openStore(url, config.store, { commandTimeoutMs: TIMEOUT_MS });
    closing.push(() => store.close());
    // The rejection names the session and the place of a text that no key opens.
    return sealedStore(store, createRecordCipher({ ring, plain, onUnopened: () => {} }));
  };
  try {
    const notebook = notebookOf(options, closing);
    if (!options.from.startsWith(GUIDE)) {
      const from = await open(options.from);
      return { source: storeSource(from), from, to: await open(options.to), notebook, close };
    }
    const redis = new Redis(options.from.slice(GUIDE.length), { protocol: 2, commandTimeout: TIMEOUT_MS });
    redis.on('error', () => {
      // Without a listener ioredis prints to the console.
    });
    closing.push(() => redis.disconnect());
    await untilReady(redis, withoutPassword(options.from), TIMEOUT_MS);
    const source = guideSource(redis, config.session.limits);
    return { source, from: null, to: await open(options.to), notebook, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function notebookOf({ from, to, state }: Options, closing: (() => void)[]): Notebook {
  if (state !== null) return fileNotebook(state);
  const folder = folderIn(to);
  if (folder !== null) {
    makeFolder(folder);
    return fileNotebook(path.join(folder, 'migration.json'));
  }
  const client = connect(parseAddress(to), 'commit', TIMEOUT_MS);
  client.on('error', () => {
    // Without a listener ioredis prints to the console.
  });
  closing.push(() => client.disconnect());
  const move = createHash('sha256').update(withoutPassword(from)).digest('hex').slice(0, 16);
  const key = `rehydra:migration:${move}`;
  const ready = untilReady(client, withoutPassword(to), TIMEOUT_MS);
  ready.catch(() => {});
  return {
    async read() {
      await ready;
      const text = await client.get(key);
      return text === null ? null : parseNotes(text);
    },
    async write(notes) {
      await ready;
      await client.set(key, JSON.stringify(notes));
    },
    async forget() {
      await ready;
      await client.del(key);
    },
  };
}
