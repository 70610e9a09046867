/** Input that came to its owner by the inbox, and the way back for a refusal: to the connection that sent it. */
import { randomUUID } from 'node:crypto';
import type { SessionEvent } from '../../../machines/vocabulary.ts';
import type { Clock } from '../../clock.ts';
import type { ErrorCode } from '../../errors.ts';
import type { Log } from '../../telemetry/log.ts';
import type { InboxEntry } from '../actor/actor-host.ts';
import type { InstanceMessage } from '../cluster/signals.ts';
import type { Outcome } from '../machine/outcome.ts';
import { readInboxEntry } from './inbox.ts';

export interface InboxPorts {
  readonly instance: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly refuseHere: (sessionId: string, connection: string, code: ErrorCode, messageId?: string) => void;
  readonly tell: (instance: string, signal: InstanceMessage) => void;
}

export function openInboxEntry(ports: InboxPorts, sessionId: string, entry: string): InboxEntry {
  const passed = readInboxEntry(entry);
  if (passed === null) {
    ports.log.warn({ sessionId }, 'an inbox entry could not be read');
    // Harmless in every state, and the write that takes it empties the inbox.
    const event: SessionEvent = {
      type: 'detach',
      at: ports.clock.now(),
      instance: `unread-${randomUUID()}`,
    };
    return { event, settle: () => {} };
  }
  const { event, origin } = passed;
  const settle = (outcome: Outcome) => {
    if (outcome.kind !== 'refused' || origin === null) return;
    const { connection } = origin;
    const { code } = outcome;
    const messageId = event.type === 'message' ? event.messageId : undefined;
    if (origin.instance === ports.instance) return ports.refuseHere(sessionId, connection, code, messageId);
    ports.tell(origin.instance, { kind: 'refused', sessionId, connection, code, messageId });
  };
  return { event, settle };
}
