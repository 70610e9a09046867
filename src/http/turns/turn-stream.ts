/**
 * TurnStream writes one turn's frames to a client through an encoder.
 *
 *  TURNSTREAM-1  It holds live frames back until the answer has begun, so that a refusal can have its own status.
 *  TURNSTREAM-2  A piece that the client has already is encoded, for encoders count, but not written.
 *  TURNSTREAM-3  A replay waits for a client that reads slowly. A client that cannot follow live frames is sent away.
 */
import type { StreamSink } from '../core/answer.ts';
import type { Encoder, SeenPiece } from './encoder.ts';
import type { TurnFrame } from './own-turn.ts';
import type { TurnResult } from './turn-collector.ts';

/** Receives the frames of one turn. */
export interface TurnSink {
  /** The session has the message, or the turn is found. */
  taken(): void;
  /** False if the client reads too slowly. */
  live(frame: TurnFrame): boolean;
  /** Resolves once there is room for more; false if the client has gone. */
  replay(frames: readonly TurnFrame[]): Promise<boolean>;
  /** The reader may have an unknown part of the text. */
  readonly hasSeen: boolean;
  /** The next frames have no place in the log: all of them are new to the client. */
  startOver(): void;
}

const PIECE_LENGTH = 65_536;

export class TurnStream implements TurnSink {
  readonly whenTaken: Promise<null>;
  readonly #encoder: Encoder;
  readonly #begun: Promise<StreamSink | null>;
  #seen: SeenPiece | null;
  #resolveTaken: (value: null) => void = () => {};
  #resolveBegun: (sink: StreamSink | null) => void = () => {};
  #held: string[] = [];
  #sink: StreamSink | null = null;

  constructor(encoder: Encoder, seen: SeenPiece | null) {
    this.#encoder = encoder;
    this.#seen = seen;
    this.whenTaken = new Promise((resolve) => {
      this.#resolveTaken = resolve;
    });
    this.#begun = new Promise((resolve) => {
      this.#resolveBegun = resolve;
    });
  }

  get hasSeen(): boolean {
    return this.#seen !== null;
  }

  taken(): void {
    this.#resolveTaken(null);
  }

  startOver(): void {
    this.#seen = null;
  }

  live(frame: TurnFrame): boolean {
    const text = this.#encode(frame);
    if (text === '') return true;
    if (this.#sink !== null) return this.#sink.write(text);
    this.#held.push(text);
    return true;
  }

  async replay(frames: readonly TurnFrame[]): Promise<boolean> {
    const sink = await this.#begun;
    if (sink === null) return false;
    let piece = '';
    for (const [index, frame] of frames.entries()) {
      piece += this.#encode(frame);
      if (piece === '' || (piece.length < PIECE_LENGTH && index < frames.length - 1)) continue;
      if (!(sink.write(piece) && (await sink.drained()))) return false;
      piece = '';
    }
    return true;
  }

  begin(sink: StreamSink): void {
    this.#sink = sink;
    for (const text of this.#held) sink.write(text);
    this.#held = [];
    this.#resolveBegun(sink);
  }

  /** The client left, perhaps before the answer began. */
  gone(): void {
    this.#resolveBegun(null);
  }

  end(result: TurnResult): void {
    const text = this.#encoder.end(result).join('');
    if (text !== '') this.#sink?.write(text);
  }

  #encode(frame: TurnFrame): string {
    const pieces = this.#encoder.frame(frame);
    const seen = this.#seen;
    if (seen === null || frame.offset > seen.offset) return pieces.join('');
    if (frame.offset < seen.offset) return '';
    return pieces.filter((_, index) => index > seen.index).join('');
  }
}

/** Keeps the frames for an answer that is not streamed. */
export class TurnFrames implements TurnSink {
  readonly frames: TurnFrame[] = [];
  readonly hasSeen = false;

  taken(): void {}

  startOver(): void {}

  live(frame: TurnFrame): boolean {
    this.frames.push(frame);
    return true;
  }

  async replay(frames: readonly TurnFrame[]): Promise<boolean> {
    for (const frame of frames) this.live(frame);
    return true;
  }
}
