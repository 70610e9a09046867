/** What the seed documents ask for, row by row: where it is, which tests show it, or why there is no such thing. */
import { guide } from './coverage/guide.ts';
import { plan } from './coverage/plan.ts';
import type { Section } from './coverage/section.ts';
import { spec } from './coverage/spec.ts';

export interface Seed {
  readonly title: string;
  readonly sections: readonly Section[];
}

export const seeds: readonly Seed[] = [
  { title: 'The session specification (`000_…`)', sections: spec },
  { title: 'The implementation guide (`001_…`)', sections: guide },
  { title: 'The Redis migration plan (`002_…`)', sections: plan },
];
