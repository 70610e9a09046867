/** The routes for clients of the OpenAI Responses and Conversations APIs. */
import type { Route } from '../core/router.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { conversationRoutes } from './conversations/conversation-routes.ts';
import { itemRoutes } from './conversations/item-routes.ts';
import { modelsRoute } from './models-route.ts';
import { responsePostRoute } from './response-post.ts';
import { responseRoutes } from './response-routes.ts';

export const openaiRoutes = (ports: TurnPorts): readonly Route[] => [
  responsePostRoute(ports),
  ...responseRoutes(ports),
  ...conversationRoutes(ports),
  ...itemRoutes(ports),
  modelsRoute(ports),
];
