/** Extent sets how long and how much the benchmark measures. */
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
  /** Conversations that share the turns: a growing conversation makes its turns more expensive. */
  readonly conversations: number;
  /** How long clients send nothing while the benchmark measures the cost of silence. */
  readonly silenceMs: number;
  /** How long the run may wait for quiet moments and repeat noisy windows. */
  readonly quietMs: number;
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
  conversations: 512,
  silenceMs: 3_000,
  quietMs: 40_000,
};

/** Only checks that every question gets an answer. Its figures mean nothing. */
export const quick: Extent = {
  repeats: 1,
  warmMs: 50,
  windowMs: 150,
  inFlight: [8],
  streams: [8],
  sockets: 50,
  storedFew: 20,
  storedMany: 100,
  greetings: 16,
  steps: 200,
  conversations: 16,
  silenceMs: 500,
  quietMs: 0,
};
