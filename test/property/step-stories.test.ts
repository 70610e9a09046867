/** These promises hold in every life of a session, in its frames and in its snapshot. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FrameBody } from '../../machines/effects.ts';
import { begin } from '../../src/session/machine/step.ts';
import { type Lived, live, lives } from '../support/machine/session-lives.ts';
import { framesOf, INPUT, LIMITS } from '../support/machine/stepped-session.ts';

const RUNS = { numRuns: 300 };

describe('any life of a session', () => {
  const framesFrom = (lived: readonly Lived[]): readonly FrameBody[] => [
    ...framesOf(begin(INPUT, '1').effects),
    ...lived.flatMap(({ stepped }) => framesOf(stepped.effects)),
  ];

  test('a session ends every turn exactly once before it starts the next, and starts no turn that left the queue', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const lived = live(moments);
        let running: string | null = null;
        const started = new Set<string>();
        const begun = new Set<string>();
        for (const frame of framesFrom(lived)) {
          if (frame.type === 'turn.started') {
            expect(running).toBeNull();
            expect(started.has(frame.turn_id)).toBe(false);
            started.add(frame.turn_id);
            begun.add(frame.turn_id);
            running = frame.turn_id;
          } else if (frame.type === 'turn.cancelled' && frame.turn_id !== running) {
            // It waited. A merged one has a frame for each of its messages.
            expect(begun.has(frame.turn_id)).toBe(false);
            started.add(frame.turn_id);
          } else if (/^turn\.(completed|failed|cancelled)$/.test(frame.type)) {
            expect(frame).toMatchObject({ turn_id: running });
            running = null;
          }
        }
        const last = lived.at(-1)?.stepped.next.snapshot.context;
        expect(running).toBe(last?.turn?.id ?? null);
      }),
      RUNS,
    );
  });

  test('a session never sends the same state twice in a row, and the last one sent is its own', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const lived = live(moments);
        const said = framesFrom(lived).flatMap((frame) => (frame.type === 'state' ? frame.value : []));
        for (const [index, value] of said.entries()) expect(value).not.toBe(said[index + 1]);
        const value = lived.at(-1)?.stepped.next.snapshot.value ?? 'connected';
        expect(typeof value === 'string' ? value : Object.keys(value)[0]).toBe(said.at(-1));
      }),
      RUNS,
    );
  });

  test('a session sends expired once, as its last frame, and then has no timer and no job', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        const lived = live(moments);
        const frames = framesFrom(lived);
        const at = frames.findIndex(({ type }) => type === 'expired');
        const last = lived.at(-1)?.stepped.next;
        expect(last?.snapshot.status === 'done').toBe(at !== -1);
        if (at === -1) return;
        expect(at).toBe(frames.length - 1);
        expect(last).toMatchObject({ timers: {}, jobs: {} });
      }),
      RUNS,
    );
  });

  test('a session keeps its queue within the limit, and has a job exactly while it generates', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        for (const { next } of live(moments).map(({ stepped }) => stepped)) {
          const { queue, turn } = next.snapshot.context;
          const waiting = queue.reduce((sum, { messageIds }) => sum + messageIds.length, 0);
          expect(waiting).toBeLessThanOrEqual(LIMITS.queueMax);
          if (next.snapshot.status !== 'active') continue;
          const processing = next.snapshot.matches('processing');
          expect(turn !== null).toBe(processing);
          expect(queue.length > 0 && !processing).toBe(false);
          expect(Object.keys(next.jobs)).toEqual(
            next.snapshot.matches({ processing: 'generating' }) ? ['generation'] : [],
          );
        }
      }),
      RUNS,
    );
  });

  test('the state and the effects of a session survive JSON', () => {
    fc.assert(
      fc.property(lives, (moments) => {
        for (const { stepped } of live(moments)) {
          const { timers, jobs, snapshot } = stepped.next;
          const data = {
            value: snapshot.value,
            context: snapshot.context,
            timers,
            jobs,
            asked: stepped.effects,
          };
          expect(JSON.parse(JSON.stringify(data))).toStrictEqual(data);
        }
      }),
      RUNS,
    );
  });
});
