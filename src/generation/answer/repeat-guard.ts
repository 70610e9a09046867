/**
 * RepeatGuard detects a server that ignores the request to continue a text, and begins the answer again.
 *
 * REPEAT-1  While the new text may still repeat the stored beginning, the guard holds it back.
 * REPEAT-2  Once it is a repeat, the guard passes nothing on.
 * REPEAT-3  If the stored answer repeats its own beginning, another repeat proves nothing.
 */
import type { GenerationChunk } from '../port.ts';

export interface RepeatGuard {
  /** False once the answer begins again: the attempt is useless. */
  accept(chunk: GenerationChunk): boolean;
  /** The answer has ended, so the text that the guard holds back is not a repeat. */
  finish(): void;
  /** True if the repeat is too long to be chance: this server always starts over. */
  readonly isHabit: boolean;
}

/** A shorter match can be chance, as in a list whose items begin alike. */
const REPEATED_LENGTH = 24;

export function createRepeatGuard(stored: string, passOn: (chunk: GenerationChunk) => void): RepeatGuard {
  const beginning = stored.trimStart().slice(0, REPEATED_LENGTH);
  let held: GenerationChunk[] = [];
  let received = '';
  let hasReasoned = false;
  const repeatsItself = stored.trimStart().indexOf(beginning, 1) !== -1; // REPEAT-3
  let phase: 'holding' | 'passing' | 'repeated' = 'holding';

  const pass = (): void => {
    phase = 'passing';
    for (const chunk of held) passOn(chunk);
    held = [];
  };

  return {
    accept(chunk) {
      if (phase === 'repeated') return false;
      if (phase === 'passing') {
        passOn(chunk);
        return true;
      }
      held.push(chunk);
      received += chunk.text;
      const answer = received.trimStart();
      // A server that reasons again has begun another answer.
      hasReasoned = (chunk.reasoning ?? '') !== '';
      const isRepeat = hasReasoned || (!repeatsItself && answer.startsWith(beginning));
      if (isRepeat) phase = 'repeated';
      else if (repeatsItself || !beginning.startsWith(answer)) pass();
      return !isRepeat;
    },
    finish() {
      if (phase === 'holding') pass();
    },
    get isHabit() {
      return phase === 'repeated' && (hasReasoned || beginning.length === REPEATED_LENGTH);
    },
  };
}
