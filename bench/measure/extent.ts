/** How long and how much is measured. */
export interface Extent {
  readonly repeats: number;
  readonly warmMs: number;
  readonly windowMs: number;
  readonly inFlight: readonly number[];
  readonly streams: readonly number[];
  readonly sockets: number;
  readonly storedFew: number;
  readonly storedMany: number;
  readonly greetings: number;
  readonly steps: number;
}

export const usual: Extent = {
  repeats: 3,
  warmMs: 300,
  windowMs: 800,
  inFlight: [1, 64, 1_000],
  streams: [1, 64, 200],
  sockets: 5_000,
  storedFew: 100,
  storedMany: 20_000,
  greetings: 300,
  steps: 20_000,
};

export const quick: Extent = {
  repeats: 2,
  warmMs: 200,
  windowMs: 600,
  inFlight: [64],
  streams: [64],
  sockets: 1_000,
  storedFew: 100,
  storedMany: 3_000,
  greetings: 100,
  steps: 4_000,
};
