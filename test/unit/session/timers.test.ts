import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep, startInterval, startTimer, systemClock, timeoutSignal } from '../../../src/clock.ts';
import { startWatchdog } from '../../../src/generation/upstream/watchdog.ts';
import { createVllmGenerator } from '../../../src/generation/vllm.ts';
import { createPause } from '../../../src/simulator/engine/pause.ts';
import { startSimulator } from '../../../src/simulator/simulator.ts';
import { transport } from '../../support/transport.ts';

const DAY_MS = 86_400_000;
const MONTH_MS = 30 * DAY_MS;

describe('timers of any length', () => {
  beforeEach(() => {
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it.each([1_000, 25 * DAY_MS, MONTH_MS, 3_650 * DAY_MS])(
    'a timer of %d ms fires once, after its whole duration',
    (durationMs) => {
      const task = vi.fn();
      startTimer(durationMs, task);
      vi.advanceTimersByTime(durationMs - 1);
      expect(task).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(task).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(durationMs);
      expect(task).toHaveBeenCalledTimes(1);
    },
  );

  it.each([1_000, MONTH_MS])('a cancelled timer of %d ms never fires', (durationMs) => {
    const task = vi.fn();
    const timer = startTimer(durationMs, task);
    vi.advanceTimersByTime(durationMs - 1);
    timer.cancel();
    vi.advanceTimersByTime(2 * durationMs);
    expect(task).not.toHaveBeenCalled();
  });

  it.each([1_000, MONTH_MS])(
    'a restarted timer of %d ms waits for its whole duration again',
    (durationMs) => {
      const task = vi.fn();
      const timer = startTimer(durationMs, task);
      vi.advanceTimersByTime(durationMs - 1);
      timer.restart();
      vi.advanceTimersByTime(durationMs - 1);
      expect(task).not.toHaveBeenCalled();
      vi.advanceTimersByTime(1);
      expect(task).toHaveBeenCalledTimes(1);
    },
  );

  it('an interval of 30 days fires every 30 days', () => {
    const task = vi.fn();
    const timer = startInterval(MONTH_MS, task);
    vi.advanceTimersByTime(3 * MONTH_MS);
    expect(task).toHaveBeenCalledTimes(3);
    timer.cancel();
    vi.advanceTimersByTime(3 * MONTH_MS);
    expect(task).toHaveBeenCalledTimes(3);
  });

  it('a sleep of 30 days ends after 30 days, or immediately when its signal aborts', async () => {
    const done = vi.fn();
    void sleep(MONTH_MS).then(done);
    await vi.advanceTimersByTimeAsync(MONTH_MS - 1);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalledTimes(1);
    const leaving = new AbortController();
    const slept = sleep(MONTH_MS, leaving.signal);
    leaving.abort(new Error('leaving'));
    await expect(slept).rejects.toThrow('leaving');
  });

  it('a timeout signal of 30 days aborts after 30 days with a TimeoutError', () => {
    const signal = timeoutSignal(MONTH_MS);
    vi.advanceTimersByTime(MONTH_MS - 1);
    expect(signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(signal.reason).toMatchObject({ name: 'TimeoutError' });
  });

  it('every limit of a generation may be 30 days', () => {
    const { signal: client } = new AbortController();
    const limits = { firstTokenMs: MONTH_MS, interTokenMs: MONTH_MS, totalMs: 3 * MONTH_MS };
    const patient = startWatchdog(limits, client);
    vi.advanceTimersByTime(MONTH_MS - 1);
    expect(patient.cause).toBeNull();
    patient.sawText();
    vi.advanceTimersByTime(MONTH_MS - 1);
    expect(patient.cause).toBeNull();
    patient.sawText();
    vi.advanceTimersByTime(MONTH_MS);
    expect(patient.cause).toBe('inter_token_timeout');
    const silent = startWatchdog(limits, client);
    vi.advanceTimersByTime(MONTH_MS);
    expect(silent.cause).toBe('first_token_timeout');
    const slow = startWatchdog({ ...limits, totalMs: MONTH_MS, firstTokenMs: 2 * MONTH_MS }, client);
    vi.advanceTimersByTime(MONTH_MS);
    expect(slow.cause).toBe('total_timeout');
  });

  it('a session deadline in 30 days does not fire after 25', () => {
    const ring = vi.fn();
    systemClock.after(MONTH_MS, ring);
    vi.advanceTimersByTime(MONTH_MS - 1);
    expect(ring).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(ring).toHaveBeenCalledTimes(1);
  });

  it('the simulator can wait 30 days for its first token', async () => {
    const done = vi.fn();
    void createPause().sleep(MONTH_MS).then(done);
    await vi.advanceTimersByTimeAsync(MONTH_MS - 1);
    expect(done).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(1);
    expect(done).toHaveBeenCalledTimes(1);
  });
});

it('a generation works when each of its limits is 30 days', async () => {
  const simulator = await startSimulator({ tokens: 5, tokensPerSecond: 50 });
  const generator = createVllmGenerator({
    baseUrls: [simulator.url],
    transport,
    timeouts: { firstTokenMs: MONTH_MS, interTokenMs: MONTH_MS, totalMs: MONTH_MS },
    defaultMaxTokens: 10,
  });
  const messages = [{ role: 'user' as const, content: 'hello' }];
  const request = { sessionId: 's', turnId: 't', attempt: 1, messages, prefix: null, options: {} };
  const result = await generator.generate(request, () => {}, new AbortController().signal);
  await generator.close();
  await simulator.close();
  expect(result).toMatchObject({ kind: 'completed' });
});

it('no source file but the clocks of server and client uses timers of the platform, which overflow after 24.8 days', () => {
  const clocks = [join('src', 'clock.ts'), join('src', 'client', 'client-clock.ts')];
  const raw = /\bset(Timeout|Interval)\b|\bAbortSignal\.timeout\b|timers\/promises/;
  const armed = sourceFiles('src').flatMap((file) =>
    readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line, index) => (raw.test(line) ? [`${file}:${index + 1}: ${line.trim()}`] : [])),
  );
  const isClock = (place: string) => clocks.some((clock) => place.startsWith(`${clock}:`));
  expect(armed.filter((place) => !isClock(place))).toEqual([]);
});

function sourceFiles(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => join(folder, name));
}
