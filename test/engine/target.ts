/** Describes the server under test, as `npm run test:engine` names it and as the probe found it. */
import { inject } from 'vitest';
import type { ServerFeatures } from './server-features.ts';

export interface EngineTarget {
  /** Ends in /v1. */
  readonly url: string;
  /** A second server with the same model: answers move to it when the first dies. */
  readonly secondUrl: string | null;
  /** Process of the first server, if a test may kill it. */
  readonly pid: number | null;
  readonly model: string;
  /** The question for comparisons of answers. */
  readonly question: string;
  readonly features: ServerFeatures;
}

declare module 'vitest' {
  export interface ProvidedContext {
    engine: EngineTarget;
  }
}

export const engine = inject('engine');
