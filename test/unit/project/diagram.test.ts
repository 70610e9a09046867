import { expect, describe as group, test } from 'vitest';
import { createMachine, setup } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import { currentChart, sourcesOf } from '../../../scripts/diagram/chart.ts';
import { describe, type Transition } from '../../../scripts/diagram/describe.ts';
import { meanings } from '../../../scripts/diagram/explain.ts';
import { widthOf } from '../../../scripts/diagram/graph.ts';
import { bracketText, headText, isRefusal, wordsOf } from '../../../scripts/diagram/labels.ts';
import type { Layout, PlacedLabel } from '../../../scripts/diagram/layout.ts';
import { drawMermaid } from '../../../scripts/diagram/mermaid.ts';
import { knownDelays, knownGuards } from '../../../scripts/diagram/phrases.ts';
import { detailLayout, drawDetail, drawOverview, overviewLayout } from '../../../scripts/diagram/pictures.ts';
import { elementId } from '../../../scripts/diagram/svg.ts';

const description = currentChart();
const sources = sourcesOf(description);
const words = wordsOf(description, sources.timings);
const leaving = description.transitions.filter(({ target }) => target !== null);

group('the description of a machine', () => {
  test('the description of a machine lists each state and each transition once, sorted by id', () => {
    for (const list of [description.states, description.transitions]) {
      const ids = list.map(({ id }) => id);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).toEqual(ids.toSorted());
    }
  });

  test('the description of a machine contains both ends of each transition', () => {
    const known = new Set(description.states.map(({ id }) => id));
    for (const { source, target } of description.transitions) {
      expect(known).toContain(source);
      if (target !== null) expect(known).toContain(target);
    }
  });

  test('the description of a machine does not depend on the order of states in the source', () => {
    const on = { go: { target: '#m.b', guard: 'may', actions: [{ type: 'tell', params: { who: 'you' } }] } };
    const states = { a: { on }, b: { after: { 'a while': 'a' } } } as const;
    const { a, b } = states;
    const described = [
      { a, b },
      { b, a },
    ].map((order) => describe(createMachine({ id: 'm', initial: 'a', states: order } as never), 1));
    expect(described[0]?.transitions).toEqual(described[1]?.transitions);
    expect(described[0]?.transitions).toMatchObject([
      { id: 'm.a:go#0', guard: 'may', actions: [{ name: 'tell', params: { who: 'you' } }] },
      { id: 'm.b:after a while#0', kind: 'after', trigger: 'a while', target: 'm.a' },
    ]);
  });

  test('a machine with an inline action has no description', () => {
    const nameless = setup({}).createMachine({ id: 'm', on: { go: { actions: () => {} } } });
    expect(() => describe(nameless, 1)).toThrow(/name/);
  });

  test('the description of the session machine lists the stored fields of the context with their types', () => {
    expect(description.context).toContain('turn: object | null');
    expect(description.context).toContain(
      'queue[].policy: "queue" | "reject" | "interrupt" | "rollback" | "merge"',
    );
    expect(description.context).toContain('tenant?: string');
  });
});

group('the words of the drawings', () => {
  test('each guard, action and state of the session machine has a doc comment that says what it means', () => {
    const known = meanings();
    const { guards, actions, delays } = sessionMachine.implementations;
    const names = [guards, actions, delays].flatMap((implemented) => Object.keys(implemented));
    const states = description.states.filter(({ parent }) => parent !== null).map(({ key }) => key);
    expect([...names, ...states].filter((name) => !known.has(name))).toEqual([]);
  });

  test('each guard and each delay of the session machine has a phrase for the drawings', () => {
    const { guards, delays } = sessionMachine.implementations;
    expect(Object.keys(guards).filter((guard) => !knownGuards.has(guard))).toEqual([]);
    expect(Object.keys(delays).filter((delay) => !knownDelays.has(delay))).toEqual([]);
  });

  test('two branches of one event never have the same words, unless both refuse it', () => {
    const saying = (one: Transition) => `${one.source} ${headText(words(one))} ${isRefusal(one)}`;
    const said = description.transitions.map(saying);
    expect(said.filter((text, index) => said.indexOf(text) !== index)).toEqual([]);
  });

  test('a branch without a guard says what the branches before it leave over', () => {
    const heads = new Map(description.transitions.map((one) => [one.id, headText(words(one))]));
    expect(heads.get('session.processing.next:always#2')).toBe('nothing waits, no client is here');
    expect(heads.get('session:close#2')).toBe('close: no turn runs');
    // Its only other branch refuses the event.
    expect(heads.get('session.connected:attach#1')).toBe('attach');
  });

  test('a timer is drawn with its duration under the default settings', () => {
    const heads = new Set(description.transitions.map((one) => headText(words(one))));
    expect(heads).toContain('1 h without input');
    expect(heads).toContain('4 h after the start: a turn runs');
    expect(heads).toContain('after 100 ms, then 200 ms');
  });
});

group('the drawings', () => {
  test('two drawings of one machine are equal byte for byte', async () => {
    expect(await drawDetail(sources)).toBe(await drawDetail(sources));
  });

  test('the detail shows every state and every transition under its id, with both ends and the event', async () => {
    const svg = await drawDetail(sources);
    expect(svg).not.toMatch(/NaN|undefined/);
    for (const { id } of description.states) expect(svg.split(`id="${elementId(id)}"`)).toHaveLength(2);
    for (const { id, source, target, trigger, kind } of description.transitions) {
      const event = kind === 'event' ? trigger : `${kind} ${trigger}`.trim();
      const ends = `data-from="${source}" data-event="${event}" data-to="${target ?? source}"`;
      expect(svg.split(`<g id="${elementId(id)}" ${ends}>`), id).toHaveLength(2);
    }
  });

  test('the detail shows the words and the actions of every transition', async () => {
    const text = (await detailLayout(sources)).lines.flatMap(({ labels }) => labels.map(textOf));
    const rows = (await detailLayout(sources)).boxes.flatMap((box) => box.rows.map(textOf));
    const shown = [...text, ...rows];
    for (const one of description.transitions) {
      const { trigger, condition, actions } = words(one);
      const parts = [trigger, condition, actions.join(', ')];
      expect(
        shown.some((label) => parts.every((part) => label.includes(part))),
        one.id,
      ).toBe(true);
    }
  });

  test('Mermaid’s drawing shows every state and every transition', () => {
    const mermaid = drawMermaid(description, words);
    for (const { key } of description.states) expect(mermaid).toContain(key);
    for (const one of description.transitions) expect(mermaid).toContain(bracketText(words(one)));
    // Mermaid ends a label at a second colon.
    for (const line of mermaid.split('\n')) expect(line.split(':').length).toBeLessThanOrEqual(2);
  });

  test('every row of the drawings fits its box', async () => {
    for (const layout of await layouts())
      for (const { box, width } of layout.boxes)
        if (box.kind !== 'elsewhere') expect(width, box.id).toBeGreaterThanOrEqual(widthOf(box));
  });

  test('labels of the drawings neither overlap nor leave the picture', async () => {
    for (const layout of await layouts()) {
      const labels = layout.lines.flatMap((line) => line.labels);
      for (const [index, one] of labels.entries()) {
        expect(one.x).toBeGreaterThanOrEqual(0);
        expect(one.x + one.width).toBeLessThanOrEqual(layout.width);
        for (const other of labels.slice(index + 1)) {
          const apart =
            one.x + one.width <= other.x ||
            other.x + other.width <= one.x ||
            one.y + one.height <= other.y ||
            other.y + other.height <= one.y;
          expect(apart, `${textOf(one)} / ${textOf(other)}`).toBe(true);
        }
      }
    }
  });

  test('the overview and the detail are no wider than a page of documentation', async () => {
    for (const layout of await layouts()) expect(layout.width).toBeLessThanOrEqual(960);
    expect((await overviewLayout(sources)).height).toBeLessThanOrEqual(400);
  });

  test('the overview shows the states under the root, and every trigger that moves a session between them', async () => {
    const svg = await drawOverview(sources);
    for (const top of ['connected', 'processing', 'idle', 'expired'])
      expect(svg.split(`id="session.${top}"`)).toHaveLength(2);
    const topOf = (id: string) => id.split('.')[1] ?? 'any';
    for (const { id, source, target } of leaving)
      if (topOf(source) !== topOf(target ?? '')) expect(svg).toContain(`<g id="${elementId(id)}"`);
  });

  test('a picture has a title and a description for readers who do not see it', async () => {
    for (const svg of [await drawOverview(sources), await drawDetail(sources)]) {
      expect(svg).toContain('role="img" aria-labelledby="chart-title chart-description"');
      const [, told = ''] = /<desc id="chart-description">([^<]*)<\/desc>/.exec(svg) ?? [];
      for (const one of leaving)
        if (one.target !== one.source) expect(told).toContain(`– ${headText(words(one))}.`);
    }
  });
});

const textOf = ({ label }: PlacedLabel): string => [...label.head, ...label.tail].join(' ');
const layouts = async (): Promise<readonly Layout[]> => [
  await overviewLayout(sources),
  await detailLayout(sources),
];
