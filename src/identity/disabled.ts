/**
 * Disabled lists subjects whose credentials no longer count, however long they last: a token cannot be withdrawn otherwise.
 *
 *  DISABLED-1  A disabled subject is refused, and its open sockets end, for every way of proof. No back end acts for it.
 */
import { z } from 'zod';
import type { Log } from '../telemetry/log.ts';
import type { Identity } from './caller.ts';
import { openKeyFile, type ParsedFile } from './key-file.ts';
import { isTenantName, isUserId } from './names.ts';

export interface Disabled {
  has(identity: Pick<Identity, 'subject' | 'tenant'>): boolean;
  reload(): void;
  close(): void;
}

const listSchema = z.array(
  z.strictObject({
    subject: z.string().refine(isUserId, { error: 'is no user id' }),
    tenant: z.string().refine(isTenantName, { error: 'is no name of a tenant' }).optional(),
  }),
);

/** Throws a start failure if the file cannot be used. */
export function openDisabled(path: string, log: Log, lookEveryMs?: number): Disabled {
  const file = openKeyFile({
    name: 'AUTH_DISABLED_FILE',
    path,
    fallback: 'the users of the former list stay disabled',
    isSecret: false,
    parse: parseDisabled,
    log,
    ...(lookEveryMs === undefined ? {} : { lookEveryMs }),
  });
  return {
    has: (identity) => file.content().has(keyOf(identity)), // DISABLED-1
    reload: file.reload,
    close: file.close,
  };
}

function parseDisabled(text: string): ParsedFile<ReadonlySet<string>> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: 'wrong', why: 'is not JSON' };
  }
  const parsed = listSchema.safeParse(raw);
  if (parsed.success)
    return {
      kind: 'parsed',
      content: new Set(parsed.data.map(({ subject, tenant = '' }) => keyOf({ subject, tenant }))),
    };
  const [issue] = parsed.error.issues;
  return { kind: 'wrong', why: `is no list of subjects: ${issue?.path.join('.')} ${issue?.message}` };
}

/** No name of a tenant has a space. */
function keyOf({ subject, tenant }: Pick<Identity, 'subject' | 'tenant'>): string {
  return `${tenant} ${subject}`;
}
