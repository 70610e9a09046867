/** The tests take every state and every transition of the chart; docs/diagrams/session-coverage.svg shows it. */
import { expect, test } from 'vitest';
import { currentChart, sourcesOf } from '../../../scripts/diagram/chart.ts';
import { drawCoverage, uncovered } from '../../../scripts/diagram/coverage.ts';
import { coveredByTests, tookIn } from '../../support/machine/chart-coverage.ts';
import { beginStepped } from '../../support/machine/stepped-session.ts';

const chart = currentChart();
const { states, transitions } = chart;

test('the tests of the machine enter every state of the chart', () => {
  const covered = coveredByTests();
  expect(states.map(({ id }) => id).filter((id) => !covered.has(id))).toEqual([]);
});

test('the tests of the machine take every transition of the chart, branch by branch', () => {
  const covered = coveredByTests();
  expect(transitions.map(({ id }) => id).filter((id) => !covered.has(id))).toEqual([]);
});

test('the picture of the coverage marks what no test takes, and the check names it', async () => {
  const covered = new Set(coveredByTests());
  covered.delete('session.idle:detach#0');
  covered.delete('session.idle.expiring');
  expect(uncovered(chart, covered)).toEqual(['session.idle.expiring', 'session.idle:detach#0']);
  const svg = await drawCoverage(sourcesOf(chart), covered);
  const count = states.length + transitions.length;
  expect(svg).toContain(`${count - 2} of ${count} states and transitions`);
  expect(svg).toContain('>! expiring<');
  expect(svg).toContain('>! detach<');
});

test('the coverage counts the branch that an event took, and the branches that followed at once', () => {
  const session = beginStepped();
  session.ask(1);
  expect([...tookIn(session.made)].toSorted()).toEqual([
    'session',
    'session.connected',
    'session.connected:message#1',
    'session.processing',
    'session.processing.generating',
    'session.processing.next',
    'session.processing.next:always#0',
  ]);
});
