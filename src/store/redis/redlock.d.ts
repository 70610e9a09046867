/** Declares what `lock.ts` uses of redlock 5.0.0-beta.2, whose `exports` hide its own types. */
declare module 'redlock' {
  export class ResourceLockedError extends Error {}

  export class ExecutionError extends Error {
    readonly attempts: readonly Promise<{ readonly votesAgainst: ReadonlyMap<unknown, Error> }>[];
  }

  interface RedlockClient {
    evalsha(sha: string, numberOfKeys: number, args: readonly (string | number)[]): Promise<unknown>;
    eval(text: string, numberOfKeys: number, args: readonly (string | number)[]): Promise<unknown>;
  }

  export default class Redlock {
    constructor(
      clients: Iterable<RedlockClient>,
      settings: { readonly retryCount: number },
      scripts: { readonly acquireScript: (script: string) => string },
    );
    acquire(resources: string[], durationMs: number): Promise<{ readonly value: string }>;
  }
}
