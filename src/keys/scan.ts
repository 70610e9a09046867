/** Reads every stored text of a deployment: of its living sessions, then of its archive. It opens none and writes none. */
import type { Archive } from '../archive/archive.ts';
import type { Engine } from '../archive/database/engine.ts';
import { archiveOn, openEngine } from '../archive/open.ts';
import { textsOfArchive } from '../archive/stored-texts.ts';
import type { Config } from '../config/config.ts';
import type { Store } from '../store/contract.ts';
import { openDeployedReader } from '../store/open.ts';
import { textsOfSession } from '../store/sealed/stored-texts.ts';
import { assertExists, placesOf } from './places.ts';
import type { Tally } from './tally.ts';

const SESSIONS_PER_PAGE = 100;

export interface Deployment {
  /** Below the sealing: it returns texts as they are stored. */
  readonly store: Store;
  readonly engine: Pick<Engine, 'db'>;
  close(): Promise<void>;
}

/** Throws if an embedded store or archive does not exist, and creates none. */
export async function openDeployment(config: Config): Promise<Deployment> {
  assertExists(placesOf(config));
  const store = await openDeployedReader(config.store);
  let archive: Archive | null = null;
  const close = async () => {
    await archive?.close();
    await store.close();
  };
  try {
    const engine = openEngine(config.archive);
    archive = await archiveOn(engine);
    return { store, engine, close };
  } catch (error) {
    await close();
    throw error;
  }
}

export async function scan({ store, engine }: Omit<Deployment, 'close'>, tally: Tally): Promise<void> {
  await scanStore(store, tally);
  // After the store: a session that ends meanwhile moves from there into the archive, and is counted at least once.
  for await (const texts of textsOfArchive(engine)) for (const text of texts) tally.add('archive', text);
}

async function scanStore(store: Store, tally: Tally): Promise<void> {
  for (let cursor: string | null = null; ; ) {
    const from: { cursor?: string } = cursor === null ? {} : { cursor };
    const page = await store.list({ limit: SESSIONS_PER_PAGE, ...from });
    for (const sessionId of page.sessionIds) await scanSession(store, sessionId, tally);
    cursor = page.cursor;
    if (cursor === null) return;
  }
}

async function scanSession(store: Store, sessionId: string, tally: Tally): Promise<void> {
  try {
    const dump = await store.export(sessionId);
    // Null: it has ended since the listing.
    for (const text of dump === null ? [] : textsOfSession(dump)) tally.add('store', text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    tally.addUnreadable(sessionId);
  }
}
