/** Parses the command line of `rehydra migrate`. */
import { parseArgs } from 'node:util';
import { withoutPasswords } from '../startup/start-failure.ts';

export interface Options {
  readonly from: string;
  readonly to: string;
  readonly dryRun: boolean;
  readonly validate: boolean;
  readonly rollback: boolean;
  /** False ignores the notes of an earlier run. */
  readonly resume: boolean;
  /** Sessions per batch. */
  readonly batch: number;
  /** File for the notes; null keeps them in the target. */
  readonly state: string | null;
}

export const USAGE = `usage: npm run migrate -- --from STORE --to STORE [options]

STORE      redis://…, rediss://…, redis+cluster://…, or sqlite:DIR;
           as --from also guide+redis://…, the session:{id} JSON values of the requirements document

--dry-run    show what a move would do, write nothing
--validate   compare every session byte by byte afterwards (after a finished move: compare only)
--rollback   copy the sessions back, then delete them from the target
--resume     go on where an earlier run ended (the default); --restart begins again
--batch N    sessions per batch (500)
--state FILE keep the notes for --resume in FILE instead of in the target

Stop the services of both stores first: a move skips and reports sessions in use.
Exit codes: 0 success, 1 failure, 2 wrong usage, 3 finished, but some sessions did not move or differ,
4 interrupted: run it again to go on.
`;

const STORE = /^(guide\+rediss?:\/\/|rediss?(\+cluster)?:\/\/|sqlite:.)/;
const BATCH_MAX = 10_000;

export type ParsedOptions =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

export function parseOptions(args: readonly string[]): ParsedOptions {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return wrong(error instanceof Error ? withoutPasswords(error.message) : String(error));
  }
  if (values.help) return { kind: 'help' };
  const { from, to, batch, state } = values;
  if (from === undefined || to === undefined) return wrong('--from and --to are needed');
  for (const url of [from, to]) {
    if (!STORE.test(url)) return wrong(`${withoutPassword(url)} is not a store`);
  }
  if (to.startsWith('guide+')) return wrong('guide+redis:// is read-only: it cannot be the target');
  if (from === to) return wrong('--from and --to are the same store');
  const size = Number(batch);
  if (!Number.isInteger(size) || size < 1 || size > BATCH_MAX)
    return wrong(`--batch is a number from 1 to ${BATCH_MAX}`);
  if (values.rollback && values['dry-run'])
    return wrong('--rollback has no dry run: --validate shows the differences');
  const options: Options = {
    from,
    to,
    dryRun: values['dry-run'],
    validate: values.validate,
    rollback: values.rollback,
    resume: !values.restart,
    batch: size,
    state: state ?? null,
  };
  return { kind: 'options', options };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    options: {
      from: { type: 'string' },
      to: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      validate: { type: 'boolean', default: false },
      rollback: { type: 'boolean', default: false },
      resume: { type: 'boolean', default: true },
      restart: { type: 'boolean', default: false },
      batch: { type: 'string', default: '500' },
      state: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
}

/** The name of a store for logs, summaries and notes. A password may hold a slash or an @, or stand in the query. */
export function withoutPassword(url: string): string {
  if (!/^sqlite:|\/\//.test(url)) return '***';
  const [address = '', query] = url.replace(/\/\/\S*@/, '//').split(/\?(.*)/s);
  const open = (query ?? '').split('&').filter((parameter) => /^(db|family)=/.test(parameter));
  return open.length === 0 ? address : `${address}?${open.join('&')}`;
}
