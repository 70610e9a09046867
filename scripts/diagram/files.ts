// The generated files of the statechart, by their paths.

import type { AnyStateMachine } from 'xstate';
import { sessionMachine } from '../../machines/session.ts';
import { CHART_REVISION, MACHINE_VERSION } from '../../machines/versions.ts';
import { contextSchema } from '../../machines/vocabulary.ts';
import { coveredByTests } from '../../test/support/machine/chart-coverage.ts';
import { contextFields } from './context-fields.ts';
import { drawCoverage } from './coverage.ts';
import { type Description, describe } from './describe.ts';
import { statechartDocument } from './document.ts';
import { meanings } from './explain.ts';
import { wordsOf } from './labels.ts';
import { drawMermaid } from './mermaid.ts';
import { drawDetail, drawOverview, type Sources } from './pictures.ts';
import { writeScxml } from './scxml.ts';
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

export async function chartFiles(): Promise<Readonly<Record<string, string>>> {
  const description = currentChart();
  const sources = sourcesOf(description);
  const folder = 'docs/diagrams';
  return {
    [`${folder}/session.json`]: `${JSON.stringify(description, null, 2)}\n`,
    [`${folder}/session.config.json`]: writeConfig(sessionMachine),
    [`${folder}/session.mmd`]: drawMermaid(description, wordsOf(description, sources.timings)),
    [`${folder}/session.scxml`]: writeScxml(description),
    [`${folder}/session.svg`]: await drawDetail(sources),
    [`${folder}/session-coverage.svg`]: await drawCoverage(sources, coveredByTests()),
    [`${folder}/session-overview.svg`]: await drawOverview(sources),
    'docs/STATECHART.md': statechartDocument(sources),
  };
}

/** The machine's own configuration. Its two functions, for the first context and a job's input, are not data. */
function writeConfig(machine: AnyStateMachine): string {
  return `${JSON.stringify(machine.config, null, 2)}\n`;
}
