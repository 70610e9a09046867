/** Tally counts stored texts by the key that seals them, and tests whether they open. */
import { keyIdIn, type Sealer, type StoredText, type Unopened } from '../sealing/sealer.ts';

export type StorePlace = 'store' | 'archive';
export type Counts = Readonly<Record<StorePlace, number>>;

export interface UnopenedText extends Omit<StoredText, 'stored'> {
  readonly why: Unopened | 'unreadable';
}

export interface Tally {
  /** For each key id that occurs, in any order. */
  readonly sealed: ReadonlyMap<string, Counts>;
  readonly plain: Counts;
  /** Sealed texts that a key of the ring opens. */
  readonly opened: number;
  readonly unopened: number;
  add(place: StorePlace, text: StoredText): void;
  /** A session that the store could not read at all. */
  addUnreadable(scope: string): void;
}

const NONE: Counts = { store: 0, archive: 0 };

export interface TallyOptions {
  readonly sealers: Readonly<Record<StorePlace, Sealer>>;
  readonly plain: 'read' | 'refuse';
  readonly onUnopened: (text: UnopenedText) => void;
}

export function createTally({ sealers, plain, onUnopened }: TallyOptions): Tally {
  const sealed = new Map<string, Counts>();
  let plainTexts = NONE;
  let opened = 0;
  let unopened = 0;

  const oneMore = (counts: Counts, place: StorePlace) => ({ ...counts, [place]: counts[place] + 1 });
  function failed(scope: string, place: string, why: UnopenedText['why']): void {
    unopened += 1;
    onUnopened({ scope, place, why });
  }

  return {
    sealed,
    get plain() {
      return plainTexts;
    },
    get opened() {
      return opened;
    },
    get unopened() {
      return unopened;
    },
    add(where, { scope, place, stored }) {
      const id = keyIdIn(stored);
      if (id === null) plainTexts = oneMore(plainTexts, where);
      else sealed.set(id, oneMore(sealed.get(id) ?? NONE, where));
      if (id === null && plain === 'read') return;
      const found = sealers[where].open(scope, place, stored);
      if (found.kind === 'unopened') failed(scope, place, found.why);
      else if (id !== null) opened += 1;
    },
    addUnreadable: (scope) => failed(scope, 'session', 'unreadable'),
  };
}
