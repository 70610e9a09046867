/** Notices are what the page says about the conversation as a whole: its connection, its end, a refusal, the simulator. */
import { clientClock } from '../client-clock.ts';
import { byId, say, timeOf } from './elements.ts';
import type { Link, PageState } from './state/page-state.ts';
import { linkWords } from './state/words.ts';

const COUNTDOWN_MS = 250;

export function drawNotices({ simulated, notice, ending }: PageState): void {
  byId('simulated', HTMLElement).hidden = !simulated;
  say(byId('notice-words', HTMLElement), notice);
  byId('notice', HTMLElement).hidden = notice === null;
  byId('ending', HTMLElement).hidden = ending === null;
  if (ending === null) return;
  const isFixed = ending.reason === 'absolute';
  const words = isFixed ? 'It has reached its longest age.' : 'Nothing has happened in it for a while.';
  // A moment, not a countdown: a screen reader would read each second.
  say(byId('ending-words', HTMLElement), `This conversation ends at ${timeOf(ending.at)}. ${words}`);
  byId('extend', HTMLButtonElement).hidden = isFixed;
}

/** StatusLine shows the connection, and counts down to the next attempt. */
export class StatusLine {
  readonly #place = byId('status', HTMLElement);
  #link: Link | null = null;
  #isCounting = false;

  show(link: Link): void {
    this.#link = link;
    this.#place.dataset.link = link.kind;
    say(this.#place, linkWords(link, Date.now()));
    if (link.kind !== 'lost' || this.#isCounting) return;
    this.#isCounting = true;
    clientClock.after(COUNTDOWN_MS, () => {
      this.#isCounting = false;
      if (this.#link !== null) this.show(this.#link);
    });
  }
}
