// Writes a description as SCXML, the W3C's format for statecharts, for tools that know no XState.
//
// Guards are conditions by name. Actions are elements of a namespace of their own, which SCXML allows. A delay is a
// `send` on entry, and a `cancel` on exit takes it back.

import type { Action, Description, State, Transition } from './describe.ts';
import { grouped } from './labels.ts';

const NAMESPACE = 'urn:rehydra:statechart';

export function writeScxml({ machine, version, states, transitions }: Description): string {
  const known = new Map(states.map((state) => [state.id, state]));
  const leaving = grouped(transitions, ({ source }) => source);
  const root = states.find(({ parent }) => parent === null);
  if (root === undefined) throw new Error('the description has no root');

  const write = (state: State, indent: string): readonly string[] => {
    const own = leaving.get(state.id) ?? [];
    const delays = [...new Set(own.filter(({ kind }) => kind === 'after').map(({ trigger }) => trigger))];
    const deeper = `${indent}  `;
    const inner = [
      ...block('onentry', deeper, [
        ...state.entry.map(actionElement),
        ...delays.map(
          (delay) =>
            `<send id="${timerOf(state, delay)}" event="${afterEvent(delay)}" delayexpr="${delay}"/>`,
        ),
      ]),
      ...block('onexit', deeper, [
        ...state.exit.map(actionElement),
        ...delays.map((delay) => `<cancel sendid="${timerOf(state, delay)}"/>`),
      ]),
      ...state.invoke.map(({ id, src }) => `${deeper}<invoke id="${id}" type="${NAMESPACE}" src="${src}"/>`),
      ...own.flatMap((one) => transitionElement(one, deeper)),
      ...state.children.flatMap((id) => known.get(id) ?? []).flatMap((child) => write(child, deeper)),
    ];
    if (state.type === 'final') return [`${indent}<final id="${state.id}">`, ...inner, `${indent}</final>`];
    const initial = state.initial === null ? '' : ` initial="${state.initial}"`;
    return [`${indent}<state id="${state.id}"${initial}>`, ...inner, `${indent}</state>`];
  };

  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<!-- The ${machine} statechart, version ${version}. -->`,
    `<scxml xmlns="http://www.w3.org/2005/07/scxml" xmlns:chart="${NAMESPACE}" version="1.0" datamodel="ecmascript" name="${machine}" initial="${root.id}">`,
    ...write(root, '  '),
    '</scxml>',
    '',
  ].join('\n');
}

function transitionElement(transition: Transition, indent: string): readonly string[] {
  const { source, target, guard, actions } = transition;
  // Without `type`, a transition to a state's own child would leave and enter the state.
  const isInner = target?.startsWith(`${source}.`) === true;
  const attributes = [
    eventOf(transition) === '' ? '' : ` event="${eventOf(transition)}"`,
    guard === null || guard === 'else' ? '' : ` cond="${guard}"`,
    target === null ? '' : ` target="${target}"`,
    isInner ? ' type="internal"' : '',
  ].join('');
  if (actions.length === 0) return [`${indent}<transition${attributes}/>`];
  return [
    `${indent}<transition${attributes}>`,
    ...actions.map((action) => `${indent}  ${actionElement(action)}`),
    `${indent}</transition>`,
  ];
}

function eventOf({ kind, trigger }: Transition): string {
  switch (kind) {
    case 'event':
      return trigger;
    case 'after':
      return afterEvent(trigger);
    case 'done':
      return `done.invoke.${trigger}`;
    case 'error':
      return `error.invoke.${trigger}`;
    case 'always':
      return '';
  }
}

const afterEvent = (delay: string): string => `after.${delay}`;
const timerOf = ({ id }: State, delay: string): string => `${delay}.${id}`;

function actionElement({ name, params = {} }: Action): string {
  const given = Object.entries(params).map(([key, value]) => ` ${key}="${String(value)}"`);
  return `<chart:action name="${name}"${given.join('')}/>`;
}

function block(name: string, indent: string, lines: readonly string[]): readonly string[] {
  if (lines.length === 0) return [];
  return [`${indent}<${name}>`, ...lines.map((line) => `${indent}  ${line}`), `${indent}</${name}>`];
}
