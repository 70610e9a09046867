/** The command line of `rehydra migrate`. */
import { parseArgs } from 'node:util';

export interface Options {
  readonly from: string;
  readonly to: string;
  readonly dryRun: boolean;
  readonly validate: boolean;
  readonly rollback: boolean;
  /** False: whatever an earlier run noted is forgotten. */
  readonly resume: boolean;
  /** Sessions under way at a time. */
  readonly batch: number;
  /** File for the notes; null keeps them in the target. */
  readonly state: string | null;
}

export const USAGE = `usage: npm run migrate -- --from STORE --to STORE [options]

STORE      redis://…, rediss://…, redis+cluster://…, or sqlite:DIR;
           as --from also guide+redis://…, the plain session:{id} JSON values of the guide

--dry-run    say what would be moved, write nothing
--validate   compare every session byte by byte afterwards (alone after a finished move)
--rollback   bring back what was moved, then take it out of the target
--resume     go on where an earlier run ended (the default); --restart begins anew
--batch N    sessions under way at a time (500)
--state FILE keep the notes for resuming there instead of in the target

Stop the services of both stores first: sessions that are in use are left where they are, and said.
Exit codes: 0 all well, 1 failed, 2 wrong usage, 3 finished but not everything could be moved or is equal,
4 interrupted: run it again to go on.
`;

const STORE = /^(guide\+rediss?:\/\/|rediss?(\+cluster)?:\/\/|sqlite:.)/;
const BATCH_MAX = 10_000;

export type ParsedOptions =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

export function parseOptions(args: readonly string[]): ParsedOptions {
  let values: ReturnType<typeof parse>;
  try {
    values = parse(args);
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : String(error) };
  }
  if (values.help) return { kind: 'help' };
  const { from, to, batch, state } = values;
  if (from === undefined || to === undefined) return { kind: 'wrong', why: '--from and --to are needed' };
  for (const url of [from, to]) {
    if (!STORE.test(url)) return { kind: 'wrong', why: `${withoutPassword(url)} is not a store` };
  }
  if (to.startsWith('guide+')) return { kind: 'wrong', why: 'the guide’s values can be read, not written' };
  if (from === to) return { kind: 'wrong', why: '--from and --to are the same store' };
  const size = Number(batch);
  if (!Number.isInteger(size) || size < 1 || size > BATCH_MAX)
    return { kind: 'wrong', why: `--batch is a number from 1 to ${BATCH_MAX}` };
  if (values.rollback && values['dry-run'])
    return { kind: 'wrong', why: '--rollback has no dry run: --validate says what differs' };
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

/** As a store may be named in logs, summaries and notes. */
export function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
