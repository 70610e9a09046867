/** redlock 5.0.0-beta.2 has types, but its `exports` don't lead to them. This is what `lock.ts` uses of it. */
declare module 'redlock' {
  export class ResourceLockedError extends Error {}

  export interface ExecutionStats {
    readonly votesAgainst: ReadonlyMap<unknown, Error>;
  }

  export class ExecutionError extends Error {
    readonly attempts: readonly (ExecutionStats | Promise<ExecutionStats>)[];
  }

  export interface RedlockClient {
    evalsha(sha: string, numberOfKeys: number, args: readonly (string | number)[]): Promise<unknown>;
    eval(text: string, numberOfKeys: number, args: readonly (string | number)[]): Promise<unknown>;
  }

  export interface Settings {
    readonly retryCount: number;
    readonly driftFactor?: number;
  }

  export interface Scripts {
    readonly acquireScript?: (script: string) => string;
  }

  export interface Lock {
    readonly value: string;
  }

  export default class Redlock {
    constructor(clients: Iterable<RedlockClient>, settings: Settings, scripts?: Scripts);
    acquire(resources: string[], durationMs: number): Promise<Lock>;
  }
}
