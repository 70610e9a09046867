/** The state of a session now, in its machine's own word. */
import type { TopState } from '../../../machines/vocabulary.ts';
import type { TurnPorts } from '../turns/turn-request.ts';

/** A session that is stored no more has expired. */
export async function stateOf({ sessions }: TurnPorts, sessionId: string): Promise<TopState> {
  return (await sessions.view(sessionId))?.state ?? 'expired';
}
