/** The general door: sessions of any conversation, in the terms of the WebSocket. */
import type { Route } from '../core/router.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { cancelRoute } from './cancel-route.ts';
import { createRoute } from './create-route.ts';
import { eventsRoute } from './events-route.ts';
import { extendRoute } from './extend-route.ts';
import { forkRoute } from './fork-route.ts';
import { messageRoute } from './message-route.ts';
import { regenerateRoute } from './regenerate-route.ts';

export const v1Routes = (ports: TurnPorts): readonly Route[] => [
  createRoute(ports),
  messageRoute(ports),
  regenerateRoute(ports),
  forkRoute(ports),
  cancelRoute(ports),
  extendRoute(ports),
  eventsRoute(ports),
];
