/** A plan applies to any chart: here a made-up one that uses more of XState than the session does. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type AnyActorScope,
  type AnyMachineSnapshot,
  type AnyStateNode,
  assign,
  createMachine,
  emit,
  enqueueActions,
  fromPromise,
  initialTransition,
  raise,
  transition,
} from 'xstate';
import { begin, type StepEvent, step } from '../../../src/session/machine/step.ts';
import { walk } from '../../../src/session/machine/walk.ts';
import { INPUT, OUTPUT, STARTS_AT } from '../../support/machine/stepped-session.ts';

const say = (word: string) =>
  emit(({ context }: { context: { count: number } }) => ({ type: 'said', word, at: context.count }));
const loud = (name: string) => ({ entry: say(`${name} in`), exit: say(`${name} out`) });
const count = assign(({ context }: { context: { count: number } }) => ({ count: context.count + 1 }));
const job = fromPromise(() => Promise.resolve());

const machine = createMachine(
  {
    id: 'm',
    context: { count: 0 },
    initial: 'a',
    on: {
      top: { actions: [count, say('top')] },
      side: '.side',
      again: { target: '.a', reenter: false },
      end: '.over',
    },
    states: {
      a: {
        ...loud('a'),
        initial: 'one',
        on: {
          inner: '.two',
          itself: 'a',
          reenter: { target: 'a', reenter: true, actions: count },
          reenterInner: { target: '.two', reenter: true },
          deep: '#m.b.x.y',
          both: { actions: enqueueActions(({ enqueue }) => [enqueue(count), enqueue(say('both'))]) },
        },
        states: {
          one: { ...loud('one'), on: { go: { target: 'two', actions: [count, say('go')] }, itself: 'one' } },
          two: {
            ...loud('two'),
            after: { 100: 'one' },
            on: { go: 'passing' },
          },
          passing: {
            ...loud('passing'),
            always: [
              {
                guard: ({ context }: { context: { count: number } }) => context.count > 1_000,
                target: 'one',
              },
              { guard: 'isOdd', target: '#m.b', actions: [count, say('odd')] },
              { target: 'one', actions: say('even') },
            ],
          },
        },
      },
      b: {
        ...loud('b'),
        initial: 'x',
        invoke: { id: 'job', src: job, onDone: '#m.a' },
        on: { inner: '.x', reenter: { target: '.x', reenter: true }, past: '#m.recalling.past' },
        states: {
          x: {
            ...loud('x'),
            initial: 'y',
            invoke: { id: 'other', src: job },
            states: {
              y: { ...loud('y'), on: { go: 'z' } },
              z: { ...loud('z'), on: { go: '#m.a', up: '#m.b' } },
            },
          },
        },
      },
      side: {
        ...loud('side'),
        type: 'parallel',
        on: { go: 'a' },
        states: { left: { ...loud('left'), initial: 'p', states: { p: {} } }, right: { ...loud('right') } },
      },
      recalling: {
        ...loud('recalling'),
        initial: 'r',
        on: { deep: '#m.b', raised: { actions: raise({ type: 'top' }) } },
        states: { r: { on: { go: 's' } }, s: { on: { go: 'r' } }, past: { type: 'history' } },
      },
      over: { ...loud('over'), type: 'final' },
    },
  },
  { guards: { isOdd: ({ context }: { context: { count: number } }) => context.count % 2 === 1 } } as never,
);

type Actions = readonly { readonly type: string; readonly params: unknown }[];

/** What a host would carry out. A child's actor counts by its id. */
const asked = (actions: Actions) =>
  actions.map(({ type, params }) => {
    const { id, event, delay, sendId } = params as Record<string, unknown>;
    return { type, id, event, delay, sendId };
  });

const stateValueOf = ({ path }: AnyStateNode): unknown =>
  path.reduceRight<unknown>((inner, name) => (inner === undefined ? name : { [name]: inner }), undefined);

const noActor = { self: null, system: null } as unknown as AnyActorScope;
const eventTypes = [...machine.events].filter((type) => type !== '');

/** The events that a plan covered, by the state in which they came. */
function compare(types: readonly string[]): readonly string[] {
  const covered: string[] = [];
  let [snapshot]: readonly [AnyMachineSnapshot, unknown] = initialTransition(machine);
  for (const type of types) {
    if (snapshot.status !== 'active') break;
    const event = { type };
    const walked = walk(snapshot, event, noActor);
    const [next, actions] = transition(machine, snapshot as never, event as never);
    if (walked !== null) {
      covered.push(`${JSON.stringify(snapshot.value)} ${type}`);
      expect({ value: stateValueOf(walked.leaf), context: walked.context }).toEqual({
        value: next.value,
        context: next.context,
      });
      expect(asked(walked.actions)).toEqual(asked(actions as Actions));
    }
    snapshot = next;
  }
  return covered;
}

const messageAt = (count: number): StepEvent => ({
  type: 'message',
  at: STARTS_AT + count,
  messageId: `m${count}`,
  turnId: `t${count}`,
  content: 'hello',
  policy: 'queue',
  options: {},
});

describe('walk', () => {
  test('through any events of a chart, a walk ends in XState’s state with XState’s actions in the same order', () => {
    const covered = new Set<string>();
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...eventTypes), { minLength: 1, maxLength: 30 }), (types) => {
        for (const one of compare(types)) covered.add(one);
      }),
      { numRuns: 500 },
    );
    expect(covered.size).toBeGreaterThan(20);
  });

  test.each([
    ['goes to its own state', ['itself']],
    ['leaves and enters its own state', ['reenter']],
    ['enters a state three levels deep', ['deep']],
    ['passes through a state without resting there', ['go', 'go']],
    ['raises the deadline of a state and takes it back', ['go', 'xstate.after.100.m.a.two']],
    ['ends a job', ['deep', 'xstate.done.actor.job']],
    ['assigns and emits in one action', ['both']],
  ])('a plan covers an event that %s', (_, types) => {
    expect(compare(types)).toHaveLength(types.length);
  });

  test.each([
    ['has no transition', ['unheard-of']],
    ['ends the machine', ['end']],
    ['enters a parallel state', ['side']],
    ['comes in a parallel state', ['side', 'top']],
    ['recalls a state', ['deep', 'past']],
    ['raises another event', ['deep', 'past', 'raised']],
  ])('XState takes an event that %s', (_, types) => {
    expect(compare(types).filter((one) => one.endsWith(` ${types.at(-1)}`))).toEqual([]);
  });

  const begun = begin(INPUT, '1').next;
  const asking = step(begun, messageAt(1), '2').next;
  test.each([
    ['attach', begun, { type: 'attach', at: STARTS_AT, instance: 'b' }],
    ['extend', begun, { type: 'extend', at: STARTS_AT }],
    ['message', begun, messageAt(1)],
    ['second message', asking, messageAt(2)],
    ['answer', asking, { type: 'xstate.done.actor.generation', at: STARTS_AT, output: OUTPUT }],
    ['detach', begun, { type: 'detach', at: STARTS_AT, instance: 'a' }],
  ] as const)('a plan covers the %s of an ordinary conversation', (_, { snapshot }, event) => {
    expect(walk(snapshot, event, noActor)).not.toBeNull();
  });
});
