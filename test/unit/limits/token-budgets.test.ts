import { beforeEach, expect, it } from 'vitest';
import type { Payer } from '../../../src/limits/payer.ts';
import { TokenBudgets, untilNextDayMs } from '../../../src/limits/token-budgets.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** Six in the morning, UTC. */
const MORNING = 20_000 * DAY_MS + 6 * HOUR_MS;
const ADA: Payer = { userId: 'ada', tenant: '' };
const ADA_OF_ACME: Payer = { userId: 'ada', tenant: 'acme' };
const BOB_OF_ACME: Payer = { userId: 'bob', tenant: 'acme' };

interface Asked {
  readonly name: string;
  readonly by: number;
  readonly expiresAt: number;
}

let nowMs: number;
let asked: Asked[];
let isAway: boolean;
let totals: Map<string, number>;
let failures: number;

beforeEach(() => {
  nowMs = MORNING;
  asked = [];
  isAway = false;
  totals = new Map();
  failures = 0;
});

/** The budgets of one instance; all of them share the store. */
function open(perUser: number, perTenant = 0): TokenBudgets {
  return new TokenBudgets({
    perUser,
    perTenant,
    clock: { now: () => nowMs, monotonicMs: () => nowMs },
    async tally(name, by, expiresAt) {
      if (isAway) throw new Error('away');
      asked.push({ name, by, expiresAt });
      const total = (totals.get(name) ?? 0) + by;
      totals.set(name, total);
      return total;
    },
    failed: () => {
      failures += 1;
    },
  });
}

it('a budget is spent once its day has cost as many tokens, and is whole again at midnight UTC', async () => {
  const budgets = open(100);
  expect(await budgets.isSpent(ADA)).toBe(false);
  await budgets.charge(ADA, 99);
  expect(await budgets.isSpent(ADA)).toBe(false);
  await budgets.charge(ADA, 1);
  expect(await budgets.isSpent(ADA)).toBe(true);
  expect(untilNextDayMs(nowMs)).toBe(18 * HOUR_MS);
  nowMs += 18 * HOUR_MS - 1;
  expect(await budgets.isSpent(ADA)).toBe(true);
  nowMs += 1;
  expect(await budgets.isSpent(ADA)).toBe(false);
});

it('users of two tenants with the same id have budgets of their own, and the users of a tenant share its budget', async () => {
  const budgets = open(100, 150);
  await budgets.charge(ADA_OF_ACME, 100);
  expect(await budgets.isSpent(ADA_OF_ACME)).toBe(true);
  for (const payer of [ADA, BOB_OF_ACME]) expect(await budgets.isSpent(payer)).toBe(false);
  await budgets.charge(BOB_OF_ACME, 50);
  expect(await budgets.isSpent(BOB_OF_ACME)).toBe(true);
  expect(await budgets.isSpent({ userId: null, tenant: 'acme' })).toBe(true);
  expect(await budgets.isSpent(ADA)).toBe(false);
});

it('within five seconds a user’s messages cost one read of the store, however many come together', async () => {
  const budgets = open(100);
  await Promise.all(Array.from({ length: 50 }, () => budgets.isSpent(ADA)));
  expect(asked).toHaveLength(1);
  nowMs += 4_999;
  expect(budgets.isSpent(ADA)).toBe(false);
  expect(asked).toHaveLength(1);
  nowMs += 1;
  expect(await budgets.isSpent(ADA)).toBe(false);
  expect(asked).toHaveLength(2);
});

it('an instance learns within five seconds what other instances have charged, and a restarted one at once', async () => {
  const [here, there] = [open(100), open(100)];
  expect(await here.isSpent(ADA)).toBe(false);
  await there.charge(ADA, 100);
  expect(await open(100).isSpent(ADA)).toBe(true);
  nowMs += 5_000;
  expect(await here.isSpent(ADA)).toBe(true);
});

it('a user without budget costs the store nothing more until the day ends', async () => {
  const budgets = open(100);
  await budgets.charge(ADA, 100);
  const before = asked.length;
  for (let hour = 0; hour < 17; hour += 1) {
    nowMs += HOUR_MS;
    expect(budgets.isSpent(ADA)).toBe(true);
  }
  expect(asked).toHaveLength(before);
});

it('tokens that the store could not count are counted with the next answer', async () => {
  const budgets = open(100);
  isAway = true;
  await budgets.charge(ADA, 60);
  await expect(open(100).isSpent(ADA)).rejects.toThrow('away');
  expect(failures).toBe(1);
  isAway = false;
  expect(await open(100).isSpent(ADA)).toBe(false);
  await budgets.charge(ADA, 40);
  expect(await open(100).isSpent(ADA)).toBe(true);
});

it('the store gets neither user ids nor tenants, and forgets each tally an hour after its day', async () => {
  const budgets = open(100, 100);
  await budgets.charge(ADA_OF_ACME, 5);
  expect(asked).toHaveLength(2);
  for (const { name, expiresAt } of asked) {
    expect(name).toMatch(/^[0-9a-f]{40}$/);
    expect(expiresAt).toBe(20_001 * DAY_MS + HOUR_MS);
  }
});

it('without a bound, or for nothing, no call reaches the store', async () => {
  const budgets = open(0, 100);
  await open(0).charge(ADA, 5);
  await budgets.charge(ADA, 0);
  expect(open(0).isSpent(ADA)).toBe(false);
  expect(open(100).isSpent({ userId: null, tenant: '' })).toBe(false);
  expect(asked).toEqual([]);
});
