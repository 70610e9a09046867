/**
 * drain stops an instance without losing a turn. It takes no new sessions, sends clients elsewhere at different times, lets
 * running turns finish or hands them over with their stored text, and releases every session.
 *
 *  DRAIN-1  Every HTTP request gets an answer: that of its turn, or a refusal that the client may retry.
 *  DRAIN-2  HTTP requests leave their sessions before the hand-over: a late one would load its session here again.
 */

import type { Clock } from '../clock.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Membership } from '../session/cluster/membership.ts';
import type { Sweeper } from '../session/cluster/sweeper.ts';
import type { SessionRouter } from '../session/router/session-router.ts';
import type { Log } from '../telemetry/log.ts';
import type { Server } from './server.ts';

export interface DrainPorts {
  readonly server: Pick<Server, 'sendAway' | 'unanswered' | 'stopListening' | 'close'>;
  readonly sessions: SessionRouter;
  readonly sweeper: Sweeper;
  readonly membership: Membership;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly drainMs: number;
}

const LOOK_EVERY_MS = 50;
/** Share of the drain time in which turns may finish; the rest is for handing over the others. */
const FINISHING_SHARE = 0.75;
/** Time for answers to leave; longer would mean waiting for an unreachable store. */
const ANSWER_WITHIN_MS = 1_000;
const ANSWER_LOOK_MS = 5;

export async function drain(ports: DrainPorts): Promise<void> {
  const { server, sessions, sweeper, membership, hub, clock, log, drainMs } = ports;
  const startedMs = clock.monotonicMs();
  const pause = (ms: number) => new Promise<void>((resume) => clock.after(ms, resume));
  await sweeper.stop();
  server.sendAway('draining');
  const isAwaited = () => sessions.busy > 0 || hub.isAttended;
  while (isAwaited() && clock.monotonicMs() - startedMs < drainMs * FINISHING_SHARE) {
    // Otherwise clients on other instances would start turn after turn here, and the drain would wait for each.
    sessions.leaveQuiet();
    // Repeated: one may have been attaching in the last round.
    hub.endReaders('draining');
    await pause(LOOK_EVERY_MS);
  }
  for (let waitedMs = 0; waitedMs < ANSWER_WITHIN_MS; waitedMs += ANSWER_LOOK_MS) {
    // Repeated: a request may have started to wait for its turn since the last round.
    hub.endAll('draining');
    if (server.unanswered() === 0) break;
    await pause(ANSWER_LOOK_MS);
  }
  const handedOver = await sessions.leave();
  log.info({ handedOver, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'sessions released');
  server.stopListening();
  await membership.leave();
  hub.stop();
  sessions.stop();
  server.close();
}
