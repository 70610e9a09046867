/**
 * A flood before identity: thousands of strangers send junk, frames and requests that they never finish, to two instances at
 * once. Honest clients go on, and each is answered. The latencies are printed for a reader; no test asserts a time.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestClient } from '../support/instance/client.ts';
import { type Identities, newIdentities } from '../support/instance/identities.ts';
import { type Instance, startInstance } from '../support/instance/instance.ts';
import { metric } from '../support/instance/observed.ts';
import { adopt, end } from '../support/instance/processes.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { claimsFor, newKey, sign } from '../support/issuer.ts';
import type { FloodOrder, FloodResult } from './flood-attacker.ts';

const MIB = 1024 * 1024;
const HONEST = 100;
const ATTACKERS = 5_000;
const PER_SECOND = 1_000;
/** Of one instance, as it is by default. */
const AWAITING_MAX = 512;
/** Unfinished frames of all that may wait, unfinished bodies together, and what V8 has not collected yet. */
const GROWTH_MAX_BYTES = AWAITING_MAX * 128 * 1024 + 32 * MIB + 128 * MIB;
/** Sockets whose hello is being answered no longer wait, but are not yet closed. */
const ANSWERING_MAX = 64;
const PACE_MS = 2_000;
const WARM_MS = 4_000;
const CALM_MS = 10_000;
const SAMPLE_MS = 250;

const NO_RATES = {
  RATE_CONNECTIONS_PER_MINUTE: '0',
  RATE_REQUESTS_PER_MINUTE: '0',
  RATE_GUESSES_PER_MINUTE: '0',
  RATE_FAILED_CREDENTIALS_PER_MINUTE: '0',
};
const ALL_ADDRESSES = Array.from({ length: 8 }, (_, index) => `127.0.0.${index + 2}`);

const report = (text: string) => process.stdout.write(`${text}\n`);
const sleep = (ms: number) => new Promise((resume) => setTimeout(resume, ms));

/** An honest client takes a turn every two seconds, and extends its session before. */
class HonestClient {
  readonly #client: TestClient;
  /** Of what the client asked since the last look. */
  #turnsMs: number[] = [];
  #extendsMs: number[] = [];
  /** Messages that the instance refused because it could not keep up; the client sent them again. */
  shed = 0;
  asked = 0;
  answered = 0;
  #ended = false;

  constructor(client: TestClient) {
    this.#client = client;
  }

  async live(delayMs: number): Promise<void> {
    await sleep(delayMs);
    while (!this.#ended) {
      const startedMs = performance.now();
      this.asked += 2;
      this.#client.send({ type: 'extend' });
      await this.#client.waitForType('extended');
      const extendedMs = performance.now();
      this.#extendsMs.push(extendedMs - startedMs);
      this.answered += 1;
      this.shed += await this.#client.ask(`m${this.asked}`, 'Good morning');
      this.#turnsMs.push(performance.now() - extendedMs);
      this.answered += 1;
      await sleep(Math.max(0, PACE_MS - (performance.now() - startedMs)));
    }
  }

  look(): { readonly turnsMs: readonly number[]; readonly extendsMs: readonly number[] } {
    const seen = { turnsMs: this.#turnsMs, extendsMs: this.#extendsMs };
    this.#turnsMs = [];
    this.#extendsMs = [];
    return seen;
  }

  end(): void {
    this.#ended = true;
  }
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
}

function compare(what: string, before: readonly number[], during: readonly number[]): string {
  const of = (share: number) => {
    const [calm, flooded] = [quantile(before, share), quantile(during, share)];
    return `${calm.toFixed(1)} → ${flooded.toFixed(1)} ms (${(flooded / calm).toFixed(2)}×)`;
  };
  return `${what}: p50 ${of(0.5)}, p99 ${of(0.99)}, ${before.length} → ${during.length}`;
}

describe('a flood before identity', () => {
  const [redis] = started(startRedis);
  let identities: Identities;
  const instances: Instance[] = [];

  beforeEach(() => {
    identities = newIdentities();
  });
  afterEach(async () => {
    await Promise.all(instances.splice(0).map((instance) => instance.stop()));
    identities.close();
  });

  async function open(user: string, instance: Instance | undefined): Promise<HonestClient> {
    const client = await TestClient.open(instance?.url ?? '');
    await client.hello({ token: await identities.token(user) });
    return new HonestClient(client);
  }

  /**
   * Strangers have machines of their own: with FLOOD_ALONE=1 the attacker takes only what the instances and honest clients
   * leave of this one. Beside other tests it would starve, and flood no instance.
   */
  const prepareAttack = async () => {
    const file = fileURLToPath(new URL('./flood-attacker.ts', import.meta.url));
    const attacker = fork(file, { execArgv: ['--import', 'tsx'], stdio: 'inherit' });
    adopt(attacker);
    await once(attacker, 'message');
    if (process.env.FLOOD_ALONE === '1' && attacker.pid !== undefined)
      setPriority(attacker.pid, constants.priority.PRIORITY_LOW);
    return async (order: FloodOrder): Promise<FloodResult> => {
      attacker.send(order);
      const [result] = await once(attacker, 'message');
      await end(attacker, 'SIGTERM');
      return result as FloodResult;
    };
  };

  it.each([
    ['from one address, with the default rates', {}, ALL_ADDRESSES.slice(0, 1)],
    ['from many addresses, without rates', NO_RATES, ALL_ADDRESSES],
  ])(
    'five thousand strangers take bounded memory, every honest client is answered, and no stranger stays: %s',
    async (name, rates, addresses) => {
      const environment = {
        ...identities.environment,
        ...rates,
        REDIS_URL: redis.url,
        // Needs no credential for figures.
        ADMIN_PORT: '0',
        SIMULATOR_TOKENS: '8',
        SIMULATOR_TOKENS_PER_SECOND: '0',
      };
      instances.push(...(await Promise.all([startInstance(environment), startInstance(environment)])));
      const honest: HonestClient[] = [];
      for (let n = 0; n < HONEST; n += 1) honest.push(await open(`user-${n}`, instances[n % 2]));
      const lives = honest.map((client, n) => client.live((n * PACE_MS) / HONEST));
      const look = () => {
        const seen = honest.map((client) => client.look());
        return {
          turns: seen.flatMap(({ turnsMs }) => turnsMs),
          extends: seen.flatMap(({ extendsMs }) => extendsMs),
        };
      };
      const measured = (metricName: string) =>
        Promise.all(instances.map(({ admin }) => metric(admin, metricName)));
      const resident = () => measured('rehydra_process_resident_memory_bytes');
      const connections = () => measured('rehydra_connections');

      const attack = await prepareAttack();
      const residentBefore = await resident();
      let [residentPeak, connectionsPeak] = [residentBefore, [0, 0]];
      let isOver = false;
      const sampling = (async () => {
        while (!isOver) {
          const [bytes, sockets] = [await resident(), await connections()];
          residentPeak = residentPeak.map((peak, index) => Math.max(peak, bytes[index] ?? 0));
          connectionsPeak = connectionsPeak.map((peak, index) => Math.max(peak, sockets[index] ?? 0));
          await sleep(SAMPLE_MS);
        }
      })();
      // The first turns of a process compile it.
      await sleep(WARM_MS);
      look();
      await sleep(CALM_MS);
      const calm = look();
      const ports = instances.map(({ port }) => port);
      // It names the issuer's key, so an instance verifies the signature.
      const forgedToken = await sign({ ...newKey(), id: identities.keys.ec.id }, claimsFor('user-1'));
      const result = await attack({ ports, addresses, count: ATTACKERS, perSecond: PER_SECOND, forgedToken });
      const flooded = look();
      isOver = true;
      for (const client of honest) client.end();
      await Promise.all([sampling, ...lives]);

      const mebibytes = (bytes: readonly number[]) => bytes.map((one) => Math.round(one / MIB)).join(' and ');
      report(
        [
          `a flood of ${ATTACKERS} sockets ${name}:`,
          compare('  a turn of an honest client', calm.turns, flooded.turns),
          compare('  an extend', calm.extends, flooded.extends),
          `  memory of the instances: ${mebibytes(residentBefore)} → at most ${mebibytes(residentPeak)} MiB; ` +
            `sockets at most ${connectionsPeak.join(' and ')}; ${result.upgraded} upgraded, ${result.limited} refused by a rate; ` +
            `the attacker used ${(result.cpuMs / result.tookMs).toFixed(2)} cores of this machine; ` +
            `${honest.reduce((sum, { shed }) => sum + shed, 0)} messages sent again`,
        ].join('\n'),
      );
      expect(honest.map(({ asked, answered }) => asked - answered)).toEqual(honest.map(() => 0));
      expect(flooded.turns.length).toBeGreaterThanOrEqual(HONEST);
      expect(result).toMatchObject({ failed: 0, closed: ATTACKERS });
      expect(await connections()).toEqual([HONEST / 2, HONEST / 2]);
      for (const [index, peak] of residentPeak.entries())
        expect(peak - (residentBefore[index] ?? 0)).toBeLessThan(GROWTH_MAX_BYTES);
      for (const sockets of connectionsPeak)
        expect(sockets).toBeLessThanOrEqual(AWAITING_MAX + HONEST / 2 + ANSWERING_MAX);
      if (addresses.length === 1) expect(result.limited).toBeGreaterThan(0);
      else expect(result.limited).toBe(0);
    },
  );
});
