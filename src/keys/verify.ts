/** Verify reads everything that a deployment stores, and reports by key what is sealed, plain, or not to be opened. */
import { ARCHIVE_PURPOSE } from '../archive/field-cipher.ts';
import type { Config } from '../config/config.ts';
import { openRing } from '../sealing/file-ring.ts';
import { createSealer } from '../sealing/sealer.ts';
import { STORE_PURPOSE } from '../store/sealed/record-cipher.ts';
import { placesOf } from './places.ts';
import { openDeployment, scan } from './scan.ts';
import { type Counts, createTally, type Tally, type UnopenedText } from './tally.ts';

/** Texts that get a line of their own; the others are only counted. */
const NAMED_MAX = 20;

export type Say = (line: string) => void;

export interface Verified {
  readonly keys: Readonly<Record<string, Counts>>;
  readonly plain: Counts;
  readonly unopened: number;
}

export async function verify(config: Config, say: Say): Promise<Verified> {
  let named = 0;
  const tally = await count(config, say, ({ scope, place, why }) => {
    named += 1;
    if (named <= NAMED_MAX) say(`${place} of ${scope} cannot be opened: ${why}`);
  });
  const { keys: ring, plain: plainSetting } = config.sealing;
  const [first] = ring;
  for (const { id } of ring) {
    const counts = tally.sealed.get(id);
    const end = id === first?.id ? '; it encrypts what is written now' : '; it can be retired';
    say(counts === undefined ? `${id} seals nothing${end}` : `${id} seals ${inWords(counts)}`);
  }
  for (const [id, counts] of tally.sealed)
    if (!ring.some((key) => key.id === id))
      say(`${id}, which is not among the keys, seals ${inWords(counts)}`);
  const isAllSealed = tally.plain.store + tally.plain.archive === 0;
  if (!isAllSealed) say(`stored without a key: ${inWords(tally.plain)}`);
  else if (first !== undefined && plainSetting === 'read')
    say('nothing is stored without a key: DATA_PLAIN=refuse can be set');
  if (tally.unopened > 0) say(`cannot be opened: ${tally.unopened}`);
  return { keys: Object.fromEntries(tally.sealed), plain: tally.plain, unopened: tally.unopened };
}

/** First it says what it reads: a mistaken environment would otherwise look like an empty deployment. */
export async function count(
  config: Config,
  say: Say,
  onUnopened: (text: UnopenedText) => void,
): Promise<Tally> {
  const { stores, archive } = placesOf(config);
  say(`store: ${stores.map(({ name }) => name).join(' and ')}`);
  say(`archive: ${archive.name}`);
  const ring = openRing(config.sealing);
  const sealers = { store: createSealer(ring, STORE_PURPOSE), archive: createSealer(ring, ARCHIVE_PURPOSE) };
  const tally = createTally({ sealers, plain: config.sealing.plain, onUnopened });
  const deployment = await openDeployment(config);
  try {
    await scan(deployment, tally);
  } finally {
    await deployment.close();
  }
  return tally;
}

export function inWords({ store, archive }: Counts): string {
  return `${store} ${store === 1 ? 'text' : 'texts'} in the store, ${archive} in the archive`;
}
