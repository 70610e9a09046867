/**
 * ContentDecoder undoes the compression of a body, piece by piece. A proxy may compress a body without a request for it.
 *
 * CODING-1  A piece comes out as soon as its bytes are in: a decoder that waited for a full block would hold tokens back.
 * CODING-2  A body that ends too early yields everything that it holds: the reader of the body judges what is missing.
 */
import type { Transform } from 'node:stream';
import { constants, createBrotliDecompress, createUnzip } from 'node:zlib';

export interface ContentDecoder {
  write(piece: Uint8Array): void;
  /** No byte follows; `onEnd` comes after the last piece. */
  end(): void;
  /** Nothing reaches the listener from now on. */
  close(): void;
}

export interface DecoderListener {
  onBytes(piece: Uint8Array): void;
  onEnd(): void;
}

const ZIP = { flush: constants.Z_SYNC_FLUSH, finishFlush: constants.Z_SYNC_FLUSH };
const BROTLI = { flush: constants.BROTLI_OPERATION_FLUSH, finishFlush: constants.BROTLI_OPERATION_FLUSH };

const OPENERS: Readonly<Record<string, () => Transform>> = {
  gzip: () => createUnzip(ZIP),
  'x-gzip': () => createUnzip(ZIP),
  deflate: () => createUnzip(ZIP),
  br: () => createBrotliDecompress(BROTLI),
};

/** null: the body needs no decoder, or has a coding that no server may use without being asked. */
export function openDecoder(contentEncoding: string, listener: DecoderListener): ContentDecoder | null {
  const open = OPENERS[contentEncoding.trim().toLowerCase()];
  if (open === undefined) return null;
  const stream = open();
  let isOpen = true;
  const end = (): void => {
    if (!isOpen) return;
    isOpen = false;
    listener.onEnd();
  };
  stream.on('data', (piece: Uint8Array) => {
    if (isOpen) listener.onBytes(piece);
  });
  stream.on('end', end);
  stream.on('error', end); // CODING-2
  return {
    write: (piece) => void stream.write(piece),
    end: () => void stream.end(),
    close() {
      isOpen = false;
      stream.destroy();
    },
  };
}
