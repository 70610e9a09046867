/** Extent sets how long and how much the benchmark measures. */
export interface Extent {
  readonly repeats: number;
  readonly warmMs: number;
  readonly windowMs: number;
  /** Exchanges under way: alone, few, many. */
  readonly inFlight: readonly [number, number, number];
  readonly streams: readonly number[];
  readonly sockets: number;
  /** Sessions that one round opens. */
  readonly opened: number;
  /** Sessions in the bucket of the session whose bytes are counted. */
  readonly bucket: number;
  readonly greetings: number;
  readonly steps: number;
  /** Conversations that share the turns: a growing conversation makes its turns more expensive. */
  readonly conversations: number;
  /** How long clients send nothing while the benchmark measures the cost of silence. */
  readonly silenceMs: number;
  /** How long the run may wait for quiet moments and repeat noisy windows. */
  readonly quietMs: number;
  readonly scale: {
    readonly connected: number;
    /** Sockets of one process, which the limit of descriptors bounds. */
    readonly perProcess: number;
    readonly stored: readonly number[];
    /** Calls of a listing page or a sweep in one sample. */
    readonly calls: number;
  };
}

export const usual: Extent = {
  repeats: 3,
  warmMs: 300,
  windowMs: 800,
  inFlight: [1, 64, 1_000],
  streams: [1, 64, 200, 400],
  sockets: 5_000,
  opened: 2_000,
  bucket: 4_000,
  greetings: 300,
  steps: 20_000,
  conversations: 512,
  silenceMs: 3_000,
  quietMs: 120_000,
  scale: {
    connected: 100_000,
    perProcess: 15_000,
    stored: [1_000, 10_000, 100_000, 1_000_000],
    calls: 2_000,
  },
};

/** Only checks that every question gets an answer. Its figures mean nothing. */
export const quick: Extent = {
  repeats: 1,
  warmMs: 50,
  windowMs: 150,
  inFlight: [1, 4, 8],
  streams: [4, 8],
  sockets: 50,
  opened: 50,
  bucket: 100,
  greetings: 16,
  steps: 200,
  conversations: 16,
  silenceMs: 500,
  quietMs: 0,
  scale: { connected: 100, perProcess: 50, stored: [100, 200], calls: 300 },
};
