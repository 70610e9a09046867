// How the parts of a description read in a drawing. One wording for every format.

import type { Action, Description, State, Transition } from './describe.ts';

function say(action: Action): string {
  const params = Object.values(action.params ?? {}).join(', ');
  return params === '' ? action.name : `${action.name}(${params})`;
}

export function heading({ kind, trigger, guard }: Transition): string {
  const what = kind === 'event' ? trigger : `${kind} ${trigger}`.trim();
  return guard === null ? what : `${what} [${guard}]`;
}

/** What happens inside a state: on the way in and out, while it lasts, and on events that do not leave it. */
export function rows(state: State, description: Description): readonly string[] {
  const staying = description.transitions.filter(
    ({ source, target }) => source === state.id && target === null,
  );
  return [
    ...state.entry.map((action) => `entry / ${say(action)}`),
    ...state.exit.map((action) => `exit / ${say(action)}`),
    ...state.invoke.map(({ src }) => `invoke / ${src}`),
    ...staying.map((one) => `${heading(one)} / ${one.actions.map(say).join(', ')}`),
  ];
}
