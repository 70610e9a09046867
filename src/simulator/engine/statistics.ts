/** What a simulator has seen: for tests that ask "did the upstream really stop?", and for /metrics. */

export interface RequestRecord {
  readonly id: string;
  readonly api: 'chat' | 'text';
  readonly sessionId: string | null;
  readonly conversationKey: string;
  readonly promptTokens: number;
  readonly isContinuation: boolean;
}

export interface SimulatorStats {
  readonly requests: number;
  readonly running: number;
  readonly waiting: number;
  /** Requests whose client left before the end. */
  readonly aborted: number;
  readonly completed: number;
  /** Requests that a fault ended. */
  readonly faulted: number;
  /** Refused before any token: 4xx and 5xx. */
  readonly refused: number;
  readonly byConversation: Readonly<Record<string, number>>;
  readonly bySession: Readonly<Record<string, number>>;
  /** The latest accepted requests, oldest first. */
  readonly recent: readonly RequestRecord[];
}

export type Ending = 'completed' | 'aborted' | 'faulted';

export interface Statistics {
  accepted(record: RequestRecord): void;
  refused(reason: 'admission' | 'other'): void;
  cached(promptTokens: number, cachedTokens: number): void;
  ended(ending: Ending, finishReason: string, completionTokens: number): void;
  readonly totals: Readonly<Totals>;
  report(running: number, waiting: number): SimulatorStats;
}

interface Totals {
  requests: number;
  aborted: number;
  completed: number;
  faulted: number;
  refused: number;
  admissionRejections: number;
  promptTokens: number;
  cachedTokens: number;
  completionTokens: number;
  readonly finishReasons: Map<string, number>;
}

const MAX_RECENT = 100;
/** A simulator that runs for days must not remember every conversation. */
const MAX_KEYS = 10_000;

export function createStatistics(): Statistics {
  const totals: Totals = {
    requests: 0,
    aborted: 0,
    completed: 0,
    faulted: 0,
    refused: 0,
    admissionRejections: 0,
    promptTokens: 0,
    cachedTokens: 0,
    completionTokens: 0,
    finishReasons: new Map(),
  };
  const byConversation = new Map<string, number>();
  const bySession = new Map<string, number>();
  const recent: RequestRecord[] = [];

  return {
    totals,
    accepted(record) {
      totals.requests += 1;
      count(byConversation, record.conversationKey);
      if (record.sessionId !== null) count(bySession, record.sessionId);
      recent.push(record);
      if (recent.length > MAX_RECENT) recent.shift();
    },
    refused(reason) {
      totals.refused += 1;
      if (reason === 'admission') totals.admissionRejections += 1;
    },
    cached(promptTokens, cachedTokens) {
      totals.promptTokens += promptTokens;
      totals.cachedTokens += cachedTokens;
    },
    ended(ending, finishReason, completionTokens) {
      totals[ending] += 1;
      totals.completionTokens += completionTokens;
      if (ending !== 'faulted') count(totals.finishReasons, finishReason);
    },
    report: (running, waiting) => ({
      requests: totals.requests,
      running,
      waiting,
      aborted: totals.aborted,
      completed: totals.completed,
      faulted: totals.faulted,
      refused: totals.refused,
      byConversation: Object.fromEntries(byConversation),
      bySession: Object.fromEntries(bySession),
      recent: [...recent],
    }),
  };
}

function count(map: Map<string, number>, key: string): void {
  map.set(key, (map.get(key) ?? 0) + 1);
  if (map.size > MAX_KEYS) map.delete(map.keys().next().value ?? key);
}
