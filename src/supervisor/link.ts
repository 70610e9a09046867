/**
 * Link connects a worker with its supervisor.
 *
 *  LINK-1  A worker drains and ends if its supervisor dies, however it died: no worker serves without a supervisor.
 *  LINK-2  A scrape is answered even if the supervisor is silent, then with this worker's metrics alone.
 */
import { systemClock } from '../clock.ts';
import { mergeMetrics } from '../telemetry/merge-metrics.ts';
import type { FromWorker, ToWorker } from './messages.ts';

export interface LinkEvents {
  /**
   * The supervisor asks the worker to end together with the others; or it has died, and the port must become free for the
   * next supervisor.
   */
  drain(reason: string, how: 'together' | 'alone'): void;
  /** The audit log was rotated. */
  reopen(): void;
}

export interface Link {
  listening(message: Omit<Extract<FromWorker, { type: 'listening' }>, 'type'>): void;
  /** Serves the metrics of this worker to the supervisor; returns a scrape of all workers. */
  shareMetrics(own: () => Promise<string>): () => Promise<string>;
}

/** Longer than the supervisor waits for a silent worker. */
const SCRAPE_WITHIN_MS = 4_000;

type Answer = Extract<ToWorker, { type: 'scraped' }>;

export function openLink(events: LinkEvents): Link {
  const scrapes = new Map<number, (answer: Answer | null) => void>();
  let lastId = 0;
  let ownMetrics: (() => Promise<string>) | null = null;

  const send = (message: FromWorker): void => {
    // The channel may close under a message: `disconnect` follows.
    if (process.connected) process.send?.(message, undefined, undefined, () => {});
  };
  const collect = async (id: number): Promise<void> => {
    if (ownMetrics !== null) send({ type: 'collected', id, text: await ownMetrics() });
  };
  process.on('message', (received) => {
    const message = received as ToWorker;
    switch (message.type) {
      case 'drain':
        return events.drain('the supervisor ends', 'together');
      case 'reopen':
        return events.reopen();
      case 'ping':
        return send({ type: 'pong' });
      case 'collect':
        return void collect(message.id);
      case 'scraped':
        scrapes.get(message.id)?.(message);
    }
  });
  const onDisconnect = (): void => events.drain('the supervisor died', 'alone'); // LINK-1
  process.once('disconnect', onDisconnect);
  // The supervisor may have died while this worker was loading its program.
  if (!process.connected) setImmediate(onDisconnect);

  const scrape = async (own: () => Promise<string>): Promise<string> => {
    lastId += 1;
    const id = lastId;
    const answer = await new Promise<Answer | null>((resolve) => {
      const cancel = systemClock.after(SCRAPE_WITHIN_MS, () => resolve(null)); // LINK-2
      scrapes.set(id, (received) => {
        cancel();
        resolve(received);
      });
      send({ type: 'scrape', id });
    });
    scrapes.delete(id);
    const texts = answer === null || answer.texts.length === 0 ? [await own()] : answer.texts;
    return answer === null ? mergeMetrics(texts) : mergeMetrics([...texts, groupMetrics(answer)]);
  };
  return {
    listening: (message) => send({ type: 'listening', ...message }),
    shareMetrics(own) {
      ownMetrics = own;
      return () => scrape(own);
    },
  };
}

/** They belong to no single worker, so they have no label `instance`. */
function groupMetrics({ texts, workers, restarts }: Answer): string {
  return `# HELP rehydra_workers Workers that share this port.
# TYPE rehydra_workers gauge
rehydra_workers ${workers}

# HELP rehydra_workers_reporting Workers whose metrics are in this answer.
# TYPE rehydra_workers_reporting gauge
rehydra_workers_reporting ${texts.length}

# HELP rehydra_worker_restarts_total Workers that ended unexpectedly and were replaced.
# TYPE rehydra_worker_restarts_total counter
rehydra_worker_restarts_total ${restarts}
`;
}
