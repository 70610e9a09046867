/** What another instance is told takes effect there a little later: this waits until it can be seen in the store. */
import type { Clock } from '../session/clock.ts';
import type { Directory } from '../session/directory.ts';
import type { SessionView } from '../session/view.ts';

const WITHIN_MS = 2_000;
const LOOK_EVERY_MS = 25;

/** `holds` is asked with null where the session is gone; false where it did not hold in time. */
export async function tookEffect(
  directory: Directory,
  clock: Clock,
  sessionId: string,
  holds: (view: SessionView | null) => boolean,
): Promise<boolean> {
  const startedMs = clock.monotonicMs();
  for (;;) {
    const view = await directory.view(sessionId).catch(() => undefined);
    if (view !== undefined && holds(view)) return true;
    if (clock.monotonicMs() - startedMs >= WITHIN_MS) return false;
    await new Promise<void>((resume) => clock.after(LOOK_EVERY_MS, resume));
  }
}
