/**
 * Population reports to Prometheus on the sessions of all instances: their number in each state, and the time that a
 * sample of them has left. It reads the store on a scrape, and at most once every few seconds.
 *
 *  POPULATION-1  A store or an archive that cannot be reached is reported as down; the report neither waits nor fails.
 *  POPULATION-2  A report costs the same for any number of sessions: each sample continues where the last one ended.
 */
import { Gauge, type Registry } from 'prom-client';
import type { Archive } from '../archive/archive.ts';
import { startTimer } from '../clock.ts';
import type { Store } from '../store/contract.ts';
import { countsOfAll } from '../store/tenant-index.ts';
import type { Meters } from '../telemetry/meters.ts';

export interface PopulationPorts {
  readonly store: Store;
  readonly archive: Archive;
  readonly meters: Meters;
  readonly now: () => number;
  readonly monotonicMs: () => number;
  /** When the session ends without further activity; null if it is gone. */
  readonly endsAt: (sessionId: string) => Promise<number | null>;
}

interface Look {
  readonly storeUp: boolean;
  readonly archiveUp: boolean;
  /** Null if the store did not answer. */
  readonly byState: Readonly<Record<string, number>> | null;
}

const FRESH_MS = 2_000;
const WITHIN_MS = 2_000;
const SAMPLE = 32;
const STATES = ['connected', 'processing', 'idle'];

export function watchPopulation(registry: Registry, ports: PopulationPorts): void {
  const { store, archive, meters, now, monotonicMs, endsAt } = ports;
  let cursor: string | null = null;
  let latest: { readonly atMs: number; readonly look: Promise<Look> } | null = null;

  async function sample(): Promise<void> {
    const page = await store.list({ limit: SAMPLE, ...(cursor === null ? {} : { cursor }) });
    cursor = page.cursor;
    for (const at of await Promise.all(page.sessionIds.map(endsAt)))
      if (at !== null) meters.expiry.observe(Math.max(0, at - now()) / 1_000);
  }

  async function look(): Promise<Look> {
    // A full store takes no writes, and an operator then needs the count of its sessions most.
    const [storeUp, archiveUp, byState] = await Promise.all([
      within(async () => (await store.health()).ok, false),
      within(() => archive.health(), false),
      within<Look['byState']>(async () => countsOfAll(await store.countByState()), null),
    ]);
    if (byState !== null) await within(sample, undefined);
    return { storeUp, archiveUp, byState };
  }

  function recent(): Promise<Look> {
    if (latest === null || monotonicMs() - latest.atMs >= FRESH_MS)
      latest = { atMs: monotonicMs(), look: look() };
    return latest.look;
  }

  const registers = [registry];
  const flag = (name: string, help: string, read: (found: Look) => boolean) =>
    new Gauge({
      name: `rehydra_${name}`,
      help,
      registers,
      async collect() {
        this.set(read(await recent()) ? 1 : 0);
      },
    });
  flag('store_up', '1 while the session store takes writes.', ({ storeUp }) => storeUp);
  flag('archive_up', '1 while the archive answers.', ({ archiveUp }) => archiveUp);
  new Gauge({
    name: 'rehydra_sessions',
    help: 'Living sessions of all instances, by state; each instance reports the same number.',
    labelNames: ['state'],
    registers,
    async collect() {
      const { byState } = await recent();
      this.reset();
      // No number is better than a wrong one.
      if (byState === null) return;
      for (const state of new Set([...STATES, ...Object.keys(byState)]))
        this.set({ state }, byState[state] ?? 0);
    },
  });
}

/** The answer, or `otherwise` if it fails or comes too late (POPULATION-1). */
function within<T>(ask: () => Promise<T>, otherwise: T): Promise<T> {
  return new Promise((resolve) => {
    const timer = startTimer(WITHIN_MS, () => resolve(otherwise));
    ask()
      .then(resolve, () => resolve(otherwise))
      .finally(timer.cancel);
  });
}
