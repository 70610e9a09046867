/**
 * The stepper agrees with XState's own pure functions, and with itself after a round trip through the store.
 *
 * `src/session/machine/step.ts` reuses one inert scope where XState builds an actor per call, and turns XState's
 * actions into data. This file does both again in the plainest way, without shared code, over random lives.
 */

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { initialTransition, type SnapshotFrom, transition } from 'xstate';
import type { SessionEffect } from '../../machines/effects.ts';
import { type SessionMachine, sessionMachine } from '../../machines/session.ts';
import { readSnapshot, toSnapshot } from '../../src/session/machine/snapshot.ts';
import { begin, restoreState, type Step, step } from '../../src/session/machine/step.ts';
import { live, lives } from '../support/machine/session-lives.ts';
import { INPUT } from '../support/machine/stepped-session.ts';

const RUNS = { numRuns: 300 };

/** The part of a step that is data. */
function dataOf({ next, effects, changed }: Step) {
  const { value, context, status } = next.snapshot;
  return { value, context, status, timers: next.timers, jobs: next.jobs, effects, changed };
}

type RawActions = readonly { readonly type: string; readonly params: unknown }[];
interface Params {
  readonly id: string;
  readonly sendId: string;
  readonly src: string;
  readonly delay?: number;
  readonly event: SessionEffect;
}
interface Plain {
  readonly timers: Record<string, number>;
  readonly jobs: Record<string, { readonly src: string; readonly key: string }>;
  readonly effects: SessionEffect[];
}

/** Applies XState's actions one by one, in their order. */
function plainly(plain: Plain, actions: RawActions, at: number, key: string): Plain {
  const timers = { ...plain.timers };
  const jobs = { ...plain.jobs };
  const effects: SessionEffect[] = [];
  for (const { type, params } of actions) {
    const told = params as Params;
    if (type === 'xstate.raise' && told.delay !== undefined) timers[told.id] = at + told.delay;
    if (type === 'xstate.cancel') delete timers[told.sendId];
    if (type === 'xstate.spawnChild') jobs[told.id] = { src: told.src, key };
    if (type === 'xstate.stopChild') delete jobs[told.id];
    if (type === 'xstate.emit') effects.push(told.event);
  }
  return { timers, jobs, effects };
}

describe('stepper', () => {
  test('the stepper begins a session exactly as XState does', () => {
    const [snapshot, actions] = initialTransition(sessionMachine, INPUT);
    const plain = plainly({ timers: {}, jobs: {}, effects: [] }, actions, INPUT.at, '1');
    const begun = begin(INPUT, '1');
    expect(dataOf(begun)).toMatchObject({ value: snapshot.value, context: snapshot.context, ...plain });
  });

  test('over any life of a session the stepper agrees with XState’s own transition()', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const [first, actions] = initialTransition(sessionMachine, INPUT);
        let snapshot: SnapshotFrom<SessionMachine> = first;
        let plain = plainly({ timers: {}, jobs: {}, effects: [] }, actions, INPUT.at, '1');
        for (const { event, stepped, key } of live(moments)) {
          const [next, asked] = transition(sessionMachine, snapshot, event as never);
          // A timer that fired is gone, even if the machine stays in its state.
          delete plain.timers[event.type];
          plain = plainly(plain, asked, event.at, key);
          snapshot = next;
          const { value, context, status } = snapshot;
          const pending = status === 'active' ? plain : { timers: {}, jobs: {}, effects: plain.effects };
          const { changed: _, ...data } = dataOf(stepped);
          expect(data).toEqual({ value, context, status, ...pending });
        }
      }),
      RUNS,
    );
  });

  test('a step from the stored snapshot equals the step from the state in memory', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        for (const { event, before, stepped, key } of live(moments)) {
          const opened = readSnapshot(JSON.stringify(toSnapshot(before, 7)));
          if (opened.kind !== 'opened') throw new Error(JSON.stringify(opened));
          const { value, context, timers, jobs } = opened.snapshot;
          expect(dataOf(step(restoreState(value, context, timers, jobs), event, key))).toEqual(
            dataOf(stepped),
          );
        }
      }),
      RUNS,
    );
  });

  test('the same step twice gives the same result and leaves its input unchanged', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        for (const { event, before, stepped, key } of live(moments)) {
          const given = JSON.stringify([toSnapshot(before, 0), event]);
          expect(dataOf(step(before, event, key))).toEqual(dataOf(stepped));
          expect(JSON.stringify([toSnapshot(before, 0), event])).toBe(given);
        }
      }),
      RUNS,
    );
  });

  test('a step that reports no change has an unchanged snapshot and no effects', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        for (const { before, stepped } of live(moments)) {
          if (stepped.changed) continue;
          expect(toSnapshot(stepped.next, 0)).toEqual(toSnapshot(before, 0));
          expect(stepped.effects.filter(({ type }) => type !== 'refused')).toEqual([]);
        }
      }),
      RUNS,
    );
  });
});
