import { expect, describe as group, test } from 'vitest';
import { createMachine, setup } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import { describe, heading } from '../../../scripts/diagram/describe.ts';
import { widthOf } from '../../../scripts/diagram/graph.ts';
import { layOut } from '../../../scripts/diagram/layout.ts';
import { drawMermaid } from '../../../scripts/diagram/mermaid.ts';
import { drawSvg } from '../../../scripts/diagram/svg.ts';

const description = describe(sessionMachine, 1);

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
});

group('the drawings', () => {
  test('two drawings of one machine are equal byte for byte', async () => {
    const draw = async () => drawSvg(await layOut(describe(sessionMachine, 1)), 'The machine');
    expect(await draw()).toBe(await draw());
  });

  test('the drawings show every state and every transition', async () => {
    const svg = drawSvg(await layOut(description), 'The machine');
    const mermaid = drawMermaid(description);
    expect(svg).not.toMatch(/NaN|undefined/);
    for (const { key } of description.states)
      for (const drawing of [svg, mermaid]) expect(drawing).toContain(key);
    for (const transition of description.transitions)
      for (const drawing of [svg, mermaid]) expect(drawing).toContain(heading(transition));
  });

  test('every row of the drawing fits its box', async () => {
    for (const { state, width } of (await layOut(description)).states)
      expect(width, state.id).toBeGreaterThanOrEqual(widthOf(state, description));
  });

  test('labels of the drawing neither overlap nor leave the picture', async () => {
    const layout = await layOut(description);
    const pills = layout.lines.flatMap((line) => line.pills);
    for (const [index, one] of pills.entries()) {
      expect(one.x).toBeGreaterThanOrEqual(0);
      expect(one.x + one.width).toBeLessThanOrEqual(layout.width);
      for (const other of pills.slice(index + 1)) {
        const apart =
          one.x + one.width <= other.x ||
          other.x + other.width <= one.x ||
          one.y + one.height <= other.y ||
          other.y + other.height <= one.y;
        expect(apart, `${one.text} / ${other.text}`).toBe(true);
      }
    }
  });
});
