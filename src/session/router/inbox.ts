/**
 * Inbox entries carry input to a session that another instance owns: an event, and the connection that sent it.
 * The owner validates each entry, like all input from outside its process, although another instance wrote it.
 */
import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { type SessionEvent, sentEventSchema } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { InboxEntry } from '../actor/actor-host.ts';
import type { InstanceMessages } from '../cluster/instance-messages.ts';
import type { Outcome } from '../machine/outcome.ts';
import type { DeliveryPort } from './delivery-port.ts';

const originSchema = z.strictObject({ instance: z.string(), connection: z.string() }).readonly();
const entrySchema = z.strictObject({ event: sentEventSchema, origin: originSchema.nullable() });

/** The connection to which the answer to the input goes. */
export type Origin = z.infer<typeof originSchema>;

export interface PassedEvent {
  readonly event: SessionEvent;
  readonly origin: Origin | null;
}

export interface InboxPorts {
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly delivery: Pick<DeliveryPort, 'refuse' | 'extended'>;
  readonly messages: Pick<InstanceMessages, 'notify'>;
}

export function writeInboxEntry(passed: PassedEvent): string {
  return JSON.stringify(passed);
}

/** Null if the entry cannot be read. */
export function readInboxEntry(entry: string): PassedEvent | null {
  try {
    return entrySchema.parse(JSON.parse(entry));
  } catch {
    return null;
  }
}

/** Parses an entry for the owner. The answer goes back to the connection that sent the input. */
export function openInboxEntry(ports: InboxPorts, sessionId: string, entry: string): InboxEntry {
  const passed = readInboxEntry(entry);
  if (passed === null) {
    ports.log.warn({ sessionId }, 'an inbox entry could not be read');
    // An event without effect in any state: the write that applies it takes the entry out of the inbox.
    const instance = `unread-${randomUUID()}`;
    return { event: { type: 'detach', at: ports.clock.now(), instance }, settle: () => {} };
  }
  const { event, origin } = passed;
  const settle = (outcome: Outcome) => {
    if (origin === null) return;
    const { instance, connection } = origin;
    const isHere = instance === ports.instance;
    if (outcome.kind === 'extended') {
      const { ends } = outcome;
      if (isHere) return ports.delivery.extended(sessionId, connection, ends);
      return ports.messages.notify(instance, { kind: 'extended', sessionId, connection, ...ends });
    }
    if (outcome.kind !== 'refused') return;
    const { code } = outcome;
    // A `cancel` names a message too, but its refusal is about the cancel.
    const messageId = 'messageId' in event && event.type !== 'cancel' ? event.messageId : undefined;
    if (isHere) return ports.delivery.refuse(sessionId, connection, code, messageId);
    ports.messages.notify(instance, { kind: 'refused', sessionId, connection, code, messageId });
  };
  return { event, settle };
}
