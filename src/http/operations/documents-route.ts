/** Serves `/openapi.json` and `/asyncapi.json`; builds each at its first request. */
import { z } from 'zod';
import { json } from '../core/answer.ts';
import { asyncapiDocument } from '../core/asyncapi.ts';
import { openapiDocument } from '../core/openapi.ts';
import { builtOnce, jsonAnswer, type Route } from '../core/router.ts';

/** `others` are all other routes. */
export function documentsRoutes(others: readonly Route[]): readonly Route[] {
  const openapi = jsonAnswer('OpenAPI 3.1.', z.looseObject({ openapi: z.string() }));
  const asyncapi = jsonAnswer('AsyncAPI 3.', z.looseObject({ asyncapi: z.string() }));
  const routes: readonly Route[] = [
    {
      method: 'GET',
      path: '/openapi.json',
      describe: { name: 'getOpenapi', summary: 'This document', answers: { 200: openapi } },
      answer: builtOnce(() => json(200, openapiDocument([...others, ...routes]))),
    },
    {
      method: 'GET',
      path: '/asyncapi.json',
      describe: {
        name: 'getAsyncapi',
        summary: 'The WebSocket protocol as an AsyncAPI document',
        answers: { 200: asyncapi },
      },
      answer: builtOnce(() => json(200, asyncapiDocument())),
    },
  ];
  return routes;
}
