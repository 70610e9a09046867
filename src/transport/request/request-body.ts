/**
 * RequestBody receives the body of one HTTP request; RequestBodies bounds all that are unfinished.
 *
 *  UPLOAD-1  Unfinished bodies take a bounded number of bytes together. Above it the oldest request is refused: a client that
 *          sends its body without a pause gets an answer.
 *  UPLOAD-2  A body is refused at its first byte too many, never read to its end.
 */
import type { HttpResponse } from 'uws-node20';

export const BODY_MAX_BYTES = 1024 * 1024;
const UNFINISHED_MAX_BYTES = 32 * BODY_MAX_BYTES;
const FIRST_BYTES = 4 * 1024;

export type Body =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'refused'; readonly code: 'too_large' | 'overloaded' | 'bad_request' };

const utf8 = new TextDecoder('utf-8', { fatal: true });

export class RequestBodies {
  readonly #maxBytes: number;
  /** In the order of their first byte. */
  readonly #unfinished = new Set<RequestBody>();
  #bytes = 0;

  constructor(maxBytes = UNFINISHED_MAX_BYTES) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  grow(body: RequestBody, bytes: number): void {
    this.#unfinished.add(body);
    this.#bytes += bytes;
    for (const oldest of this.#unfinished) {
      if (this.#bytes <= this.#maxBytes) break;
      oldest.refuse('overloaded'); // UPLOAD-1
    }
  }

  leave(body: RequestBody, bytes: number): void {
    if (this.#unfinished.delete(body)) this.#bytes -= bytes;
  }
}

export class RequestBody {
  readonly #bodies: RequestBodies;
  readonly #resolve: (body: Body) => void;
  /** One buffer that doubles: a client that sends single bytes would make many times as many bytes of single buffers. */
  #buffer = Buffer.alloc(0);
  #length = 0;
  #isOpen = true;
  #isComplete = false;
  readonly received: Promise<Body>;

  constructor(bodies: RequestBodies) {
    this.#bodies = bodies;
    let resolve: (body: Body) => void = () => {};
    this.received = new Promise((settle) => {
      resolve = settle;
    });
    this.#resolve = resolve;
  }

  /** Must be called before the first await: a chunk without a listener is lost. */
  static from(res: HttpResponse, bodies: RequestBodies): RequestBody {
    const body = new RequestBody(bodies);
    res.onData((chunk, isLast) => body.take(chunk, isLast));
    return body;
  }

  /** False while the client may still be sending. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** `chunk` is valid during this call only. */
  take(chunk: ArrayBuffer, isLast: boolean): void {
    this.#isComplete ||= isLast;
    if (!this.#isOpen) return;
    if (this.#length + chunk.byteLength > BODY_MAX_BYTES) return this.refuse('too_large'); // UPLOAD-2
    this.#append(new Uint8Array(chunk));
    if (!isLast || !this.#isOpen) return;
    const bytes = this.#buffer.subarray(0, this.#length);
    this.#end(bodyOf(bytes));
  }

  refuse(code: 'too_large' | 'overloaded'): void {
    if (this.#isOpen) this.#end({ kind: 'refused', code });
  }

  /** The request was answered without its body, or its client has gone. */
  drop(): void {
    if (this.#isOpen) this.#end({ kind: 'text', text: '' });
  }

  #append(chunk: Uint8Array): void {
    const length = this.#length + chunk.byteLength;
    if (length > this.#buffer.byteLength) {
      const larger = Buffer.alloc(
        Math.min(Math.max(length, 2 * this.#buffer.byteLength, FIRST_BYTES), BODY_MAX_BYTES),
      );
      this.#buffer.copy(larger, 0, 0, this.#length);
      const added = larger.byteLength - this.#buffer.byteLength;
      this.#buffer = larger;
      this.#bodies.grow(this, added);
    }
    if (!this.#isOpen) return;
    this.#buffer.set(chunk, this.#length);
    this.#length = length;
  }

  #end(body: Body): void {
    this.#isOpen = false;
    this.#bodies.leave(this, this.#buffer.byteLength);
    this.#buffer = Buffer.alloc(0);
    this.#resolve(body);
  }
}

function bodyOf(bytes: Uint8Array): Body {
  try {
    return { kind: 'text', text: utf8.decode(bytes) };
  } catch {
    return { kind: 'refused', code: 'bad_request' };
  }
}
