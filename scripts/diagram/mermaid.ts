// Draws a description as Mermaid, which GitHub renders in a README and in a review.
//
// Mermaid has no guards and no line from a state into itself. So a label includes its condition, and a note lists a
// state's transitions to its own children. The final state is outside the root's box, so that lines can leave the box.

import type { Description, State, Transition } from './describe.ts';
import { actionText, bracketText, type Words } from './labels.ts';

export function drawMermaid(description: Description, words: Words): string {
  const states = new Map(description.states.map((state) => [state.id, state]));
  const root = description.states.find(({ parent }) => parent === null);
  if (root === undefined) throw new Error('the description has no root');
  const isEnd = (state: State): boolean => state.type === 'final' && state.parent === root.id;
  const isInwards = ({ source, target }: Transition): boolean => {
    const to = target === null ? undefined : states.get(target);
    return to !== undefined && !isEnd(to) && to.id.startsWith(`${source}.`);
  };

  const lines = ['stateDiagram-v2'];
  const draw = (state: State, indent: string): void => {
    const name = nameOf(state.id);
    if (state.children.length === 0) {
      lines.push(
        `${indent}state "${[state.key, ...rowsOf(state, description, words)].join('<br/>')}" as ${name}`,
      );
      return;
    }
    lines.push(`${indent}state "${state.key}" as ${name} {`);
    if (state.initial !== null) lines.push(`${indent}  [*] --> ${nameOf(state.initial)}`);
    for (const child of childrenOf(state)) if (!isEnd(child)) draw(child, `${indent}  `);
    lines.push(`${indent}}`);
  };
  const childrenOf = (state: State): readonly State[] => state.children.flatMap((id) => states.get(id) ?? []);

  draw(root, '  ');
  for (const end of childrenOf(root).filter(isEnd)) {
    draw(end, '  ');
    lines.push(`  ${nameOf(end.id)} --> [*]`);
  }
  lines.push(
    ...arrows(
      description.transitions.filter((transition) => !isInwards(transition)),
      words,
    ),
  );
  for (const state of description.states) {
    if (state.children.length === 0) continue;
    const inwards = description.transitions.filter((one) => one.source === state.id && isInwards(one));
    const moving = inwards.map((one) => `${bracketText(words(one))} → ${states.get(one.target ?? '')?.key}`);
    const inside = [...rowsOf(state, description, words), ...moving];
    if (inside.length === 0) continue;
    lines.push(`  note right of ${nameOf(state.id)}`, ...inside.map((row) => `    ${row}`), '  end note');
  }
  return `${lines.join('\n')}\n`;
}

/** The text in the box of a state: its entry and exit actions, its jobs, and the events that do not leave it. */
function rowsOf(state: State, { transitions }: Description, words: Words): readonly string[] {
  const staying = transitions.filter(({ source, target }) => source === state.id && target === null);
  return [
    ...state.entry.map((action) => `on entry / ${actionText(action)}`),
    ...state.exit.map((action) => `on exit / ${actionText(action)}`),
    ...state.invoke.map(({ src }) => `runs / ${src}`),
    ...staying.map((one) => `${bracketText(words(one))} / ${words(one).actions.join(', ')}`),
  ];
}

/** One arrow for all transitions with the same ends: Mermaid would draw several over each other. */
function arrows(transitions: readonly Transition[], words: Words): readonly string[] {
  const labels = new Map<string, string[]>();
  for (const transition of transitions) {
    if (transition.target === null) continue;
    const arrow = `${nameOf(transition.source)} --> ${nameOf(transition.target)}`;
    labels.set(arrow, [...(labels.get(arrow) ?? []), bracketText(words(transition))]);
  }
  return [...labels].map(([arrow, headings]) => `  ${arrow} : ${headings.join('<br/>')}`);
}

/** Mermaid does not allow dots in a name. */
const nameOf = (id: string): string => id.replace(/\W/g, '_');
