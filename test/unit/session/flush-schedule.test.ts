/** When the texts of running turns are stored. */
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { FlushSchedule } from '../../../src/session/turn/flush-schedule.ts';
import { FlushTimer } from '../../../src/session/turn/flush-timer.ts';
import { openStage } from '../../support/actor/stage.ts';
import { VirtualClock } from '../../support/actor/virtual-clock.ts';
import { OUTPUT } from '../../support/machine/stepped-session.ts';

const EVERY_MS = 25;
const LENGTH = 100;

function scene(everyMs = EVERY_MS) {
  const clock = new VirtualClock(1_007);
  const schedule = new FlushSchedule(clock, everyMs);
  const woken: string[] = [];
  const timer = (name: string) => {
    const made = new FlushTimer(schedule, LENGTH, () => {
      woken.push(name);
      if (made.isDue(1)) made.flushed();
    });
    return made;
  };
  return { clock, woken, timer };
}

const turnEnds = () => setImmediate();

describe('flush schedule', () => {
  it('the first text of a turn is stored in the same event-loop turn, after all that the turn receives', async () => {
    const { woken, timer } = scene();
    timer('a').schedule(1);
    expect(woken).toEqual([]);
    await turnEnds();
    expect(woken).toEqual(['a']);
  });

  it('later texts of all sessions are stored together, at the next tick', async () => {
    const { clock, woken, timer } = scene();
    const timers = ['a', 'b', 'c'].map(timer);
    for (const one of timers) one.flushed();
    for (const one of timers) {
      one.schedule(1);
      clock.advance(5);
    }
    expect(woken).toEqual([]);
    expect(clock.pending).toBe(1);
    clock.advance(EVERY_MS - 3 * 5);
    expect(woken).toEqual(['a', 'b', 'c']);
    expect(clock.pending).toBe(0);
  });

  it('text waits for one interval at most, whenever it comes', async () => {
    for (let startMs = 0; startMs <= 2 * EVERY_MS; startMs += 1) {
      const { clock, woken, timer } = scene();
      const one = timer('a');
      one.flushed();
      clock.advance(startMs);
      one.schedule(1);
      clock.advance(EVERY_MS);
      await turnEnds();
      expect(woken, `after ${startMs} ms`).toEqual(['a']);
    }
  });

  it('long text is stored without waiting for the tick', async () => {
    const { woken, timer } = scene();
    const one = timer('a');
    one.flushed();
    one.schedule(LENGTH);
    await turnEnds();
    expect(woken).toEqual(['a']);
  });

  it('a timer that was stopped or has flushed meanwhile wakes no session at the tick', () => {
    const { clock, woken, timer } = scene();
    const [stopped, flushed] = [timer('stopped'), timer('flushed')];
    for (const one of [stopped, flushed]) {
      one.flushed();
      one.schedule(1);
    }
    stopped.stop();
    flushed.flushed();
    clock.advance(2 * EVERY_MS);
    expect(woken).toEqual([]);
  });

  it('without an interval every text is stored in its event-loop turn', async () => {
    const { clock, woken, timer } = scene(0);
    const one = timer('a');
    one.flushed();
    one.schedule(1);
    await turnEnds();
    expect(woken).toEqual(['a']);
    expect(clock.pending).toBe(0);
  });

  it('the first text of every turn and the first after a long pause are stored without waiting for a tick', async () => {
    const stage = await openStage();
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    const deltas = () => visitor.frames.filter(({ type }) => type === 'delta').length;
    for (const turn of [1, 2, 3]) {
      await stage.settle();
      visitor.say({ type: 'message', id: `m${turn}`, content: 'Good morning' });
      await stage.settle();
      const before = deltas();
      stage.generator.running?.say({ text: 'Good' });
      await stage.settle();
      expect(deltas(), `turn ${turn}`).toBe(before + 1);
      await stage.advance(EVERY_MS);
      stage.generator.running?.say({ text: ' morning' });
      await stage.settle();
      expect(deltas(), `after the pause in turn ${turn}`).toBe(before + 2);
      stage.generator.running?.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
      await stage.settle();
      await stage.advance(EVERY_MS);
    }
    await stage.close();
  });

  it('an answer that ends in the event-loop turn of its last text is stored in one write with it', async () => {
    const stage = await openStage();
    const visitor = stage.connect();
    visitor.say({ type: 'hello', after: 0 });
    await stage.settle();
    visitor.say({ type: 'message', id: 'm', content: 'Good morning' });
    await stage.settle();
    const before = stage.calls.length;
    stage.generator.running?.say({ text: 'Good morning to you' });
    stage.generator.running?.end({ kind: 'completed', ...OUTPUT, finishReason: 'stop' });
    await stage.settle();
    expect(visitor.frames.map(({ type }) => type).slice(-3)).toEqual(['delta', 'turn.completed', 'state']);
    expect(stage.calls.slice(before)).toEqual(['commit']);
    await stage.close();
  });
});
