/**
 * Notices a continuation by text that begins the answer again: the server ignored what it was asked.
 *
 * REPEAT-1  While the new text may still be a repeat of the stored beginning, nothing of it is handed on.
 * REPEAT-2  Once it is one, nothing is handed on any more.
 * REPEAT-3  An answer that had repeated its own beginning before it was cut may do so again: that is no sign.
 */
import type { GenerationChunk } from '../port.ts';

export interface RepeatGuard {
  /** False once the answer begins again: the attempt is of no use. */
  hear(chunk: GenerationChunk): boolean;
  /** The answer has ended: what is held back is no repeat. */
  finish(): void;
  /** The repeat is too long for chance: this server does so each time. */
  readonly isHabit: boolean;
}

/** Fewer equal characters happen by chance, as in a list whose items begin alike. */
const REPEATED_LENGTH = 24;

export function createRepeatGuard(stored: string, handOn: (chunk: GenerationChunk) => void): RepeatGuard {
  const beginning = stored.trimStart().slice(0, REPEATED_LENGTH);
  let held: GenerationChunk[] = [];
  let heard = '';
  let hasReasoned = false;
  const repeatsItself = stored.trimStart().indexOf(beginning, 1) !== -1; // REPEAT-3
  let phase: 'listening' | 'passing' | 'repeated' = 'listening';

  const pass = (): void => {
    phase = 'passing';
    for (const chunk of held) handOn(chunk);
    held = [];
  };

  return {
    hear(chunk) {
      if (phase === 'repeated') return false;
      if (phase === 'passing') {
        handOn(chunk);
        return true;
      }
      held.push(chunk);
      heard += chunk.text;
      const said = heard.trimStart();
      // An answer that was under way does not go back to thinking: the server has begun another one.
      hasReasoned = (chunk.reasoning ?? '') !== '';
      const isRepeat = hasReasoned || (!repeatsItself && said.startsWith(beginning));
      if (isRepeat) phase = 'repeated';
      else if (repeatsItself || !beginning.startsWith(said)) pass();
      return !isRepeat;
    },
    finish() {
      if (phase === 'listening') pass();
    },
    get isHabit() {
      return phase === 'repeated' && (hasReasoned || beginning.length === REPEATED_LENGTH);
    },
  };
}
