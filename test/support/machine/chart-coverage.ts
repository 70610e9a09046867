/**
 * The states and transitions of the chart that the tests' ways through the machine take: every path of the graph walk, a
 * fixed draw of random lives, the lives of the golden sessions,
 * and the scenes of rare branches. XState's own transition tells which branches it took.
 */
import fc from 'fast-check';
import { type AnyActorScope, type AnyTransitionDefinition, createActor } from 'xstate';
import { sessionMachine } from '../../../machines/session.ts';
import type { SessionContext, SessionInput } from '../../../machines/vocabulary.ts';
import { transitionIds } from '../../../scripts/diagram/describe.ts';
import { begin, step } from '../../../src/session/machine/step.ts';
import { goldenLives } from './golden-sessions.ts';
import { playScenes } from './rare-scenes.ts';
import { live, lives } from './session-lives.ts';
import { eventOf, type Path, pathsOverEveryTransition, TICK_MS } from './session-paths.ts';
import { inputOf, type Made, STARTS_AT } from './stepped-session.ts';

const taken: AnyTransitionDefinition[] = [];
const observed = createActor(sessionMachine, {
  snapshot: sessionMachine.resolveState({ value: { connected: 'fresh' }, context: {} as SessionContext }),
  input: {} as SessionInput,
  inspect: (inspected) => {
    if (inspected.type !== '@xstate.microstep') return;
    // XState's types leave the field out, because only its own tools read it.
    const { _transitions } = inspected as unknown as {
      readonly _transitions: readonly AnyTransitionDefinition[];
    };
    taken.push(..._transitions);
  },
});
const scope = {
  self: observed,
  system: observed.system,
  actionExecutor() {},
  emit() {},
  defer() {},
  stopChild() {},
} as unknown as AnyActorScope;
const ids = transitionIds(sessionMachine);

/** The ids of the states and transitions that the events take. */
export function tookIn(made: Iterable<Made>): ReadonlySet<string> {
  const covered = new Set<string>();
  for (const { before, event } of made) {
    taken.length = 0;
    const given = { ...before.snapshot, children: {} };
    const { _nodes } = sessionMachine.transition(given, event as never, scope as never) as unknown as {
      readonly _nodes: readonly { readonly id: string }[];
    };
    for (const { id } of _nodes) covered.add(id);
    for (const one of taken) {
      const id = ids.get(one);
      if (id !== undefined) covered.add(id);
      // A state that the session passes through is not among its resting states.
      covered.add(one.source.id);
      for (const { id: entered } of one.target ?? []) covered.add(entered);
    }
  }
  return covered;
}

const DRAWN = { seed: 1, numRuns: 1_500 };

export function coveredByTests(): ReadonlySet<string> {
  const walked = pathsOverEveryTransition().flatMap(madeOnPath);
  const lived = fc.sample(lives, DRAWN).flatMap((moments) => live(moments));
  const golden = Object.values(goldenLives()).flatMap(({ made }) => made);
  const rare = playScenes().flatMap(({ session }) => session.made);
  return tookIn([...walked, ...lived, ...golden, ...rare]);
}

function madeOnPath({ moves, limits }: Path): readonly Made[] {
  const made: Made[] = [];
  let state = begin(inputOf(limits), '1').next;
  let now = STARTS_AT;
  for (const [place, move] of moves.entries()) {
    if (move.type === 'due') now = Math.max(now, state.timers[`xstate.after.${move.timer}`] ?? now);
    const event = eventOf(move, now, place);
    made.push({ before: state, event });
    state = step(state, event, String(place + 2)).next;
    now += TICK_MS;
  }
  return made;
}
