/** Opens many sessions as fast as an instance can: each socket opens one session and disconnects. */
import { WebSocket } from 'ws';
import type { ServerFrame } from '../../../src/protocol/server-frames.ts';
import { inParallel } from './figures.ts';

const AT_A_TIME = 200;

/** Resolves once every session is open and every socket is closed. */
export async function openAndLeave(urls: readonly string[], ids: readonly string[]): Promise<void> {
  await inParallel(ids, AT_A_TIME, async (sessionId, index) => {
    const url = urls[index % urls.length] ?? '';
    while (!(await openOne(url, sessionId)));
  });
}

function openOne(url: string, sessionId: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url);
    let welcomed = false;
    socket.on('open', () => socket.send(JSON.stringify({ type: 'hello', session_id: sessionId })));
    socket.on('message', (data) => {
      const frame = JSON.parse(String(data)) as ServerFrame;
      welcomed ||= frame.type === 'welcome';
      socket.close();
    });
    socket.on('error', () => {});
    socket.on('close', () => resolve(welcomed));
  });
}
