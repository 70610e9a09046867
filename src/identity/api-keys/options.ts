/** Parses the command line of `npm run api-key`. */
import { parseArgs } from 'node:util';
import type { ApiKeyEntry } from './api-key.ts';

export type Command =
  | { readonly kind: 'new'; readonly file: string; readonly entry: Omit<ApiKeyEntry, 'hash'> }
  | { readonly kind: 'list'; readonly file: string }
  | { readonly kind: 'withdraw'; readonly file: string; readonly name: string };

export type ParsedCommand =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

export const USAGE = `usage: npm run --silent api-key -- new FILE NAME ROLE [--tenant T] [--rights A,B] [--expires 90d]
       npm run --silent api-key -- list FILE
       npm run --silent api-key -- withdraw FILE NAME

FILE         the file of AUTH_KEYS_FILE; \`new\` creates it. Only hashes are written to it
NAME         of the back end, as the audit log will show it: letters, digits, "." and "-"
ROLE         user, service, auditor or admin

--tenant T   the key sees this tenant alone
--rights A,B the key may do only these operations of its role, by their names in docs/PERMISSIONS.md
--expires    the key ends after so many days (90d) or hours (12h); without it: when you withdraw it

\`new\` prints the key once, on its standard output. A running service reads the file again within two seconds; sockets of a
withdrawn key end.
Exit codes: 0 success, 1 failure, 2 wrong usage.
`;

const SPAN_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000 };

export function parseCommand(args: readonly string[], now: number): ParsedCommand {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [action, file, name, role, ...more] = positionals;
  if (action === undefined || file === undefined || more.length > 0)
    return wrong('new, list or withdraw, and a file, are needed');
  const isNew = action === 'new';
  if (!isNew && (role !== undefined || Object.keys(values).length > 1))
    return wrong(`${action} takes no role or option`);
  if (action === 'list' && name === undefined) return { kind: 'command', command: { kind: 'list', file } };
  if (action === 'withdraw' && name !== undefined)
    return { kind: 'command', command: { kind: 'withdraw', file, name } };
  if (!isNew || name === undefined || role === undefined) return wrong(`${action} is not called like that`);
  const { tenant, rights, expires } = values;
  const [, amount, unit = ''] = /^(\d{1,5})([dh])$/.exec(expires ?? '') ?? [];
  if (expires !== undefined && amount === undefined)
    return wrong(`--expires ${expires} is not like 90d or 12h`);
  const entry = {
    name,
    // The check of the whole entry names the roles.
    role: role as ApiKeyEntry['role'],
    ...(rights === undefined ? {} : { rights: rights.split(',').map((one) => one.trim()) }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(amount === undefined
      ? {}
      : { expires_at: new Date(now + Number(amount) * (SPAN_MS[unit] ?? 0)).toISOString() }),
  };
  return { kind: 'command', command: { kind: 'new', file, entry } };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      tenant: { type: 'string' },
      rights: { type: 'string' },
      expires: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}
