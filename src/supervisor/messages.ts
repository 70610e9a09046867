/** Messages between the supervisor and its workers, over the channel that Node opens for a forked process. */

/** What the first worker tells of the service, for the supervisor's line `listening`. */
export interface Listening {
  readonly port: number;
  /** Absent without `ADMIN_PORT`. */
  readonly adminPort?: number;
  readonly admin?: string;
  readonly store: string;
  readonly upstream: string;
  /** The chat page. */
  readonly page: string;
  readonly url: string;
  readonly chat: string;
}

export type FromWorker =
  | {
      readonly type: 'listening';
      readonly listening: Listening;
      /** The longest time from a `drain` to the end of the worker. */
      readonly endsWithinMs: number;
      /** True if the worker has a file to reopen on SIGHUP. */
      readonly reopens: boolean;
    }
  /** Asks for the metrics of all workers. */
  | { readonly type: 'scrape'; readonly id: number }
  /** Answers `collect`. */
  | { readonly type: 'collected'; readonly id: number; readonly text: string }
  /** Answers `ping`. */
  | { readonly type: 'pong' };

/** The metrics of all workers that answered in time. */
export interface Scraped {
  readonly texts: readonly string[];
  readonly workers: number;
  readonly restarts: number;
}

export type ToWorker =
  | { readonly type: 'drain' }
  | { readonly type: 'reopen' }
  | { readonly type: 'ping' }
  | { readonly type: 'collect'; readonly id: number }
  | ({ readonly type: 'scraped'; readonly id: number } & Scraped);
