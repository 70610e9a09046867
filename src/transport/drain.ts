/**
 * Going away without anybody noticing much:
 * no new sessions, clients sent elsewhere with a spread of waiting times, running turns finished or handed over with
 * what is stored of them, sessions released, and only then gone.
 */

import type { Hub } from '../delivery/hub.ts';
import type { Clock } from '../session/clock.ts';
import type { Directory } from '../session/directory.ts';
import type { Members } from '../session/members.ts';
import type { Sweeper } from '../session/sweeper.ts';
import type { Log } from '../telemetry/log.ts';
import type { Server } from './server.ts';

export interface DrainPorts {
  readonly server: Server;
  readonly directory: Directory;
  readonly sweeper: Sweeper;
  readonly members: Members;
  readonly hub: Hub;
  readonly clock: Clock;
  readonly log: Log;
  readonly drainMs: number;
}

const LOOK_EVERY_MS = 50;
/** The last part of the drain time is for handing over what did not finish. */
const FINISHING_SHARE = 0.75;

export async function drain(ports: DrainPorts): Promise<void> {
  const { server, directory, sweeper, members, hub, clock, log, drainMs } = ports;
  const startedMs = clock.monotonicMs();
  await sweeper.stop();
  server.sendAway('draining');
  while (directory.busy > 0 && clock.monotonicMs() - startedMs < drainMs * FINISHING_SHARE) {
    // Clients that talk on elsewhere would otherwise begin turn after turn here, and none of these would finish.
    directory.leaveQuiet();
    await new Promise<void>((resume) => clock.after(LOOK_EVERY_MS, resume));
  }
  const handedOver = await directory.leave();
  log.info({ handedOver, tookMs: Math.round(clock.monotonicMs() - startedMs) }, 'sessions let go');
  server.stopListening();
  await members.leave();
  hub.stop();
  directory.stop();
  server.close();
}
