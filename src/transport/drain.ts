/**
 * Going away without anybody noticing much:
 * no new sessions, clients sent elsewhere with a spread of waiting times, running turns finished or handed over with
 * what is stored of them, sessions released, and only then gone.
 *
 *  Z1  Who asked over HTTP gets an answer: the turn's, wherever that runs, or that they must ask elsewhere.
 *  Z2  They have left their sessions before these are handed over: who leaves later would wake them up here again.
 */

import type { Clock } from '../clock.ts';
import type { Hub } from '../delivery/hub.ts';
import type { Membership } from '../session/cluster/membership.ts';
import type { Sweeper } from '../session/cluster/sweeper.ts';
import type { SessionRouter } from '../session/router/session-router.ts';
import type { Log } from '../telemetry/log.ts';
import type { Server } from './server.ts';

export interface DrainPorts {
  readonly server: Server;
  readonly sessions: SessionRouter;
  readonly sweeper: Sweeper;
  readonly membership: Membership;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly drainMs: number;
}

const LOOK_EVERY_MS = 50;
/** The last part of the drain time is for handing over what did not finish. */
const FINISHING_SHARE = 0.75;
/** For an answer to be on its way: a store that is away is not waited for. */
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
    // Clients that talk on elsewhere would otherwise begin turn after turn here, and none of these would finish.
    sessions.leaveQuiet();
    await pause(LOOK_EVERY_MS);
  }
  for (let waitedMs = 0; waitedMs < ANSWER_WITHIN_MS; waitedMs += ANSWER_LOOK_MS) {
    // Again and again: a request that was on its way in may only now wait for its turn.
    hub.endAll('draining');
    if (server.unanswered() === 0) break;
    await pause(ANSWER_LOOK_MS);
  }
  const handedOver = await sessions.leave();
  log.info({ handedOver, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'sessions let go');
  server.stopListening();
  await membership.leave();
  hub.stop();
  sessions.stop();
  server.close();
}
