/** Lists the texts of a session that a sealed store seals, as the store below it holds them. */
import type { StoredText } from '../../sealing/sealer.ts';
import type { SessionDump } from '../contract.ts';
import { isEntry, places } from './record-cipher.ts';

export function textsOfSession(dump: SessionDump): readonly StoredText[] {
  const { sessionId: scope, record, frames, transcript, inbox, history } = dump;
  return [
    { scope, place: places.snapshot(record.version), stored: record.snapshot },
    ...frames.map(({ offset, data }) => ({ scope, place: places.frame(offset), stored: data })),
    ...transcript
      .filter(isEntry)
      .map(({ turnId, role, content }) => ({ scope, place: places.said(turnId, role), stored: content })),
    ...inbox.map((stored) => ({ scope, place: places.inbox, stored })),
    ...history.map((stored) => ({ scope, place: places.history, stored })),
  ];
}
