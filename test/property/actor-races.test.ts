/**
 * Events, results, chunks and deaths reach an actor in any order while it waits for the store. In every order the log
 * must hold one consistent story without a gap.
 */
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type OverlapPolicy, overlapPolicySchema, type SessionEvent } from '../../machines/vocabulary.ts';
import { beginSession, type MortalSession } from '../support/actor/mortal-session.ts';
import { TEXT_LENGTH } from '../support/actor/narrator.ts';
import { told } from '../support/actor/session-sight.ts';
import { TICK_MS } from '../support/machine/session-paths.ts';
import { inputOf, LIMITS, OUTPUT } from '../support/machine/stepped-session.ts';

type Happening =
  | { readonly kind: 'message'; readonly policy: OverlapPolicy }
  | { readonly kind: 'cancel' | 'tells' | 'completes' | 'fails' | 'dies' | 'time passes' }
  /** A turn of the event loop: the store answers in the next one. */
  | { readonly kind: 'a moment' };

const happenings: fc.Arbitrary<readonly Happening[]> = fc.array(
  fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({
        kind: fc.constant('message'),
        policy: fc.constantFrom(...overlapPolicySchema.options),
      }),
    },
    { weight: 9, arbitrary: fc.record({ kind: fc.constantFrom('tells', 'completes', 'a moment') }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constantFrom('cancel', 'fails', 'time passes', 'dies') }) },
  ) as fc.Arbitrary<Happening>,
  { minLength: 2, maxLength: 40 },
);

async function happen(session: MortalSession, happening: Happening, place: number): Promise<void> {
  const at = session.clock.now();
  switch (happening.kind) {
    case 'message': {
      const ids = { messageId: `m${place}`, turnId: `t${place}` };
      const { policy } = happening;
      const event: SessionEvent = { type: 'message', at, ...ids, content: 'and?', policy, options: {} };
      void session.post(event);
      return;
    }
    case 'cancel':
      void session.post({ type: 'cancel', at });
      return;
    case 'tells':
      return session.narrator.tell(5);
    case 'completes':
      session.narrator.tell(TEXT_LENGTH);
      return session.narrator.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
    case 'fails': {
      const failure = { code: 'upstream_error', message: '', retryable: true, replica: 'r1' } as const;
      return session.narrator.end({ kind: 'failed', ...failure });
    }
    case 'time passes':
      return session.clock.advanceTo(at + 10 * TICK_MS, session.settle);
    case 'dies':
      session.die();
      // Writes sent before the death still reach the store; the next owner claims the session after them.
      await session.settle();
      await session.bringBack();
      return;
    case 'a moment':
      await setImmediate();
  }
}

/** Lets running and waiting turns end. */
async function finish(session: MortalSession): Promise<void> {
  for (let rounds = 0; rounds < 60; rounds++) {
    await session.settle();
    session.narrator.tell(TEXT_LENGTH);
    session.narrator.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
    await session.clock.advanceTo(session.clock.now() + 100 * TICK_MS, session.settle);
  }
}

test('whatever reaches an actor while it waits for the store, its log holds one consistent story', async () => {
  await fc.assert(
    fc.asyncProperty(happenings, async (list) => {
      const limits = { ...LIMITS, idleMs: 3_600_000, absoluteMs: 14_400_000, resumesMax: 1_000 };
      const session = await beginSession(inputOf(limits));
      for (const [place, happening] of list.entries()) await happen(session, happening, place);
      await finish(session);
      const log = await session.store.readLog(session.id, 0, 10_000);
      const transcript = await session.store.readTranscript(session.id);
      await session.store.close();
      // `told` checks that offsets are 1, 2, 3 … and that every turn's text is a prefix of its answer.
      const { said, texts } = told(log?.frames ?? []);
      const ends = new Map<string, string>();
      let running: string | null = null;
      for (const frame of said as readonly { readonly type: string; readonly turn_id: string }[]) {
        if (frame.type === 'turn.started') {
          expect(running).toBeNull();
          running = frame.turn_id;
        } else if (/^turn\./.test(frame.type)) {
          expect(frame.turn_id).toBe(running);
          ends.set(frame.turn_id, frame.type);
          running = null;
        }
      }
      expect(running).toBeNull();
      for (const [turnId, end] of ends)
        if (end === 'turn.completed') expect(texts[turnId]).toHaveLength(TEXT_LENGTH);
      // The transcript holds each answer as its clients saw it.
      for (const { role, turnId, content } of transcript)
        if (role === 'assistant') expect(content).toBe(texts[turnId]);
    }),
    { numRuns: 100 },
  );
});
