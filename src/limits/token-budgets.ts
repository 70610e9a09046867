/**
 * TokenBudgets bounds the tokens that the model reads and writes for a user and for a tenant in one day (UTC). The store
 * keeps the totals, so that neither a restart nor another instance begins a new budget.
 *
 *  BUDGET-1  A total is known for at most FRESH_MS; then the next message reads it again, once for all that wait.
 *  BUDGET-2  A total only grows during its day: a budget that is spent costs no further call to the store.
 *  BUDGET-3  What the store did not take is added to the next charge of the same account.
 *  BUDGET-4  The store learns no user id: a tally is named by a hash, and is gone an hour after its day.
 */
import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import { userKey } from './limits.ts';
import type { Payer } from './payer.ts';

export interface TokenBudgetsOptions {
  /** 0: no bound. */
  readonly perUser: number;
  readonly perTenant: number;
  /** `Store.tally` */
  readonly tally: (name: string, by: number, expiresAt: number) => Promise<number>;
  readonly clock: Pick<Clock, 'now' | 'monotonicMs'>;
  readonly failed: (error: unknown) => void;
}

interface Account {
  readonly name: string;
  readonly max: number;
  readonly expiresAt: number;
  total: number;
  readMs: number;
  reading: Promise<void> | null;
  /** Tokens that the store has not taken. */
  owed: number;
}

const DAY_MS = 86_400_000;
/** Instances whose clocks differ must not delete the tally of a day that still runs elsewhere. */
const GRACE_MS = 3_600_000;
const FRESH_MS = 5_000;
/** An account beyond this number is read again. */
const ACCOUNTS_MAX = 10_000;

/** Ms to the next midnight in UTC, when every budget is whole again. */
export function untilNextDayMs(now: number): number {
  return DAY_MS - (now % DAY_MS);
}

export class TokenBudgets {
  readonly #options: TokenBudgetsOptions;
  readonly #accounts = new LRUCache<string, Account>({ max: ACCOUNTS_MAX });

  constructor(options: TokenBudgetsOptions) {
    this.#options = options;
  }

  /** Whether the payer or its tenant has used up its day. Without a promise while the totals are fresh; rejects when the store does. */
  isSpent(payer: Payer): boolean | Promise<boolean> {
    const accounts = this.#accountsOf(payer);
    if (accounts.some(isSpent)) return true; // BUDGET-2
    const nowMs = this.#options.clock.monotonicMs();
    const stale = accounts.filter(({ readMs }) => nowMs - readMs >= FRESH_MS);
    if (stale.length === 0) return false;
    return Promise.all(stale.map((account) => this.#read(account))).then(() => accounts.some(isSpent));
  }

  /** Counts tokens that the model has already used. Never rejects. */
  async charge(payer: Payer, tokens: number): Promise<void> {
    if (tokens <= 0) return;
    await Promise.all(this.#accountsOf(payer).map((account) => this.#add(account, tokens)));
  }

  async #add(account: Account, tokens: number): Promise<void> {
    account.total += tokens;
    const sent = account.owed + tokens;
    account.owed = 0;
    try {
      this.#learn(account, await this.#options.tally(account.name, sent, account.expiresAt));
    } catch (error) {
      account.owed += sent; // BUDGET-3
      this.#options.failed(error);
    }
  }

  #read(account: Account): Promise<void> {
    account.reading ??= this.#options
      .tally(account.name, 0, account.expiresAt)
      .then((total) => this.#learn(account, total))
      .finally(() => {
        account.reading = null;
      });
    return account.reading;
  }

  #learn(account: Account, total: number): void {
    account.total = Math.max(account.total, total + account.owed);
    account.readMs = this.#options.clock.monotonicMs();
  }

  #accountsOf({ userId, tenant }: Payer): readonly Account[] {
    const { perUser, perTenant } = this.#options;
    return [
      ...(perTenant === 0 ? [] : [this.#account(`tenant ${tenant}`, perTenant)]),
      ...(perUser === 0 || userId === null ? [] : [this.#account(userKey(userId, tenant), perUser)]),
    ];
  }

  #account(key: string, max: number): Account {
    const day = Math.floor(this.#options.clock.now() / DAY_MS);
    const daily = `${day} ${key}`;
    const known = this.#accounts.get(daily);
    if (known !== undefined) return known;
    const account: Account = {
      name: createHash('sha256').update(daily).digest('hex').slice(0, 40),
      max,
      expiresAt: (day + 1) * DAY_MS + GRACE_MS,
      total: 0,
      readMs: Number.NEGATIVE_INFINITY,
      reading: null,
      owed: 0,
    };
    this.#accounts.set(daily, account);
    return account;
  }
}

function isSpent({ total, max }: Account): boolean {
  return total >= max;
}
