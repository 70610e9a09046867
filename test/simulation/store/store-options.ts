/** A world gives its store a witness, who learns of every accepted write, and the rules that a planted bug may break. */
import type { Append, Commit, Fence } from '../../../src/store/contract.ts';

export interface StoreWitness {
  /** `inbox` is what the claim finds in it. */
  claimed(fence: Fence, inbox: readonly string[]): void;
  committed(fence: Fence, commit: Commit): void;
  /** An end was acknowledged where nothing was left to end. */
  endedAlready(fence: Fence, commit: Commit): void;
  appended(fence: Fence, append: Append): void;
  renewed(fence: Fence): void;
  released(fence: Fence): void;
  pushed(sessionId: string, entry: string): void;
  /** Entries that left the inbox with the write that applied them. */
  consumed(sessionId: string, entries: readonly string[]): void;
  /** How to go back to what it knows now: the changes that follow may be lost. */
  remember(): () => void;
}

export interface StoreRules {
  readonly checksFence: boolean;
  /** An entry that was read stays until a write applies it. */
  readonly keepsInbox: boolean;
  /** Epochs follow the clock, so that a failover brings none back. */
  readonly datesEpochs: boolean;
}

export const SOUND: StoreRules = { checksFence: true, keepsInbox: true, datesEpochs: true };
