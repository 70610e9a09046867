/** Serves `GET /api/analytics`: usage figures. */
import { z } from 'zod';
import type { Report } from '../../analytics/analytics.ts';
import { readsWords } from '../../identity/permissions.ts';
import { momentSchema } from '../archive/archive-routes.ts';
import { refuseArchive } from '../archive/refuse-archive.ts';
import { json } from '../core/answer.ts';
import type { HttpPorts } from '../core/ports.ts';
import { parseQuery, tenantOf } from '../core/request.ts';
import { jsonAnswer, type Route } from '../core/router.ts';

const querySchema = z.object({
  from: momentSchema.exactOptional().describe('counts conversations that began at this time or later'),
  to: momentSchema.exactOptional().describe('counts conversations that began before this time'),
});

const counts = z.record(z.string(), z.int());
const share = z.number().min(0).max(1);

const analyticsSchema = z
  .strictObject({
    live: z.strictObject({ sessions: z.int(), by_state: counts }).describe('now, whatever the range'),
    ended: z
      .strictObject({
        sessions: z.int(),
        by_end_reason: counts,
        turns: z.int(),
        turns_per_session: z.number(),
        abandoned: z.int().describe('sessions that ended after one turn'),
        abandonment_rate: share,
        created_by_hour: z
          .array(z.int())
          .length(24)
          .describe('sessions created in each hour of the day, UTC'),
        second_turns: z
          .array(z.strictObject({ pattern: z.string(), count: z.int() }))
          .describe(
            'first words of second questions, most frequent first, but none for an auditor; users wrote them: escape them',
          ),
        protocol_revision_rate: share.describe(
          'share of the sessions with several answers in which a later answer changed the protocol',
        ),
        prompt_tokens: z.int(),
        completion_tokens: z.int(),
        simulated_answers: z.int().describe('answers of the simulator, which mean nothing'),
        latency_ms: z.strictObject({ p50: z.number().nullable(), p99: z.number().nullable() }),
      })
      .describe('archived conversations that began in the range'),
  })
  .meta({ id: 'Analytics' });

export function analyticsRoute({ analytics }: HttpPorts): Route {
  return {
    method: 'GET',
    path: '/api/analytics',
    audit: 'analytics',
    describe: {
      name: 'getAnalytics',
      summary: 'Usage figures',
      details: 'Live sessions are counted by state only; all other figures are of ended conversations.',
      query: querySchema,
      answers: { 200: jsonAnswer('The figures.', analyticsSchema) },
      errors: ['bad_request', 'archive_unavailable', 'store_unavailable'],
    },
    async answer(request) {
      const range = parseQuery(querySchema, request.query);
      const report = await analytics(tenantOf(request), range).catch(refuseArchive);
      const { ended, ...rest } = describe(report);
      const secondTurns = readsWords(request.caller) ? ended.second_turns : [];
      return json(200, { ...rest, ended: { ...ended, second_turns: secondTurns } });
    },
  };
}

function describe({ byState, figures }: Report): z.infer<typeof analyticsSchema> {
  const { sessions, abandoned } = figures;
  return {
    live: { sessions: Object.values(byState).reduce((sum, count) => sum + count, 0), by_state: byState },
    ended: {
      sessions,
      by_end_reason: figures.byEndReason,
      turns: figures.turns,
      turns_per_session: figures.turnsPerSession,
      abandoned,
      abandonment_rate: sessions === 0 ? 0 : abandoned / sessions,
      created_by_hour: [...figures.byHour],
      second_turns: figures.secondTurns.map(({ pattern, count }) => ({ pattern, count })),
      protocol_revision_rate: figures.revisionRate,
      prompt_tokens: figures.promptTokens,
      completion_tokens: figures.completionTokens,
      simulated_answers: figures.simulatedAnswers,
      latency_ms: { p50: figures.totalMsP50, p99: figures.totalMsP99 },
    },
  };
}
