// The chart that runs, as a description, and what the drawings say of it.

import { sessionMachine } from '../../machines/session.ts';
import { CHART_REVISION, MACHINE_VERSION } from '../../machines/versions.ts';
import { contextSchema } from '../../machines/vocabulary.ts';
import { contextFields } from './context-fields.ts';
import { type Description, describe } from './describe.ts';
import { meanings } from './explain.ts';
import type { Sources } from './pictures.ts';
import { defaultTimings } from './timings.ts';

export const currentChart = (): Description => ({
  ...describe(sessionMachine, MACHINE_VERSION, contextFields(contextSchema)),
  revision: CHART_REVISION,
});

export const sourcesOf = (description: Description): Sources => ({
  description,
  timings: defaultTimings(),
  meanings: meanings(),
});
