/** `GET /openapi.json` and `GET /asyncapi.json`: made of the routes and schemas that are served, at the first request. */
import { z } from 'zod';
import { asyncapiDocument } from '../core/asyncapi.ts';
import { jsonAnswer } from '../core/description.ts';
import { openapiDocument } from '../core/openapi.ts';
import { json, type Route } from '../core/router.ts';

/** `routes` are all the others. */
export function documentsRoutes(routes: readonly Route[]): readonly Route[] {
  const openapi = once(() => openapiDocument([...routes, ...own]));
  const asyncapi = once(asyncapiDocument);
  const own: readonly Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      describe: {
        name: 'getOpenapi',
        summary: 'This document',
        answers: { 200: jsonAnswer('OpenAPI 3.1.', z.looseObject({ openapi: z.string() })) },
      },
      answer: () => json(200, openapi()),
    },
    {
      method: 'GET',
      path: '/asyncapi.json',
      describe: {
        name: 'getAsyncapi',
        summary: 'The WebSocket, as a document',
        answers: { 200: jsonAnswer('AsyncAPI 3.', z.looseObject({ asyncapi: z.string() })) },
      },
      answer: () => json(200, asyncapi()),
    },
  ];
  return own;
}

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => {
    made ??= make();
    return made;
  };
}
