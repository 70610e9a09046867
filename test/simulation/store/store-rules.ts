/** Rules of the store that a planted bug may leave out. */
export interface StoreRules {
  readonly checksFence: boolean;
  /** An entry that was read stays until a write applies it. */
  readonly keepsInbox: boolean;
  /** Epochs follow the clock, so that a failover brings none back. */
  readonly datesEpochs: boolean;
}

export const SOUND: StoreRules = { checksFence: true, keepsInbox: true, datesEpochs: true };
