/** Names everything that routes use. */
import type { OverlapPolicy } from '../../../machines/vocabulary.ts';
import type { Analytics } from '../../analytics/analytics.ts';
import type { Archive } from '../../archive/archive.ts';
import type { Audit } from '../../audit/audit.ts';
import type { SessionServices } from '../../delivery/attach-client.ts';
import type { ErrorCode } from '../../errors.ts';
import type { ReplicaReport } from '../../generation/replicas/replicas.ts';
import type { Authenticator } from '../../identity/authenticator.ts';
import type { Limits } from '../../limits/limits.ts';

export interface HttpPorts extends SessionServices {
  readonly archive: Archive;
  readonly analytics: Analytics;
  /** Null: no audit log. */
  readonly audit: Audit | null;
  readonly limits: Limits;
  readonly authenticator: Authenticator;
  readonly defaultPolicy: OverlapPolicy;
  /** Why the instance takes no new turn now, or null. */
  readonly unavailable: () => ErrorCode | null;
  /** How long a client should wait before it retries, spread so that clients do not all return together. */
  readonly retryAfterMs: () => number;
  /** In the text format of Prometheus, of all workers that share the port. */
  readonly metrics: { readonly contentType: string; readonly scrape: () => Promise<string> };
  readonly upstream: string;
  readonly replicas: () => readonly ReplicaReport[];
  /** The name of the model that answers; null: no model server names one now. */
  readonly servedModel: () => Promise<string | null>;
  readonly draining: () => boolean;
  readonly localSessions: () => number;
  readonly connections: () => number;
}
