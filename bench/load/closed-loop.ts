/**
 * A closed loop keeps a fixed number of exchanges under way: each answer starts the next one. With more clients than
 * exchanges the clients alternate, so that no conversation grows long. Latency at saturation is then mostly queueing:
 * exchanges under way divided by throughput.
 */
import { summarise } from '../measure/summary.ts';
import { ownCpuMs, readUsage, usageBetween } from '../measure/usage.ts';
import type { Client } from './client.ts';
import type { Exchange } from './exchanges.ts';
import type { LoopResult } from './orders.ts';

export interface LoopOptions {
  readonly inFlight: number;
  readonly warmMs: number;
  readonly windowMs: number;
  readonly watch: readonly number[];
  readonly mustWork: number;
}

const START_LENGTH = 40;
/** A slow server's window may become this much longer. */
const LONGER_MS = 10_000;
const LOOK_AGAIN_MS = 50;
const STRAGGLERS_MS = 10_000;
const ERROR_START = '{"type":"error"';
const OVERLOADED_START = `${ERROR_START},"code":"overloaded"`;
const AGAIN_AFTER_MS = 100;

export function closedLoop(
  clients: readonly Client[],
  { next, replyStart }: Exchange,
  options: LoopOptions,
): Promise<LoopResult> {
  const { inFlight, warmMs, windowMs, watch, mustWork } = options;
  const free = [...clients];
  let firstFree = 0;
  let underWay = 0;
  let phase: 'warm' | 'measuring' | 'over' = 'warm';
  let operations = 0;
  let refused = 0;
  const latencies: number[] = [];
  const sentAt = new Map<Client, number>();

  return new Promise((resolve, reject) => {
    let result: LoopResult | null = null;

    function start(): void {
      const client = free[firstFree];
      if (client === undefined) return fail(new Error('more exchanges than clients'));
      firstFree += 1;
      // A shift per exchange would move the whole array; one splice per 4,096 exchanges does not.
      if (firstFree > 4_096) firstFree -= free.splice(0, firstFree).length;
      underWay += 1;
      sentAt.set(client, performance.now());
      client.send(next());
    }
    function answered(client: Client): void {
      underWay -= 1;
      if (phase === 'measuring') {
        operations += 1;
        latencies.push(performance.now() - (sentAt.get(client) ?? 0));
      }
      free.push(client);
      if (phase !== 'over') return start();
      if (underWay === 0 && result !== null) finish(result);
    }
    function refusedBy(client: Client): void {
      underWay -= 1;
      if (phase === 'measuring') refused += 1;
      free.push(client);
      if (phase !== 'over') setTimeout(() => phase !== 'over' && start(), AGAIN_AFTER_MS);
      else if (underWay === 0 && result !== null) finish(result);
    }
    function finish(value: LoopResult): void {
      clearTimeout(stragglers);
      for (const client of clients) detach(client);
      resolve(value);
    }
    function fail(error: Error): void {
      phase = 'over';
      for (const client of clients) detach(client);
      reject(error);
    }

    for (const client of clients) {
      client.onText = (payload) => {
        const begin = payload.toString('latin1', 0, START_LENGTH);
        if (begin.startsWith(replyStart)) answered(client);
        else if (begin.startsWith(OVERLOADED_START)) refusedBy(client);
        else if (begin.startsWith(ERROR_START)) fail(new Error(payload.toString()));
      };
      client.onGone = () => fail(new Error('the server closed a connection under load'));
    }
    for (let index = 0; index < inFlight; index++) start();

    setTimeout(() => {
      const before = readUsage(watch);
      const ownBefore = ownCpuMs();
      const beganAt = performance.now();
      phase = 'measuring';
      const close = () => {
        if (phase === 'over') return;
        const openForMs = performance.now() - beganAt;
        const { cpuMs } = usageBetween(before, readUsage(watch), 0);
        // Without an answer for each exchange there is no latency, and without a tick of CPU time no ratio.
        const isComplete = operations >= inFlight && cpuMs.slice(0, mustWork).every((ms) => ms > 0);
        if (!isComplete && openForMs < windowMs + LONGER_MS) return void setTimeout(close, LOOK_AGAIN_MS);
        phase = 'over';
        result = {
          operations,
          refused,
          windowMs: openForMs,
          usage: usageBetween(before, readUsage(watch), ownCpuMs() - ownBefore),
          ownCpuMs: ownCpuMs() - ownBefore,
          latencyMs: summarise(latencies),
        };
        if (underWay === 0) finish(result);
      };
      setTimeout(close, windowMs);
    }, warmMs);
    const stragglers = setTimeout(
      () => fail(new Error(`${underWay} exchanges were never answered`)),
      warmMs + windowMs + LONGER_MS + STRAGGLERS_MS,
    );
  });
}

function detach(client: Client): void {
  client.onText = () => {};
  client.onGone = () => {};
}
