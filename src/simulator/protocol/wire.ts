/** Writes the values of a stream as server-sent events, in the forms that servers and proxies have been seen to use. */
import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Pause } from '../engine/pause.ts';
import type { FaultPlan } from './faults.ts';

export interface Wire {
  begin(): void;
  send(value: unknown): Promise<void>;
  /** The regular end: [DONE], and no more bytes. */
  end(): Promise<void>;
}

const LINE_ENDS: ReadonlyMap<string, string> = new Map([
  ['cr', '\r'],
  ['crlf', '\r\n'],
]);
const DONE = '[DONE]';

export function createWire(res: ServerResponse, faults: FaultPlan, pause: Pause): Wire {
  const lineEnd = LINE_ENDS.get(faults.get('line-end') ?? '') ?? '\n';
  const lastEvent = faults.get('last-event');
  /** The last event cannot be known before the end, so each one waits for the next where the last one is to be odd. */
  let held = '';

  const write = async (text: string): Promise<void> => {
    if (pause.cancelled || text === '' || res.write(text)) return;
    await Promise.race([once(res, 'drain'), once(res, 'close')]);
  };
  const event = (data: string): string => {
    const before = faults.has('comments') ? [': keep-alive', '', 'event: ping', 'data: {}', ''] : [];
    return [...before, `data: ${data}`, '', ''].join(lineEnd);
  };

  return {
    begin() {
      const contentType = faults.get('content-type') ?? 'text/event-stream; charset=utf-8';
      res.writeHead(200, { 'content-type': contentType, 'x-accel-buffering': 'no' });
      res.flushHeaders();
    },
    async send(value) {
      const values = faults.has('second-choice') ? [value, secondOf(value)] : [value];
      const text = values.map((each) => event(JSON.stringify(each))).join('');
      if (lastEvent === undefined) return await write(text);
      await write(held);
      held = text;
    },
    async end() {
      if (lastEvent !== undefined) {
        const bare = held.slice(0, held.length - 2 * lineEnd.length);
        res.end(bare + (lastEvent === 'line' ? lineEnd : ''));
        return;
      }
      await write(event(DONE));
      if (faults.has('open-after-done')) await pause.sleep(Number.POSITIVE_INFINITY);
      res.end();
    },
  };
}

/** The same chunk for another choice, which a client that asked for one answer must leave alone. */
function secondOf(value: unknown): unknown {
  const { choices, ...chunk } = value as { readonly choices?: readonly object[] };
  const [choice] = choices ?? [];
  if (choice === undefined) return value;
  return {
    ...chunk,
    choices: [{ ...choice, index: 1, delta: { content: 'Quite another answer.' }, text: 'No.' }],
  };
}
