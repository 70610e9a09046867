/** Shortens snapshots and entries of the transcript for Redis. The phrases follow the order of their fields. */
import { extendedBook, lengthen, phraseBook, quoted, shorten, unquoted } from './phrases.ts';

const SNAPSHOT_PHRASES = [
  '{"machine":"session","machineVersion":2,"value":{"',
  '"},"context":{"sessionId":"',
  '","clientId":',
  ',"userId":',
  ',"diagnosisId":',
  ',"createdAt":',
  ',"connectedAt":',
  ',"lastActivityAt":',
  ',"limits":{"idleMs":',
  ',"absoluteMs":',
  ',"warnMs":',
  ',"queueMax":',
  ',"attemptsMax":',
  ',"resumesMax":',
  '},"attached":[',
  '],"queue":[',
  '],"turn":',
  ',"patient":{',
  '},"shares":[',
  '],"present":[',
  '],"turnCount":',
  ',"lastReplica":',
  ',"warned":false,"endReason":null,"erased":false},"timers":{"xstate.after.absoluteWarning.session":',
  ',"xstate.after.absoluteEnd.session":',
  ',"xstate.after.idleWarning.session.',
  '},"jobs":{',
  '},"turnOffset":',
];
/** The heads of later versions of the machine. */
const SNAPSHOT = extendedBook(SNAPSHOT_PHRASES, [
  '{"machine":"session","machineVersion":3,"value":{"',
  '{"machine":"session","machineVersion":4,"value":{"',
]);

const ENTRY = phraseBook(
  '{"role":"user","content":"',
  '{"role":"assistant","content":"',
  '","turnId":"',
  '","at":',
  ',"author":"',
  ',"simulated":true}',
);

/** A snapshot that is sealed or damaged stays as it is. */
export function shortSnapshot(snapshot: string): string {
  return quoted(snapshot) ?? (snapshot.startsWith('{') ? shorten(SNAPSHOT, snapshot) : snapshot);
}

export function longSnapshot(stored: string): string {
  return unquoted(stored) ?? lengthen(SNAPSHOT, stored);
}

export function shortEntry(entry: string): string {
  return shorten(ENTRY, entry);
}

export function longEntry(stored: string): string {
  return lengthen(ENTRY, stored);
}
