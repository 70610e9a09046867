/**
 * Reads a process's memory over its inspector after a full collection. Without the collection, garbage would count as
 * memory of the sessions.
 */
import { WebSocket } from 'ws';
import type { Program } from './program.ts';

export interface Memory {
  readonly rssBytes: number;
  readonly heapBytes: number;
}

export const INSPECTED = '--inspect=127.0.0.1:0';
const COLLECTIONS = 3;

export async function memoryOf(program: Program): Promise<Memory> {
  const url = /ws:\/\/127\.0\.0\.1:\S+/.exec(program.errors())?.[0];
  if (url === undefined) throw new Error('the program was not started with an inspector');
  const socket = new WebSocket(url);
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
  let calls = 0;
  const call = (method: string, params: object = {}) =>
    new Promise<string>((resolve) => {
      calls += 1;
      const id = calls;
      const listen = (data: Buffer) => {
        const answer = JSON.parse(data.toString()) as {
          readonly id?: number;
          readonly result?: { readonly result?: { readonly value?: string } };
        };
        if (answer.id !== id) return;
        socket.off('message', listen);
        resolve(answer.result?.result?.value ?? '');
      };
      socket.on('message', listen);
      socket.send(JSON.stringify({ id, method, params }));
    });
  for (let count = 0; count < COLLECTIONS; count++) await call('HeapProfiler.collectGarbage');
  const json = await call('Runtime.evaluate', { expression: 'JSON.stringify(process.memoryUsage())' });
  socket.close();
  const { rss, heapUsed } = JSON.parse(json) as { readonly rss: number; readonly heapUsed: number };
  return { rssBytes: rss, heapBytes: heapUsed };
}
