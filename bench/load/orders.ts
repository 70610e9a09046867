/** Defines the orders to the generator process, and its results. */
import type { Program } from '../measure/program.ts';
import type { Summary } from '../measure/summary.ts';
import type { Usage } from '../measure/usage.ts';
import type { HelloFields, Speech } from './client.ts';

/**
 * extend   `extend` to `extended`: one transition without a stored frame.
 * turn     `message` to `turn.completed`, with an upstream that immediately answers one token.
 */
export type Workload = 'extend' | 'turn';

export interface LoopResult {
  readonly operations: number;
  /** Refusals as `overloaded` within the window; the loop repeats them after a pause. */
  readonly refused: number;
  readonly windowMs: number;
  readonly latencyMs: Summary;
  readonly usage: Usage;
  /** CPU of the generator itself. */
  readonly ownCpuMs: number;
}

export interface StreamResult {
  readonly tokens: number;
  readonly frames: number;
  readonly windowMs: number;
  readonly latencyMs: Summary;
  readonly usage: Usage;
  readonly ownCpuMs: number;
}

interface Span {
  readonly warmMs: number;
  readonly windowMs: number;
  /** Processes whose CPU time is read at both ends of the window. */
  readonly watch: readonly number[];
}

interface Orders {
  open: {
    readonly order: {
      readonly group: string;
      readonly port: number;
      readonly count: number;
      readonly speech?: Speech;
      readonly atOnce?: number;
      readonly sessionIds?: readonly string[];
      /** What the hello of each client says beside its session. */
      readonly hellos?: readonly HelloFields[];
    };
    readonly result: { readonly sessionIds: readonly string[]; readonly tookMs: number };
  };
  loop: {
    readonly order: Span & {
      readonly group: string;
      readonly workload: Workload;
      readonly speech: Speech;
      readonly inFlight: number;
      /** The window stays open until this many of the first watched processes have used CPU time. */
      readonly mustWork: number;
    };
    readonly result: LoopResult;
  };
  /** Plays one turn with an answer of this many short words on each client of the group. */
  talk: {
    readonly order: { readonly group: string; readonly tokens: number };
    readonly result: { readonly turns: number };
  };
  /** Streams one long answer to every client of the group. */
  streams: {
    readonly order: Span & { readonly group: string; readonly tokensPerSecond: number };
    readonly result: StreamResult;
  };
  /** Reads the same answers from the upstream itself. */
  direct: {
    readonly order: Span & {
      readonly port: number;
      readonly count: number;
      readonly tokensPerSecond: number;
    };
    readonly result: StreamResult;
  };
  /** Time from `hello` for an existing session, on an open connection, to `welcome`. */
  attach: {
    readonly order: {
      readonly port: number;
      readonly sessionIds: readonly string[];
      readonly atOnce: number;
    };
    readonly result: Summary;
  };
  /** `close` ends the sessions, `drop` only cuts the sockets. */
  end: {
    readonly order: { readonly group: string; readonly how: 'close' | 'drop' };
    readonly result: { readonly ended: number };
  };
}

export type OrderKind = keyof Orders;
export type OrderOf<K extends OrderKind> = Orders[K]['order'];
export type ResultOf<K extends OrderKind> = Orders[K]['result'];

export type Request = { [K in OrderKind]: { readonly kind: K; readonly order: OrderOf<K> } }[OrderKind];
export type Reply =
  | { readonly ok: true; readonly result: unknown }
  | { readonly ok: false; readonly error: string };

export interface Generator {
  readonly pid: number;
  /** One order at a time. */
  run<K extends OrderKind>(kind: K, order: OrderOf<K>): Promise<ResultOf<K>>;
}

export function generatorOn({ child, pid }: Program): Generator {
  return {
    pid,
    run: <K extends OrderKind>(kind: K, order: OrderOf<K>) =>
      new Promise<ResultOf<K>>((resolve, reject) => {
        const ended = () => reject(new Error('the generator ended'));
        child.once('exit', ended);
        child.once('message', (reply: Reply) => {
          child.off('exit', ended);
          if (reply.ok) resolve(reply.result as ResultOf<K>);
          else reject(new Error(reply.error));
        });
        child.send({ kind, order });
      }),
  };
}
