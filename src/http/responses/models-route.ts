/** Serves `GET /v1/models`: the one model that answers. Chat pages for OpenAI ask for it first. */
import { z } from 'zod';
import { json } from '../core/answer.ts';
import { jsonAnswer, type Route } from '../core/router.ts';
import type { TurnPorts } from '../turns/turn-request.ts';
import { openaiErrors } from './openai-error.ts';

const modelsSchema = z
  .strictObject({
    object: z.literal('list'),
    data: z.array(
      z.strictObject({
        id: z.string(),
        object: z.literal('model'),
        created: z.int(),
        owned_by: z.string(),
      }),
    ),
  })
  .meta({ id: 'Models' });

export function modelsRoute(ports: TurnPorts): Route {
  return {
    method: 'GET',
    path: '/v1/models',
    describe: {
      name: 'listModels',
      summary: 'The model that answers',
      answers: { 200: jsonAnswer('One model, or none while no model server names one.', modelsSchema) },
      errorForm: openaiErrors,
    },
    async answer() {
      const id = await ports.servedModel();
      const model = { id, object: 'model', created: 0, owned_by: 'rehydra' };
      return json(200, { object: 'list', data: id === null ? [] : [model] });
    },
  };
}
