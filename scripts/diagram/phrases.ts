// Words for the names in the chart, as the drawings print them. A guard has a phrase for the branch that it opens, and
// one for the branches after it; the second is empty where the first says enough.

interface Phrase {
  readonly holds: string;
  readonly fails: string;
}

const phrase = (holds: string, fails = ''): Phrase => ({ holds, fails });

const GUARDS: Readonly<Record<string, Phrase>> = {
  alreadyWarned: phrase('warned before', 'not warned yet'),
  anyAttached: phrase('a client is here', 'no client is here'),
  canResume: phrase('may resume again', 'resumed too often'),
  canRetry: phrase('an attempt is left', 'no attempt is left'),
  isLastToLeave: phrase('the last one leaves', 'others stay'),
  isOfAnotherAuthor: phrase('of another author'),
  isRepeated: phrase('taken already'),
  isTakenAlready: phrase('taken already'),
  knowsShare: phrase('share is known'),
  mayNot: phrase('no access'),
  messageWaiting: phrase('a message waits', 'nothing waits'),
  mustStartOver: phrase('text cannot go on', 'text can go on'),
  namesNoTurn: phrase('names no turn'),
  namesRunningTurn: phrase('names the running turn'),
  namesWaitingTurn: phrase('names a waiting turn', 'names neither'),
  policyInterrupts: phrase('policy interrupt'),
  policyMerges: phrase('policy merge, after another', 'policy queue, or first to merge'),
  policyRejects: phrase('policy reject'),
  policyRollsBack: phrase('policy rollback'),
  queueIsFull: phrase('queue is full'),
  sharesAreFull: phrase('too many shares'),
  turnRunning: phrase('a turn runs', 'no turn runs'),
};

const DELAYS: Readonly<Record<string, (duration: string) => string>> = {
  absoluteEnd: (duration) => `${duration} after the start`,
  absoluteWarning: (duration) => `${duration} after the start`,
  idleEnd: (duration) => `${duration} without input`,
  idleWarning: (duration) => `${duration} without input`,
  retryDelay: (duration) => `after ${duration}`,
};

export const knownGuards: ReadonlySet<string> = new Set(Object.keys(GUARDS));
export const knownDelays: ReadonlySet<string> = new Set(Object.keys(DELAYS));

/** A chart of another version may have a guard without a phrase: its name is split into words. */
export function guardPhrase(guard: string): Phrase {
  return GUARDS[guard] ?? phrase(inWords(guard), `not (${inWords(guard)})`);
}

export function delayPhrase(delay: string, duration: string | undefined): string {
  return duration === undefined
    ? `after ${inWords(delay)}`
    : (DELAYS[delay]?.(duration) ?? `after ${duration}`);
}

const inWords = (name: string): string => name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
