/**
 * ApiKey defines the key of a back end and the file that lists keys. The key itself is shown once and stored nowhere.
 *
 * A fast hash is right here: slow ones protect secrets that a person chose, and no one can try out 256 random bits.
 */
import { createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { roles } from '../caller.ts';
import type { ParsedFile } from '../key-file.ts';
import { isTenantName } from '../names.ts';
import { isRight, permissions } from '../permissions.ts';

/** Begins every key, so that scanners find one that leaked, and no token is mistaken for one. */
export const API_KEY_PREFIX = 'rk_';
const SECRET_BYTES = 32;
const NAME = /^[A-Za-z0-9.-]{1,64}$/;
/** A name has no underscore, so the first one after it ends it. */
const KEY = /^rk_([A-Za-z0-9.-]{1,64})_[A-Za-z0-9_-]{43}$/;

const entrySchema = z
  .strictObject({
    name: z.string().regex(NAME, { error: 'is not 1 to 64 letters, digits, "." and "-"' }),
    role: z.enum(roles),
    /** Operations that the key is limited to; absent: all of its role. */
    rights: z
      .array(
        z.string().refine((name): boolean => isRight(name), {
          error: 'is no operation that a key can be limited to',
        }),
      )
      .min(1)
      .optional(),
    tenant: z
      .string()
      .refine(isTenantName, { error: 'is not 1 to 64 letters, digits, ".", "_" and "-"' })
      .optional(),
    hash: z.string().regex(/^sha256:[0-9a-f]{64}$/, { error: 'is not sha256: and 64 hexadecimal digits' }),
    expires_at: z.iso.datetime({ offset: true }).optional(),
  })
  // Such a right would never be of use: its role or its name is a mistake.
  .refine(
    ({ role, rights = [] }) =>
      rights.every((right) => !isRight(right) || permissions[right][role] !== 'none'),
    {
      path: ['rights'],
      error: 'hold an operation that is not of the role',
    },
  );

export type ApiKeyEntry = Readonly<z.infer<typeof entrySchema>>;

export function newSecret(name: string): string {
  return `${API_KEY_PREFIX}${name}_${randomBytes(SECRET_BYTES).toString('base64url')}`;
}

export function hashOf(key: string): string {
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}

/** Null if the text has not the form of a key. */
export function nameIn(key: string): string | null {
  return KEY.exec(key)?.[1] ?? null;
}

export function parseApiKeys(text: string): ParsedFile<readonly ApiKeyEntry[]> {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return { kind: 'wrong', why: 'is not JSON' };
  }
  const parsed = z.array(entrySchema).safeParse(raw);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { kind: 'wrong', why: `is no list of keys: ${issue?.path.join('.')} ${issue?.message}` };
  }
  const names = parsed.data.map(({ name }) => name);
  const repeated = names.find((name, index) => names.indexOf(name) !== index);
  if (repeated !== undefined) return { kind: 'wrong', why: `has two keys with the name ${repeated}` };
  return { kind: 'parsed', content: parsed.data };
}

/** Checked before a key is written: the file's own check would refuse the whole file. */
export function entryProblem(entry: unknown): string | null {
  const parsed = entrySchema.safeParse(entry);
  if (parsed.success) return null;
  const [issue] = parsed.error.issues;
  return `${issue?.path.join('.')} ${issue?.message}`;
}
