/** Corrects a session's list of attached instances after an instance died or was wrongly taken for dead. */
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { SessionActor } from '../actor/session-actor.ts';
import type { Membership } from '../cluster/membership.ts';
import type { Outcome } from '../machine/outcome.ts';
import type { DeliveryPort } from './delivery-port.ts';
import type { SessionView } from './session-view.ts';

export interface AttachmentRepairPorts {
  readonly instance: string;
  readonly membership: Membership;
  readonly clock: Clock;
  readonly log: Log;
  readonly delivery: DeliveryPort;
  readonly isLocal: (sessionId: string) => boolean;
  readonly view: (sessionId: string) => Promise<SessionView | null>;
  readonly send: (sessionId: string, event: SessionEvent) => Promise<Outcome>;
}

/** Sessions that are reattached in parallel. */
const REATTACH_TOGETHER = 64;

/** Detaches the sockets of dead instances, which could not do it themselves. The session's new owner calls this. */
export async function detachDeadInstances(
  actor: SessionActor,
  { instance, membership, clock, delivery }: AttachmentRepairPorts,
): Promise<void> {
  for (const attached of actor.snapshot.context.attached) {
    const isGone =
      attached === instance ? !delivery.hasSockets(actor.sessionId) : !(await membership.mayLive(attached));
    if (isGone) actor.post({ type: 'detach', at: clock.now(), instance: attached });
  }
}

/**
 * Attaches this instance again after others took it for dead: their sessions have detached its sockets, and would send
 * them no further hints. The sockets stay open.
 */
export async function reattach(ports: AttachmentRepairPorts): Promise<void> {
  const { delivery, isLocal } = ports;
  const followed = [...delivery.sessions].filter((sessionId) => !isLocal(sessionId));
  for (let first = 0; first < followed.length; first += REATTACH_TOGETHER) {
    const together = followed.slice(first, first + REATTACH_TOGETHER);
    await Promise.all(together.map((sessionId) => reattachSession(sessionId, ports)));
  }
}

async function reattachSession(
  sessionId: string,
  { instance, clock, log, delivery, view, send }: AttachmentRepairPorts,
): Promise<void> {
  try {
    const stored = await view(sessionId);
    if (stored?.context.attached.includes(instance) === false) {
      const outcome = await send(sessionId, { type: 'attach', at: clock.now(), instance, isReturn: true });
      if (outcome.kind === 'refused') throw new Error(outcome.code);
    }
    delivery.catchUp(sessionId);
  } catch (error) {
    log.warn({ err: error }, 'session could not be reattached');
    delivery.end(sessionId, 'session_moved');
  }
}
