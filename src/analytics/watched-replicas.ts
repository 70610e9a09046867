/** WatchedReplicas shows the model's replicas to operators: a log line per change, a gauge and a count of failures. */
import { Counter, Gauge, type Registry } from 'prom-client';
import type { ReplicaEvent, ReplicaReport } from '../generation/replicas/replicas.ts';
import { FAILURE_CODES } from '../generation/upstream/failure.ts';
import type { Log } from '../telemetry/log.ts';

/** Number of models that a log line names at most. */
const MODELS_SHOWN = 5;

export interface WatchedReplicas {
  readonly onEvent: (event: ReplicaEvent) => void;
  /** Shows these reports to Prometheus. */
  show(reports: () => readonly ReplicaReport[]): void;
}

export function watchReplicas(registry: Registry, log: Log, model: string | null): WatchedReplicas {
  const registers = [registry];
  const failures = new Counter({
    name: 'rehydra_upstream_failures_total',
    help: 'Requests to the model that failed.',
    labelNames: ['replica', 'code'],
    registers,
  });

  function onEvent(event: ReplicaEvent): void {
    const { kind, replica } = event;
    switch (kind) {
      case 'failed':
        return failures.inc({ replica, code: event.code });
      case 'failing':
        return log.warn({ replica, ...causeOf(event) }, 'the model fails');
      case 'down':
        return log.error({ replica, ...causeOf(event) }, 'the model is down');
      case 'recovered':
        return log.info({ replica, code: event.code, failedForMs: event.afterMs }, 'the model answers again');
      case 'model-not-listed': {
        const models = event.models.slice(0, MODELS_SHOWN);
        return log.warn({ replica, model, models }, 'the model server does not list VLLM_MODEL');
      }
    }
  }

  return {
    onEvent,
    show(reports) {
      // A counter that appears with its first failure has no rate yet, so no alert fires.
      for (const { id: replica } of reports())
        for (const code of FAILURE_CODES) failures.inc({ replica, code }, 0);
      new Gauge({
        name: 'rehydra_upstream_up',
        help: '0 while a replica of the model is down, after three failures in a row or a check without an answer.',
        labelNames: ['replica'],
        registers,
        collect() {
          for (const { id: replica, state } of reports()) this.set({ replica }, state === 'down' ? 0 : 1);
        },
      });
    },
  };
}

function causeOf({ code, detail }: { readonly code: string; readonly detail: string | null }) {
  return detail === null ? { code } : { code, detail };
}
