/** Watches what may end a stream before its turn: silence on the line, and the end of the client's credential. */
import type { Clock } from '../../clock.ts';
import { mayStillAct } from '../../identity/acting-user.ts';
import { CHECK_CREDENTIALS_MS } from '../../identity/authenticator.ts';
import type { Caller } from '../../identity/caller.ts';
import type { StreamSink } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';

/** Shorter than the idle timeout of this server and of common proxies. */
const KEEP_ALIVE_MS = 5_000;

/** Writes `text` now and then until the returned function is called. */
export function keepAlive(clock: Clock, sink: StreamSink, text: string): () => void {
  let stop = () => {};
  const schedule = () => {
    stop = clock.after(KEEP_ALIVE_MS, () => {
      sink.write(text);
      schedule();
    });
  };
  schedule();
  return () => stop();
}

/** Looks as often as sockets are looked at: a stream must not outlive the credential that opened it. */
export function watchIdentity(
  { authenticator, clock }: HttpPorts,
  caller: Caller,
  userId: string | null,
  onEnd: () => void,
): () => void {
  if (authenticator.isOff) return () => {};
  let cancel = () => {};
  const look = () => {
    cancel = clock.after(CHECK_CREDENTIALS_MS, () => {
      if (mayStillAct(authenticator, caller, userId, clock.now())) look();
      else onEnd();
    });
  };
  look();
  return () => cancel();
}
