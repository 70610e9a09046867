/** Words from one instance to another. Best effort: whatever must not be lost lies in the store. */
import { z } from 'zod';

const signalSchema = z.discriminatedUnion('kind', [
  /** "A client of this session came to me: let it go if nothing is under way." */
  z.object({ kind: z.literal('release'), sessionId: z.string(), from: z.string() }),
  z.object({ kind: z.literal('released'), sessionId: z.string() }),
  z.object({ kind: z.literal('kept'), sessionId: z.string() }),
  /** "There is something in this session's inbox." */
  z.object({ kind: z.literal('inbox'), sessionId: z.string() }),
  /** The owner refused what a client of yours sent. */
  z.object({
    kind: z.literal('refused'),
    sessionId: z.string(),
    connection: z.string(),
    code: z.string(),
    messageId: z.string().optional(),
  }),
  /** A client came to me with a new connection: close the one you have, if it came to you before `version`. */
  z.object({ kind: z.literal('replaced'), sessionId: z.string(), clientId: z.string(), version: z.number() }),
]);

export type InstanceMessage = z.infer<typeof signalSchema>;

export function parseInstanceMessage(message: string): InstanceMessage | null {
  try {
    return signalSchema.parse(JSON.parse(message));
  } catch {
    return null;
  }
}
