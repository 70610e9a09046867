/**
 * responseSink writes a streamed body to uWebSockets.js.
 *
 *  SINK-1  At most BACKLOG_MAX_BYTES wait in memory for a client that reads too slowly; more end its connection.
 *  SINK-2  A writer that waits for `drained` between its pieces never reaches that bound. If the client takes nothing for
 *          STALLED_MS, its connection ends, so that it cannot keep the body in memory.
 */
import type { HttpResponse } from 'uws-node20';
import { startTimer, systemClock } from '../../clock.ts';
import type { StreamSink } from '../../http/core/answer.ts';

export interface StreamedExchange {
  readonly res: HttpResponse;
  gone: boolean;
  readonly onGone: (() => void)[];
  over: () => void;
}

const BACKLOG_MAX_BYTES = 1024 * 1024;
const STALLED_MS = 10_000;

export function responseSink(exchange: StreamedExchange): StreamSink {
  const { res } = exchange;
  /** Written since the socket last had room; uWebSockets.js does not tell how much of it still waits. */
  let backlogBytes = 0;
  return {
    write(chunk) {
      if (exchange.gone) return false;
      const bytes = Buffer.byteLength(chunk);
      res.cork(() => {
        backlogBytes = res.write(chunk) ? 0 : backlogBytes + bytes;
      });
      const isKept = backlogBytes <= BACKLOG_MAX_BYTES;
      if (!isKept) res.close();
      return isKept;
    },
    drained() {
      return new Promise((resolve) => {
        const settle = () => systemClock.soon(() => resolve(!exchange.gone));
        if (exchange.gone || backlogBytes === 0) return settle();
        const stalled = startTimer(STALLED_MS, () => {
          if (!exchange.gone) res.close();
          resolve(false);
        });
        exchange.onGone.push(() => {
          stalled.cancel();
          resolve(false);
        });
        res.onWritable(() => {
          stalled.cancel();
          backlogBytes = 0;
          settle();
          return true;
        });
      });
    },
    fail() {
      exchange.over();
      if (!exchange.gone) res.close();
    },
    end() {
      exchange.over();
      if (exchange.gone) return;
      exchange.gone = true;
      res.cork(() => {
        res.end();
      });
    },
  };
}
