/**
 * Words has one character for each name of the chart, because a record of the history names many of them.
 *
 *  WORDS-1  The lists are a stored format: a name keeps its place forever, and a new one goes to the end of its list. A test
 *           compares the lists with the chart.
 *  WORDS-2  A name that no list has is written out, so a chart that is ahead of its lists loses nothing.
 */

/** Of one character each; none has a meaning in JSON, and none stands around a name that is written out. */
const CHARACTERS = [
  ...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789',
  ...'!#$%&()*+,-./:;=?@[]^_`{|}~',
];

const EVENTS = [
  ...['begin', 'migrate', 'attach', 'detach', 'message', 'regenerate', 'fork', 'share', 'unshare', 'cancel'],
  ...['extend', 'close', 'summarised', 'recover'],
  ...['xstate.done.actor.generation', 'xstate.error.actor.generation'],
  ...['xstate.after.absoluteWarning.session', 'xstate.after.absoluteEnd.session'],
  ...['xstate.after.idleWarning.session.connected.fresh', 'xstate.after.idleEnd.session.connected.expiring'],
  ...['xstate.after.idleWarning.session.idle.fresh', 'xstate.after.idleEnd.session.idle.expiring'],
  'xstate.after.retryDelay.session.processing.recovering',
];

const STATES = [
  ...['', 'connected.fresh', 'connected.expiring', 'processing.generating', 'processing.recovering'],
  ...['idle.fresh', 'idle.expiring', 'expired'],
];

/** A question mark begins a guard. */
const NAMES = [
  ...['?mayNot', '?sharesAreFull', '?knowsShare', '?isLastToLeave', '?isTakenAlready', '?policyRejects'],
  ...['?policyInterrupts', '?policyRollsBack', '?policyMerges', '?queueIsFull', '?messageWaiting'],
  ...['?anyAttached', '?namesRunningTurn', '?namesWaitingTurn', '?turnRunning', '?mustStartOver'],
  ...['?canRetry', '?canResume', '?isRepeated', '?namesNoTurn', '?isOfAnotherAuthor', '?alreadyWarned'],
  ...['emitState', 'updatePatient', 'recordSummary', 'refuse', 'end', 'emitExpired', 'addShare', 'dropShare'],
  ...['emitShared', 'emitUnshared', 'join', 'leave', 'emitArrival', 'emitDeparture', 'takeId', 'enqueue'],
  ...['enqueueAgain', 'enqueueFirst', 'enqueueMerged', 'withdraw', 'emitWithdrawn', 'emitQueued'],
  ...['recordQuestion', 'emitStarted', 'takeNext', 'countAttempt', 'emitStartedOver', 'countRestart'],
  ...['countResume', 'emitCompleted', 'emitFailed', 'emitCancelled', 'recordAnswer', 'forgetTurn'],
  ...['assignReplica', 'endTurn', 'uncountTurn', 'forgetRetracted', 'emitRetracted', 'uncountRetracted'],
  ...['emitForked', 'touch', 'emitExtended', 'markWarned', 'warnIdle', 'warnAbsolute'],
];

interface WordList {
  readonly words: readonly string[];
  readonly shorten: (word: string) => string;
  /** The words of a text that `shorten` wrote. */
  readonly wordsOf: (text: string) => readonly string[];
}

function wordList(words: readonly string[]): WordList {
  if (words.length > CHARACTERS.length) throw new Error(`a list of ${words.length} words`);
  const characters = new Map(words.map((word, place) => [word, CHARACTERS[place] ?? '']));
  const byCharacter = new Map([...characters].map(([word, character]) => [character, word]));
  return {
    words,
    shorten: (word) => characters.get(word) ?? `<${word}>`,
    wordsOf: (text) =>
      (text.match(/<[^>]*>|./gsu) ?? []).map((one) =>
        one.length > 1 ? one.slice(1, -1) : (byCharacter.get(one) ?? one),
      ),
  };
}

export const events = wordList(EVENTS);
export const states = wordList(STATES);
export const names = wordList(NAMES);
