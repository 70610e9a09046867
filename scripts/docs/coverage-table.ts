/** What the seed documents ask for, row by row: where it is, which tests show it, or why there is no such thing. */
import { guide } from './coverage/guide.ts';
import { plan } from './coverage/plan.ts';
import { spec } from './coverage/spec.ts';

export interface Row {
  readonly asks: string;
  /** Files and folders of the repository. */
  readonly where: readonly string[];
  /** A file and the words by which the test is found in it. */
  readonly shownBy: readonly (readonly [path: string, name: string])[];
  /** What was decided otherwise, and why; required where nothing shows it. */
  readonly note?: string;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

export interface Seed {
  readonly title: string;
  readonly sections: readonly Section[];
}

export const seeds: readonly Seed[] = [
  { title: 'The session specification (`000_…`)', sections: spec },
  { title: 'The implementation guide (`001_…`)', sections: guide },
  { title: 'The Redis migration plan (`002_…`)', sections: plan },
];
