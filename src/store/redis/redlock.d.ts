/** Declares what `lock.ts` uses of redlock 5.0.0-beta.2, whose `exports` hide its own types. */
declare module 'redlock' {
  /** Resources are strings in redlock's own types, but it only counts them and hands them to the client. */
  export interface RedlockClient<Resource> {
    evalsha(
      sha: string,
      numberOfKeys: number,
      args: readonly [Resource, token: string, durationMs?: number],
    ): Promise<number>;
    eval(
      text: string,
      numberOfKeys: number,
      args: readonly [Resource, token: string, durationMs?: number],
    ): Promise<number>;
  }

  export default class Redlock<Resource> {
    constructor(
      clients: Iterable<RedlockClient<Resource>>,
      settings: { readonly retryCount: number },
      scripts: {
        readonly acquireScript: (script: string) => string;
        readonly releaseScript: (script: string) => string;
      },
    );
    acquire(resources: readonly Resource[], durationMs: number): Promise<{ readonly value: string }>;
  }
}
