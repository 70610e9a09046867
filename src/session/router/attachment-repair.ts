/** What a session believes of the instances with sockets of it, put right after one of them was away. */
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
  readonly isResident: (sessionId: string) => boolean;
  readonly view: (sessionId: string) => Promise<SessionView | null>;
  readonly send: (sessionId: string, event: SessionEvent) => Promise<Outcome>;
}

/** Sessions that are looked at together after an repair. */
const REJOIN_TOGETHER = 64;

/** Instances that died never said that their sockets are gone. */
export async function detachDeadInstances(
  actor: SessionActor,
  { instance, membership, clock, delivery }: AttachmentRepairPorts,
): Promise<void> {
  for (const attached of actor.snapshot.context.attached) {
    const gone =
      attached === instance ? !delivery.hasSockets(actor.sessionId) : !(await membership.mayLive(attached));
    if (gone) actor.post({ type: 'detach', at: clock.now(), instance: attached });
  }
}

/**
 * Others took this instance for dead: a session that was opened meanwhile has crossed it off, and would hint nothing
 * to its sockets any more. The sockets stay; the session is told that they are here.
 */
export async function reattach(ports: AttachmentRepairPorts): Promise<void> {
  const { delivery, isResident } = ports;
  const homeless = [...delivery.sessions].filter((sessionId) => !isResident(sessionId));
  for (let first = 0; first < homeless.length; first += REJOIN_TOGETHER) {
    const together = homeless.slice(first, first + REJOIN_TOGETHER);
    await Promise.all(together.map((sessionId) => rejoinOne(sessionId, ports)));
  }
}

async function rejoinOne(
  sessionId: string,
  { instance, clock, log, delivery, view, send }: AttachmentRepairPorts,
): Promise<void> {
  try {
    const stored = await view(sessionId);
    if (stored?.context.attached.includes(instance) === false) {
      const outcome = await send(sessionId, { type: 'attach', at: clock.now(), instance });
      if (outcome.kind === 'refused') throw new Error(outcome.code);
    }
    delivery.catchUp(sessionId);
  } catch (error) {
    log.warn({ err: error }, 'session could not be rejoined');
    delivery.end(sessionId, 'session_moved');
  }
}
