/** The arguments of the terminal client, and the command that it prints for another terminal. */
import { parseArgs } from 'node:util';
import { shellWord } from '../startup/address.ts';
import { SESSION_PATH } from './close-action.ts';

export type ChatCall =
  | {
      readonly kind: 'run';
      readonly urls: readonly string[];
      readonly sessionId: string | null;
      /** Null where the caller leaves it to the program. */
      readonly waitMs: number | null;
    }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

const DEFAULT_URL = `ws://127.0.0.1:8080${SESSION_PATH}`;
/** Longer than an instance takes to start again. */
export const PIPE_WAIT_MS = 30_000;

const USAGE = `usage: npm run chat -- [--url ${DEFAULT_URL}]… [--session <uuid>] [--wait <seconds>]

  --url       where instances listen; several are tried in turn (repeat it, or separate by commas);
              without a path it means ${SESSION_PATH}
  --session   resume this session: its conversation is shown, then goes on
  --wait      give up after so many seconds without a connection; the default is ${PIPE_WAIT_MS / 1_000} in a pipe, and no
              limit on a terminal
  --help      show this

On a terminal, /help lists the commands. In a pipe each line is a message: echo hello | npm run --silent chat
Exit codes: 1 if a message got no whole answer or no connection came in time, 2 if an argument or the path is wrong.
`;

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

export function chatCallOf(args: readonly string[]): ChatCall {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        url: { type: 'string', multiple: true },
        session: { type: 'string' },
        wait: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) return { kind: 'print', text: USAGE };
    const named = (values.url ?? [DEFAULT_URL]).flatMap((list) =>
      list.split(',').flatMap((url) => url.trim() || []),
    );
    for (const url of named) if (!isAddress(url)) return wrong(`--url ${url} is not like ${DEFAULT_URL}`);
    const { session, wait } = values;
    if (session !== undefined && !UUID.test(session)) return wrong(`--session ${session} is not a UUID`);
    if (wait !== undefined && !/^\d{1,6}$/.test(wait))
      return wrong(`--wait ${wait} is not a number of seconds`);
    return {
      kind: 'run',
      urls: named.map(withPath),
      sessionId: session ?? null,
      waitMs: wait === undefined ? null : Number(wait) * 1_000,
    };
  } catch (error) {
    return { kind: 'wrong', text: `${error instanceof Error ? error.message : 'bad arguments'}\n\n${USAGE}` };
  }
}

function wrong(why: string): ChatCall {
  return { kind: 'wrong', text: `${why}\n` };
}

function isAddress(url: string): boolean {
  return URL.canParse(url) && /^wss?:$/.test(new URL(url).protocol);
}

function withPath(url: string): string {
  const parsed = new URL(url);
  if (parsed.pathname !== '/') return url;
  parsed.pathname = SESSION_PATH;
  return parsed.href;
}

export function resumeCommand(urls: readonly string[], sessionId: string): string {
  const isDefault = urls.length === 1 && urls[0] === DEFAULT_URL;
  const where = isDefault ? '' : `--url ${shellWord(urls.join(','))} `;
  return `npm run chat -- ${where}--session ${sessionId}`;
}
