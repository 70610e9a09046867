/** Parses the command line of `npm run audit`. */
import { parseArgs } from 'node:util';
import type { ChainPoint } from '../sealed-line.ts';

export interface Options {
  readonly files: readonly string[];
  readonly anchors: readonly ChainPoint[];
  /** Logs of the service, which hold heads of the chains. */
  readonly logs: readonly string[];
}

export const USAGE = `usage: npm run audit -- verify FILE… [--log LOG]… [--anchor CHAIN:NUMBER:MAC]…

Checks that no line of an audit log was edited, deleted, moved, or cut off before the last known head. Give all files of the log, rotated ones too,
in any order. AUDIT_KEY or AUDIT_KEY_FILE holds the key with which the log was written.

--log LOG     a log of the service: every chain must reach the heads that it reports (repeat it)
--anchor …    such a head itself, with its three fields as the service's log has them (repeat it)

Lines that are missing at the end of a chain without a stop, after the last line that a head outside the chain names,
cannot be told from lines never written. The result says so for each chain.
Exit codes: 0 the files are as they were written, 1 they are not, 2 wrong usage or a file that cannot be read.
`;

export type ParsedOptions =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

const ANCHOR = /^([\w-]{11}):(\d{1,15}):([\w-]{43})$/;

export function parseOptions(args: readonly string[]): ParsedOptions {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [command, ...files] = positionals;
  if (command !== 'verify') return wrong('the only command is verify');
  if (files.length === 0) return wrong('name at least one file');
  const anchors: ChainPoint[] = [];
  for (const text of values.anchor) {
    const [, chain, seq, mac] = ANCHOR.exec(text) ?? [];
    if (chain === undefined || mac === undefined) return wrong(`--anchor ${text} is not CHAIN:NUMBER:MAC`);
    anchors.push({ chain, seq: Number(seq), mac });
  }
  return { kind: 'options', options: { files: [...new Set(files)], anchors, logs: values.log } };
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      log: { type: 'string', multiple: true, default: [] },
      anchor: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}
