/** Serves `/openapi.json` and `/asyncapi.json`; builds each at its first request. */
import { z } from 'zod';
import { json } from '../core/answer.ts';
import { asyncapiDocument } from '../core/asyncapi.ts';
import { openapiDocument } from '../core/openapi.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import type { Json } from '../core/schema-book.ts';

/** `others` are all other routes. */
export function documentsRoutes(others: readonly Route[]): readonly Route[] {
  let openapi: Json | undefined;
  let asyncapi: Json | undefined;
  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      describe: {
        name: 'getOpenapi',
        summary: 'This document',
        answers: { 200: jsonAnswer('OpenAPI 3.1.', z.looseObject({ openapi: z.string() })) },
      },
      answer() {
        openapi ??= openapiDocument([...others, ...routes]);
        return json(200, openapi);
      },
    },
    {
      method: 'GET',
      path: '/asyncapi.json',
      describe: {
        name: 'getAsyncapi',
        summary: 'The WebSocket protocol as an AsyncAPI document',
        answers: { 200: jsonAnswer('AsyncAPI 3.', z.looseObject({ asyncapi: z.string() })) },
      },
      answer() {
        asyncapi ??= asyncapiDocument();
        return json(200, asyncapi);
      },
    },
  ];
  return routes;
}
