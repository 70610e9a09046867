/** The contract of `src/store/contract.ts` as tests. Every store runs all of it. */
import { afterAll, beforeAll, describe } from 'vitest';
import { describeFencing } from './store-fencing.ts';
import { OPTIONS, type StoreFactory, type StoreFixture } from './store-fixture.ts';
import { describeHints } from './store-hints.ts';
import { describeHistory } from './store-history.ts';
import { describeListing } from './store-listing.ts';
import { describeLog } from './store-log.ts';
import { describeModel } from './store-model.ts';
import { describeMoving } from './store-moving.ts';
import { describeSweep } from './store-sweep.ts';
import { describeTally } from './store-tally.ts';

export function describeStore(name: string, factory: StoreFactory): void {
  describe(name, () => {
    let fixture: StoreFixture;
    beforeAll(async () => {
      fixture = await factory(OPTIONS);
    }, 60_000);
    afterAll(() => fixture?.stop());

    describeFencing(() => fixture);
    describeLog(() => fixture);
    describeHistory(() => fixture);
    describeHints(() => fixture);
    describeSweep(() => fixture);
    describeListing(() => fixture);
    describeMoving(() => fixture);
    describeTally(() => fixture);
    describeModel(factory);
  });
}
