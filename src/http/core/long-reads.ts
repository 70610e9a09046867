/**
 * LongReads lets an instance read and send long conversations without delaying its other clients.
 *
 *  LONGREAD-1  At most READING_MAX reads of a store or archive run at once; the others wait for their turn, and beyond
 *              WAITING_MAX they are refused.
 *  LONGREAD-2  A body is written in pieces of about PIECE_LENGTH. After each one the event loop does other work, and the
 *              client takes what was written before the next piece is made.
 *  LONGREAD-3  At most LONG_MAX bodies of more than one piece are in memory, and at most LONG_PER_CLIENT_MAX for one address.
 *  LONGREAD-4  An instance that cannot keep up, or drains, refuses to read.
 *  LONGREAD-5  A body of one piece is an answer like any other, with its length.
 */
import type { ErrorCode } from '../../errors.ts';
import { networkOf } from '../../limits/client-address.ts';
import { type HttpAnswer, Refusal, type StreamSink } from './answer.ts';
import type { HttpRequest } from './request.ts';

export const READING_MAX = 4;
export const WAITING_MAX = 256;
export const LONG_MAX = 8;
export const LONG_PER_CLIENT_MAX = 4;
/** In UTF-16 units. A single text that is longer is one piece. */
export const PIECE_LENGTH = 65_536;

type Pieces = Iterable<string> | AsyncIterable<string>;
type Reader = Pick<HttpRequest, 'address' | 'method' | 'onGone' | 'failed' | 'requestId'>;

export class LongReads {
  readonly #unavailable: () => ErrorCode | null;
  readonly #waiting: (() => void)[] = [];
  #reading = 0;
  readonly #longByClient = new Map<string, number>();

  /** `unavailable`: why the instance takes no new work now, or null. */
  constructor(unavailable: () => ErrorCode | null) {
    this.#unavailable = unavailable;
  }

  /** Runs `read` when its turn comes, or refuses. */
  async read<T>(read: () => Promise<T>): Promise<T> {
    const why = this.#unavailable();
    if (why !== null) throw new Refusal(why); // LONGREAD-4
    if (this.#waiting.length >= WAITING_MAX) throw new Refusal('overloaded');
    return this.readOn(read);
  }

  /** Runs `read` when its turn comes, for an answer that has begun. */
  async readOn<T>(read: () => Promise<T>): Promise<T> {
    if (this.#reading < READING_MAX) this.#reading += 1;
    // The read that ends passes its place on.
    else await new Promise<void>((resume) => this.#waiting.push(resume));
    try {
      return await read();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#reading -= 1;
      else next();
    }
  }

  /** An answer with a body from `pieces`. */
  async answer(
    request: Reader,
    headers: Readonly<Record<string, string>>,
    pieces: Pieces,
  ): Promise<HttpAnswer> {
    const rest = gathered(pieces);
    const first = await rest.next();
    const second = first.done === true ? first : await rest.next();
    const head = first.done === true ? '' : first.value;
    if (second.done === true) return { status: 200, headers, body: head }; // LONGREAD-5
    const leave = this.#enter(request.address);
    request.onGone(leave);
    if (request.method === 'HEAD') leave();
    const body = (sink: StreamSink): void => {
      send(sink, [head, second.value], rest)
        .catch((error: unknown) => {
          request.failed(error, request.requestId);
          sink.fail();
        })
        .finally(leave);
    };
    return { status: 200, headers, body };
  }

  get #long(): number {
    return [...this.#longByClient.values()].reduce((sum, bodies) => sum + bodies, 0);
  }

  #enter(address: string): () => void {
    const client = networkOf(address);
    const count = () => this.#longByClient.get(client) ?? 0;
    if (this.#long >= LONG_MAX || count() >= LONG_PER_CLIENT_MAX) throw new Refusal('overloaded'); // LONGREAD-3
    this.#longByClient.set(client, count() + 1);
    let hasLeft = false;
    return () => {
      if (hasLeft) return;
      hasLeft = true;
      if (count() === 1) this.#longByClient.delete(client);
      else this.#longByClient.set(client, count() - 1);
    };
  }
}

/** LONGREAD-2 */
async function send(sink: StreamSink, made: readonly string[], rest: AsyncIterator<string>): Promise<void> {
  const writeNext = async (piece: string) => sink.write(piece) && (await sink.drained());
  for (const piece of made) if (!(await writeNext(piece))) return;
  for (let next = await rest.next(); next.done !== true; next = await rest.next())
    if (!(await writeNext(next.value))) return;
  sink.end();
}

/** Joins short pieces to pieces of about PIECE_LENGTH. */
async function* gathered(pieces: Pieces): AsyncGenerator<string, void> {
  let parts: string[] = [];
  let length = 0;
  for await (const piece of pieces) {
    parts.push(piece);
    length += piece.length;
    if (length < PIECE_LENGTH) continue;
    yield parts.join('');
    parts = [];
    length = 0;
  }
  if (length > 0) yield parts.join('');
}
