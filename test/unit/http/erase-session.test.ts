/** An administrator erases sessions of their own tenant only, whatever the store answers. */
import { expect, it } from 'vitest';
import type { HttpPorts } from '../../../src/http/core/ports.ts';
import { eraseSession } from '../../../src/http/sessions/erasure.ts';

/** The ports of a service whose store fails when it is asked for the session, and works again for all that follows. */
function portsOf(sent: unknown[]): HttpPorts {
  const ports = {
    clock: { now: () => 1_000 },
    sessions: {
      view: async () => Promise.reject(new Error('the store was away for a moment')),
      send: async (_: string, event: unknown) => {
        sent.push(event);
        return { kind: 'done' };
      },
    },
    store: { read: async () => null, notePurge: async () => {}, purge: async () => {} },
    archive: { of: () => ({ eraseSession: async () => 0 }) },
  };
  return ports as unknown as HttpPorts;
}

it('an erasure ends no session while the store does not tell the tenant of the session', async () => {
  const sent: unknown[] = [];
  await expect(eraseSession(portsOf(sent), 'acme', 'a session')).rejects.toThrow('away for a moment');
  expect(sent).toEqual([]);
});
