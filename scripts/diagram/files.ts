// The generated files of the statechart, by their paths.

import type { AnyStateMachine } from 'xstate';
import { sessionMachine } from '../../machines/session.ts';
import { coveredByTests } from '../../test/support/machine/chart-coverage.ts';
import { currentChart, sourcesOf } from './chart.ts';
import { drawCoverage } from './coverage.ts';
import { diffTable, drawDiff } from './diff.ts';
import { statechartDocument } from './document.ts';
import { wordsOf } from './labels.ts';
import { drawMermaid } from './mermaid.ts';
import { drawDetail, drawOverview } from './pictures.ts';
import { previousChart } from './records.ts';
import { writeScxml } from './scxml.ts';

export async function chartFiles(): Promise<Readonly<Record<string, string>>> {
  const description = currentChart();
  const sources = sourcesOf(description);
  const previous = previousChart(description);
  const folder = 'docs/diagrams';
  return {
    [`${folder}/session.json`]: `${JSON.stringify(description, null, 2)}\n`,
    [`${folder}/session.config.json`]: writeConfig(sessionMachine),
    [`${folder}/session.mmd`]: drawMermaid(description, wordsOf(description, sources.timings)),
    [`${folder}/session.scxml`]: writeScxml(description),
    [`${folder}/session.svg`]: await drawDetail(sources),
    [`${folder}/session-coverage.svg`]: await drawCoverage(sources, coveredByTests()),
    [`${folder}/session-diff.svg`]: await drawDiff(previous, sources),
    [`${folder}/session-overview.svg`]: await drawOverview(sources),
    'docs/STATECHART.md': statechartDocument(sources, diffTable(previous, description)),
  };
}

/** The machine's own configuration. Its two functions, for the first context and a job's input, are not data. */
function writeConfig(machine: AnyStateMachine): string {
  return `${JSON.stringify(machine.config, null, 2)}\n`;
}
