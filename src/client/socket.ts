/** What a client needs of a WebSocket. The one of a browser fits as it is, and so does that of `ws`. */
export interface SocketLike {
  send(data: string): void;
  close(code?: number, reason?: string): void;
  addEventListener(type: 'open', listener: () => void): void;
  addEventListener(type: 'error', listener: (event: SocketFailure) => void): void;
  addEventListener(type: 'message', listener: (event: { readonly data: unknown }) => void): void;
  addEventListener(
    type: 'close',
    listener: (event: { readonly code: number; readonly reason: string }) => void,
  ): void;
}

/** `ws` says why; a browser does not. */
export interface SocketFailure {
  readonly message?: string;
  readonly error?: { readonly code?: unknown };
}

export type Connect = (url: string) => SocketLike;
