/** Shows the progress of a run: a bar on a terminal, else a line per second. Never on stdout. */
import type { Writable } from 'node:stream';

export interface Progress {
  begin(name: string, total: number, done: number): void;
  advance(by: number): void;
  end(): void;
}

const WIDTH = 32;
const LINE_EVERY_MS = 1_000;
const BAR_EVERY_MS = 100;

export function createProgress(
  out: Writable & { readonly isTTY?: boolean },
  nowMs: () => number = () => performance.now(),
): Progress {
  const isTerminal = out.isTTY === true;
  let name = '';
  let total = 0;
  let done = 0;
  let first = 0;
  let startedMs = 0;
  let shownMs = 0;

  const remaining = (): string => {
    const moved = done - first;
    if (moved === 0) return '';
    const seconds = Math.ceil(((nowMs() - startedMs) / moved) * Math.max(0, total - done) * 0.001);
    return ` ${seconds} s left`;
  };
  const show = (): void => {
    shownMs = nowMs();
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const text = `${name} ${String(Math.floor(share * 100)).padStart(3)} % ${done}/${Math.max(total, done)}`;
    if (!isTerminal) {
      out.write(`${text}${remaining()}\n`);
      return;
    }
    const full = Math.round(share * WIDTH);
    out.write(`\r\x1b[K[${'█'.repeat(full)}${'·'.repeat(WIDTH - full)}] ${text}${remaining()}`);
  };

  return {
    begin(phase, expected, already) {
      name = phase;
      total = expected;
      done = already;
      first = already;
      startedMs = nowMs();
      show();
    },
    advance(by) {
      done += by;
      if (nowMs() - shownMs >= (isTerminal ? BAR_EVERY_MS : LINE_EVERY_MS)) show();
    },
    end() {
      show();
      if (isTerminal) out.write('\n');
    },
  };
}
