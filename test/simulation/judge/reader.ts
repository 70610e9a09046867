/**
 * Reader checks the frames that one client received against the history: the promises that a reader can see broken.
 *
 *  READER-1  Its frames are a path of the history tree. Equal frames of two branches look alike, so it keeps a set of
 *            possible places; a frame that follows none of them is a gap, a repeat, or an unreported loss (G5).
 *  READER-2  Only `reset`, or the welcome of a new session, moves it to another place.
 */
import type { DurableFrame } from '../../../src/protocol/server-frames.ts';
import type { FrameNode, History } from './history.ts';
import type { Violations } from './violations.ts';

export class Reader {
  readonly #sessionId: string;
  readonly #history: History;
  readonly #violations: Violations;
  readonly #name: string;
  #places: readonly FrameNode[] = [];

  constructor(name: string, sessionId: string, history: History, violations: Violations) {
    this.#name = name;
    this.#sessionId = sessionId;
    this.#history = history;
    this.#violations = violations;
  }

  /** The client has nothing, or a reset made it drop what it had: it continues after this offset. */
  startAt(offset: number): void {
    this.#places = this.#history.nodesAt(this.#sessionId, offset);
    if (this.#places.length === 0)
      this.#violations.found('G5', `${this.#name} was sent to offset ${offset}, which was never stored`);
  }

  /**
   * `mayMiss`: the client was away and did not say what it had seen; a failover may then have put it on another branch
   * without a word, and it has `missed` something. A frame that is `wrong` must not be trusted.
   */
  take(data: string, frame: DurableFrame, mayMiss: boolean): 'follows' | 'missed' | 'wrong' {
    const nodes = this.#history.nodesOf(this.#sessionId, data);
    const following = nodes.filter(({ parent }) => parent !== null && this.#places.includes(parent));
    if (following.length > 0) {
      this.#places = following;
      return 'follows';
    }
    const isNext = frame.offset === (this.#places[0]?.offset ?? 0) + 1;
    if (mayMiss && isNext && nodes.length > 0 && this.#history.branched) {
      this.#places = nodes;
      return 'missed';
    }
    const at = this.#places.map(({ offset }) => offset).join(' or ');
    const lost = this.#history.branched ? 'a loss that was not said: ' : '';
    this.#violations.found(
      'G5',
      `${lost}${this.#name} had offset ${at} and was sent ${frame.offset} of epoch ${frame.epoch} (${frame.type})`,
    );
    return 'wrong';
  }

  /** The oldest frame on the living branch that it has not read, or null. */
  misses(): FrameNode | null {
    const life = this.#history.lives.get(this.#sessionId);
    let missed: FrameNode | null = null;
    for (let node = life?.tip ?? null; node !== null && !this.#places.includes(node); node = node.parent)
      missed = node;
    return missed;
  }
}
