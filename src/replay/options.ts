/** Parses the arguments of `npm run replay`. */
import { parseArgs } from 'node:util';

export type Source =
  | { readonly kind: 'file'; readonly file: string }
  | { readonly kind: 'session'; readonly sessionId: string; readonly url: string };

export interface Options {
  readonly source: Source;
  /** Only the verdict, without the records. */
  readonly quiet: boolean;
}

export type Parsed =
  | { readonly kind: 'options'; readonly options: Options }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

const URL_OF_A_START = 'http://127.0.0.1:8080';

export const USAGE = `npm run replay -- --session ID [--url ${URL_OF_A_START}] [--quiet]
npm run replay -- --file history.json [--quiet]

Plays the history of a session, and replays it through this version's machine: it must reach the stored state.

  --session ID   the session, from a running instance; a credential comes from REHYDRA_TOKEN
  --url URL      the instance; the port of operators, if it has one
  --file FILE    a file that GET /api/session/{id}/history answered; - reads standard input
  --quiet        prints only the verdict

Ends with 0 if the history reaches the stored state, 1 if it does not, 2 if it is incomplete, 3 if it cannot be read.
`;

export function parseOptions(args: readonly string[]): Parsed {
  let values: { session?: string; file?: string; url?: string; quiet?: boolean; help?: boolean };
  try {
    ({ values } = parseArgs({
      args: [...args],
      options: {
        session: { type: 'string' },
        file: { type: 'string' },
        url: { type: 'string' },
        quiet: { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    }));
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : String(error) };
  }
  const { session, file, url = URL_OF_A_START, quiet = false, help = false } = values;
  if (help) return { kind: 'help' };
  if ((session === undefined) === (file === undefined))
    return { kind: 'wrong', why: 'name a session or a file' };
  if (!URL.canParse(url)) return { kind: 'wrong', why: `${url} is no URL` };
  const source: Source =
    file === undefined ? { kind: 'session', sessionId: session ?? '', url } : { kind: 'file', file };
  return { kind: 'options', options: { source, quiet } };
}
