/** Every error over HTTP has this one shape. */
import { z } from 'zod';
import { type ErrorCode, errors } from '../../errors.ts';

const codes = Object.keys(errors) as [ErrorCode, ...ErrorCode[]];

export const problemSchema = z
  .strictObject({
    error: z.strictObject({
      code: z.enum(codes),
      message: z.string(),
      retryable: z.boolean().describe('whether the same request can succeed later'),
      detail: z.string().optional().describe('what of the request was wrong'),
      request_id: z.string().describe('by which the log tells more'),
    }),
  })
  .meta({ id: 'Problem' });
