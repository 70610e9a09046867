/** The server under test, as `npm run test:engine` names it and as the probe found it. */
import { inject } from 'vitest';
import type { ServerGives } from './server-gives.ts';

export interface EngineTarget {
  /** Ends in /v1. */
  readonly url: string;
  /** A second server with the same model, to which an answer moves when the first one is killed. */
  readonly secondUrl: string | null;
  /** Process of the first server, where a test may kill it. */
  readonly pid: number | null;
  readonly model: string;
  /** What the model is asked where answers are compared. */
  readonly question: string;
  readonly gives: ServerGives;
}

declare module 'vitest' {
  export interface ProvidedContext {
    engine: EngineTarget;
  }
}

export const engine = inject('engine');
