// Writes docs/STATECHART.md: the pictures, and in tables everything that they show.

import type { OverlapPolicy } from '../../machines/vocabulary.ts';
import { table } from '../docs/markdown.ts';
import type { Action, State, Transition } from './describe.ts';
import { actionText, headText, isRefusal, wordsOf } from './labels.ts';
import { guardPhrase } from './phrases.ts';
import type { Sources } from './pictures.ts';

const POLICIES: Readonly<Record<OverlapPolicy, string>> = {
  queue: 'The message waits until the turns before it have ended.',
  reject: 'The session refuses the message with `session_busy`.',
  interrupt: 'The running turn ends. Its text so far stays in the transcript, and the message is next.',
  rollback: 'The running turn ends and leaves the transcript. The message is next.',
  merge: 'The message joins the last waiting one if that one asks for it as well. Otherwise it waits.',
};
const SETTINGS: Readonly<Record<string, string>> = {
  idleWarning: '`SESSION_IDLE_MS`, `SESSION_WARN_MS`',
  idleEnd: '`SESSION_IDLE_MS`',
  absoluteWarning: '`SESSION_ABSOLUTE_MS`, `SESSION_WARN_MS`',
  absoluteEnd: '`SESSION_ABSOLUTE_MS`',
  retryDelay: '`GENERATION_ATTEMPTS`, `retry-after` of the model server',
};

export function statechartDocument(sources: Sources, changes: string): string {
  const { description, timings, meanings } = sources;
  const words = wordsOf(description, timings);
  const meaning = (name: string): string => meanings.get(name) ?? '';
  const guards = [...new Set(description.transitions.flatMap(({ guard }) => guard ?? []))]
    .filter((guard) => guard !== 'else')
    .sort();
  const actions = new Map<string, Action>();
  for (const { entry, exit } of description.states)
    for (const action of [...entry, ...exit]) actions.set(action.name, action);
  for (const one of description.transitions)
    for (const action of one.actions) actions.set(action.name, action);
  const states = inOrder(description.states);
  const transitionRows = (own: readonly Transition[]) =>
    own.map((one) => [
      code(headText(words(one)) || 'at once'),
      isRefusal(one) ? 'refused' : one.target === null ? '–' : pathOf(one.target),
      one.actions.map((action) => code(actionText(action))).join(', ') || '–',
    ]);
  const transitions = states.flatMap((state) => {
    const own = description.transitions.filter(({ source }) => source === state.id);
    if (own.length === 0) return [];
    return [`### ${pathOf(state.id)}`, '', table(['when', 'to', 'actions'], transitionRows(own)), ''];
  });

  return `# The statechart

Each session is one instance of this chart ([machines/session.ts](../machines/session.ts)), machine
version ${description.version}. This page is generated from the code: \`npm run diagram\`.

![The four states of a session and the main paths between them](diagrams/session-overview.svg)

A message during a turn follows its policy; \`OVERLAP_POLICY\` is the default of an instance:

${table(
  ['policy', 'while a turn runs'],
  Object.entries(POLICIES).map(([policy, effect]) => [code(policy), effect]),
)}

## In full

Every state, guard, action and timer. In a browser, a pointer that rests on a label shows its guard and actions in words.
The tables below say the same in text.

![The statechart with all transitions, guards and actions](diagrams/session.svg)

${table(
  ['file', 'for'],
  [
    [
      '[session-overview.svg](diagrams/session-overview.svg), [session.svg](diagrams/session.svg)',
      'reading; light, dark and print',
    ],
    [
      '[session-coverage.svg](diagrams/session-coverage.svg)',
      'which states and transitions the tests take: all, or `npm run check` fails',
    ],
    ['[session.mmd](diagrams/session.mmd)', 'Mermaid'],
    [
      '[session.config.json](diagrams/session.config.json)',
      'XState: `createMachine` takes it, and so does Stately Studio',
    ],
    ['[session.scxml](diagrams/session.scxml)', 'tools that read SCXML'],
    [
      '[session.json](diagrams/session.json)',
      'reviews; [versions](diagrams/versions) has those of older versions, and `npm run diagram -- diff 3 4` compares two',
    ],
  ],
)}

In the pictures each state, transition and line is an element with an id. Transitions and lines have \`data-from\`,
\`data-event\` and \`data-to\`, so that a page can light them. An id is that of session.json, with \`_\` for each space.

## States

${table(
  ['state', 'meaning', 'on entry', 'runs'],
  states.map((state) => [
    pathOf(state.id),
    meaning(state.key) || '–',
    state.entry.map((action) => code(actionText(action))).join(', ') || '–',
    state.invoke.map(({ src }) => code(src)).join(', ') || '–',
  ]),
)}

## Timers

The defaults; an instance computes each timer from its settings.

${table(
  ['timer', 'default', 'set by', 'meaning'],
  Object.entries(timings).map(([name, duration]) => [
    code(name),
    duration,
    SETTINGS[name] ?? '–',
    meaning(name),
  ]),
)}

## Transitions

The first row of an event whose condition holds is taken. A row without \`to\` stays in the state. An event that has no row in
the active state takes the row of the state around it.

${transitions.join('\n')}
## Guards

${table(
  ['guard', 'in the picture', 'holds if'],
  guards.map((guard) => [code(guard), guardPhrase(guard).holds, meaning(guard)]),
)}

## Actions

An action changes the stored context, or it emits an effect, which the owner carries out after the store has acknowledged
the transition.

${table(
  ['action', 'does', 'meaning'],
  [...actions.values()]
    .toSorted((one, other) => (one.name < other.name ? -1 : 1))
    .map(({ name, does }) => [
      code(name),
      does === 'assigns' ? 'changes the context' : 'emits',
      meaning(name),
    ]),
)}

## What this version changed

\`npm run diagram -- diff 3 4\` compares any two versions, also revisions of git. *Safe*: stored snapshots go on as they are.
*Needs a migration*: they act unlike new ones, or older instances cannot read new ones. *Breaks*: they are refused, or never
move on.

![The chart of this version, with what it added, removed and changed since the one before](diagrams/session-diff.svg)

${changes.trim()}
`;
}

const code = (text: string): string => `\`${text}\``;

function pathOf(id: string): string {
  const path = id.split('.').slice(1).join('.');
  return path === '' ? 'any state' : path;
}

/** A state before its children, and the children in the order of the source. */
function inOrder(states: readonly State[]): readonly State[] {
  const known = new Map(states.map((state) => [state.id, state]));
  const from = (state: State): readonly State[] => [
    state,
    ...state.children.flatMap((id) => known.get(id) ?? []).flatMap(from),
  ];
  return states.filter(({ parent }) => parent === null).flatMap(from);
}
