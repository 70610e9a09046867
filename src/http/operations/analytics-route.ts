/** `GET /api/analytics`: how the service is used, as numbers. */
import { z } from 'zod';
import type { Analytics, Report } from '../../analytics/analytics.ts';
import { archiveAnswer, momentSchema } from '../archive/archive-routes.ts';
import { jsonAnswer } from '../core/description.ts';
import { parseQuery } from '../core/parse.ts';
import { json, problem, type Route } from '../core/router.ts';

export interface AnalyticsPorts {
  readonly analytics: Analytics;
}

const querySchema = z.object({
  from: momentSchema.optional().describe('conversations that began then or later'),
  to: momentSchema.optional().describe('and before then'),
});

const counts = z.record(z.string(), z.int());
const share = z.number().min(0).max(1);

const analyticsSchema = z
  .strictObject({
    live: z.strictObject({ sessions: z.int(), by_state: counts }).describe('whatever the range'),
    ended: z
      .strictObject({
        sessions: z.int(),
        by_end_reason: counts,
        turns: z.int(),
        turns_per_session: z.number(),
        abandoned: z.int().describe('ended after one turn'),
        abandonment_rate: share,
        created_by_hour: z.array(z.int()).length(24).describe('UTC'),
        second_turns: z
          .array(z.strictObject({ pattern: z.string(), count: z.int() }))
          .describe('how second questions begin, the commonest first; words of users: escape them'),
        protocol_revision_rate: share.describe('a later answer differs, of those with more than one answer'),
        prompt_tokens: z.int(),
        completion_tokens: z.int(),
        simulated_answers: z.int().describe('answers that came from the simulator and mean nothing'),
        latency_ms: z.strictObject({ p50: z.number().nullable(), p99: z.number().nullable() }),
      })
      .describe('conversations in the archive that began in the range'),
  })
  .meta({ id: 'Analytics' });

export function analyticsRoute({ analytics }: AnalyticsPorts): Route {
  return {
    method: 'GET',
    path: '/api/analytics',
    audit: 'read',
    describe: {
      name: 'getAnalytics',
      summary: 'How the service is used',
      details: 'Living sessions are counted by state only; all else is of conversations that ended.',
      query: querySchema,
      answers: { 200: jsonAnswer('The figures.', analyticsSchema) },
      errors: ['bad_request', 'archive_unavailable', 'store_unavailable'],
    },
    async answer({ query, requestId }) {
      const parsed = parseQuery(querySchema, query);
      if (parsed.kind === 'invalid') return problem('bad_request', requestId, parsed.detail);
      const { from, to } = parsed.value;
      const range = { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) };
      return archiveAnswer(requestId, async () => json(200, describe(await analytics(range))));
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
