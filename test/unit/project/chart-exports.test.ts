/** The exported files of the statechart mean the chart that runs: a reader of each format finds the same chart in it. */

import { readFileSync } from 'node:fs';
import { DOMParser, type Element } from '@xmldom/xmldom';
import { describe, expect, test } from 'vitest';
import { createMachine } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import { currentChart } from '../../../scripts/diagram/chart.ts';
import { describe as describeMachine, type Transition } from '../../../scripts/diagram/describe.ts';

const chart = currentChart();
const stored = (name: string): string => readFileSync(`docs/diagrams/${name}`, 'utf8');
const SCXML = 'http://www.w3.org/2005/07/scxml';
const CHART = 'urn:rehydra:statechart';

const childrenOf = (element: Element, name: string, namespace = SCXML): readonly Element[] =>
  Array.from(element.childNodes).filter(
    (node): node is Element =>
      (node as Element).localName === name && (node as Element).namespaceURI === namespace,
  );
const actionsIn = (element: Element | undefined): readonly string[] =>
  element === undefined
    ? []
    : childrenOf(element, 'action', CHART).map((action) => {
        const given = Array.from(action.attributes).filter(({ name }) => name !== 'name');
        return [action.getAttribute('name'), ...given.map(({ name, value }) => `${name}=${value}`)].join(' ');
      });

interface Read {
  readonly states: Readonly<Record<string, unknown>>;
  readonly transitions: readonly unknown[];
}

/** The states and transitions of an SCXML document. Knows SCXML, and nothing of the program that wrote it. */
function readScxml(text: string): Read {
  const faults: string[] = [];
  const document = new DOMParser({
    onError: (level, message) => faults.push(`${level}: ${message}`),
  }).parseFromString(text, 'text/xml');
  expect(faults).toEqual([]);
  const states: Record<string, unknown> = {};
  const transitions: unknown[] = [];
  const read = (element: Element, parent: string | null): void => {
    const id = element.getAttribute('id') ?? '';
    const [entry] = childrenOf(element, 'onentry');
    const [exit] = childrenOf(element, 'onexit');
    const timers = entry === undefined ? [] : childrenOf(entry, 'send');
    const cancelled = exit === undefined ? [] : childrenOf(exit, 'cancel');
    expect(cancelled.map((one) => one.getAttribute('sendid'))).toEqual(
      timers.map((one) => one.getAttribute('id')),
    );
    states[id] = {
      parent,
      initial: element.getAttribute('initial'),
      isFinal: element.localName === 'final',
      entry: actionsIn(entry),
      exit: actionsIn(exit),
      invoke: childrenOf(element, 'invoke').map((one) => one.getAttribute('id')),
      timers: timers.map((one) => one.getAttribute('delayexpr')).toSorted(),
    };
    for (const one of childrenOf(element, 'transition'))
      transitions.push({
        source: id,
        event: one.getAttribute('event'),
        guard: one.getAttribute('cond'),
        target: one.getAttribute('target'),
        actions: actionsIn(one),
      });
    for (const name of ['state', 'final']) for (const child of childrenOf(element, name)) read(child, id);
  };
  const root = document.documentElement as Element;
  for (const child of childrenOf(root, 'state')) read(child, null);
  return { states, transitions };
}

const EVENTS: Readonly<Record<Transition['kind'], (trigger: string) => string | null>> = {
  event: (trigger) => trigger,
  after: (trigger) => `after.${trigger}`,
  done: (trigger) => `done.invoke.${trigger}`,
  error: (trigger) => `error.invoke.${trigger}`,
  always: () => null,
};
const named = ({ name, params = {} }: { name: string; params?: Readonly<Record<string, unknown>> }) =>
  [name, ...Object.entries(params).map(([key, value]) => `${key}=${value}`)].join(' ');
const inOrder = (rows: readonly unknown[]) => rows.map((row) => JSON.stringify(row)).toSorted();

describe('exports of the statechart', () => {
  test('a reader of SCXML finds each state with its actions, jobs and timers', () => {
    const wanted = chart.states.map(({ id, parent, initial, type, entry, exit, invoke }) => {
      const after = chart.transitions.filter(({ source, kind }) => source === id && kind === 'after');
      const timers = [...new Set(after.map(({ trigger }) => trigger))].toSorted();
      const isFinal = type === 'final';
      const jobs = invoke.map((job) => job.id);
      return [
        id,
        { parent, initial, isFinal, entry: entry.map(named), exit: exit.map(named), invoke: jobs, timers },
      ];
    });
    expect(readScxml(stored('session.scxml')).states).toEqual(Object.fromEntries(wanted));
  });

  test('a reader of SCXML finds each transition with its event, guard, target and actions', () => {
    const wanted = chart.transitions.map(({ source, target, kind, trigger, guard, actions }) => ({
      source,
      event: EVENTS[kind](trigger),
      guard: guard === 'else' ? null : guard,
      target,
      actions: actions.map(named),
    }));
    expect(inOrder(readScxml(stored('session.scxml')).transitions)).toEqual(inOrder(wanted));
  });

  test('in SCXML the branches of an event stand in the order in which the chart tries them', () => {
    const read = readScxml(stored('session.scxml')).transitions as readonly {
      source: string;
      event: string;
      guard: string | null;
    }[];
    const guards = read
      .filter(({ source, event }) => source === 'session.processing' && event === 'message')
      .map(({ guard }) => guard);
    const wanted = chart.transitions
      .filter(({ source, trigger }) => source === 'session.processing' && trigger === 'message')
      .map(({ guard }) => (guard === 'else' ? null : guard));
    expect(guards).toEqual(wanted);
  });

  test('XState builds the same chart from the exported configuration', () => {
    const config = JSON.parse(stored('session.config.json'));
    const built = createMachine(config, sessionMachine.implementations as never);
    const { states, transitions } = describeMachine(built, chart.version);
    expect({ states, transitions }).toEqual({ states: chart.states, transitions: chart.transitions });
  });
});
