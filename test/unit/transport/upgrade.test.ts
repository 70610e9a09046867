import type { HttpRequest, HttpResponse, TemplatedApp, WebSocketBehavior } from 'uws-node20';
import { expect, it } from 'vitest';
import { AUTH_OFF } from '../../../src/identity/authenticator.ts';
import { STRANGER } from '../../../src/identity/caller.ts';
import { serveWebSocket, type WebSocketPorts } from '../../../src/transport/socket/websocket.ts';
import type { Uws } from '../../../src/transport/uws.ts';

const stranger = { kind: 'accepted', caller: STRANGER } as const;

it('an upgrade that waits for its proof is not corked, or uWebSockets.js would close some of the new sockets', async () => {
  const serving: WebSocketBehavior<unknown>[] = [];
  const app = { ws: (_: string, behavior: WebSocketBehavior<unknown>) => serving.push(behavior) };
  const ports = {
    gate: { passUpgrade: () => ({ kind: 'passes', headers: {} }) },
    limits: { connections: null, credentials: null },
    authenticator: { ...AUTH_OFF, isOff: false, authenticate: async () => stranger },
    clock: { after: () => () => {} },
  } as unknown as WebSocketPorts;
  serveWebSocket(app as unknown as TemplatedApp, {} as Uws, ports, () => ({ address: '::1', peer: '::1' }));

  let isCorked = false;
  const upgraded = new Promise<boolean>((resolve) => {
    const res = {
      onAborted: () => {},
      upgrade: () => resolve(isCorked),
      cork(task: () => void) {
        isCorked = true;
        task();
        isCorked = false;
      },
    };
    const req = {
      forEach: () => {},
      getHeader: () => '',
      getMethod: () => 'get',
      getUrl: () => '/v1/session',
    };
    serving[0]?.upgrade?.(res as unknown as HttpResponse, req as unknown as HttpRequest, {} as never);
  });
  expect(await upgraded).toBe(false);
});
