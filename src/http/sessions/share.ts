/** An invitation into a session, as it is asked for and told of. */
import { z } from 'zod';
import type { SessionContext } from '../../../machines/vocabulary.ts';
import { sessionParamsSchema } from './session-description.ts';

const access = z.enum(['read', 'write']);
const user = z.string().min(1).max(256);

export const shareParamsSchema = sessionParamsSchema.extend({ share: z.uuid().describe('its `share_id`') });

export const shareRequestSchema = z
  .strictObject({
    user_id: user.describe('who is invited; who is already gets this invitation instead'),
    access: access.default('read'),
    expires_in_ms: z.int().min(1_000).max(14_400_000).default(3_600_000),
    invited_by: user.optional().describe('the owner; another name is refused'),
  })
  .meta({ id: 'ShareRequest' });

export const revocationQuerySchema = z.object({
  revoked_by: user.optional().describe('the owner; another name is refused'),
});

export const shareSchema = z
  .strictObject({ share_id: z.uuid(), user_id: user, access, expires_at: z.int() })
  .meta({ id: 'Share' });

export const sharesSchema = z
  .strictObject({
    shares: z.array(
      z.strictObject({ ...shareSchema.shape, present: z.boolean().describe('is in the session now') }),
    ),
  })
  .meta({ id: 'Shares' });

export const revocationSchema = z
  .strictObject({ share_id: z.string(), revoked: z.boolean().describe('false: it will be') })
  .meta({ id: 'Revocation' });

/** The invitations that have not run out, and whether who was invited is there. */
export function describeShares(context: SessionContext, now: number): z.infer<typeof sharesSchema> {
  const shares = context.shares
    .filter((share) => share.expiresAt > now)
    .map(({ id, userId, access, expiresAt }) => ({
      share_id: id,
      user_id: userId,
      access,
      expires_at: expiresAt,
      present: context.present.some((one) => one.userId === userId),
    }));
  return { shares };
}
