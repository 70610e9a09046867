/** Reads the arguments of the terminal chat, and writes the command that resumes a session. */
import { parseArgs } from 'node:util';
import { isUserId } from '../../identity/names.ts';
import { shellWord } from '../../startup/address.ts';
import { SESSION_PATH } from '../close-action.ts';
import { socketAddress } from '../package/address.ts';

export type ChatCall =
  | {
      readonly kind: 'run';
      readonly urls: readonly string[];
      readonly sessionId: string | null;
      /** Null: the chat names no user. */
      readonly userId: string | null;
      /** Null: no file has the token. */
      readonly tokenFile: string | null;
      /** Null: the program chooses. */
      readonly waitMs: number | null;
    }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

const DEFAULT_URL = `ws://127.0.0.1:8080${SESSION_PATH}`;
/** An instance restarts in less time. */
export const PIPE_WAIT_MS = 30_000;

const USAGE = `usage: npm run chat -- [--url ${DEFAULT_URL}]… [--session <uuid>] [--user <id>] [--token-file <path>] [--wait <seconds>]

  --url       address of an instance; the chat tries several in turn (repeat it, or separate by commas);
              an address without a path gets ${SESSION_PATH}
  --session   resume this session: the chat shows its conversation, then continues it
  --user      chat as this user: a session that has a user lets in only that user, and guests
  --token-file
              file with the token or API key that proves the user; the chat reads it again to renew the token.
              Without it the chat takes the token in REHYDRA_TOKEN
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
        user: { type: 'string' },
        'token-file': { type: 'string' },
        wait: { type: 'string' },
        help: { type: 'boolean' },
      },
    });
    if (values.help === true) return { kind: 'print', text: USAGE };
    const { url = [DEFAULT_URL], session, user, 'token-file': tokenFile, wait } = values;
    const urls = url.flatMap((list) => list.split(',').flatMap((one) => one.trim() || []));
    const invalid = urls.find((one) => !URL.canParse(one) || !/^wss?:$/.test(new URL(one).protocol));
    if (invalid !== undefined) return wrong(`--url ${invalid} is not like ${DEFAULT_URL}`);
    if (session !== undefined && !UUID.test(session)) return wrong(`--session ${session} is not a UUID`);
    if (user !== undefined && !isUserId(user))
      return wrong('--user is not a user id: 1 to 256 characters without control characters');
    if (wait !== undefined && !/^\d{1,6}$/.test(wait))
      return wrong(`--wait ${wait} is not a number of seconds`);
    const waitMs = wait === undefined ? null : Number(wait) * 1_000;
    const ids = { sessionId: session ?? null, userId: user ?? null, tokenFile: tokenFile ?? null };
    return { kind: 'run', urls: urls.map(socketAddress), ...ids, waitMs };
  } catch (error) {
    return wrong(`${error instanceof Error ? error.message : 'bad arguments'}\n\n${USAGE}`);
  }
}

function wrong(why: string): ChatCall {
  return { kind: 'wrong', text: `${why}\n` };
}

export function resumeCommand(
  urls: readonly string[],
  sessionId: string,
  userId: string | null = null,
  tokenFile: string | null = null,
): string {
  const isDefault = urls.length === 1 && urls[0] === DEFAULT_URL;
  const where = isDefault ? '' : `--url ${shellWord(urls.join(','))} `;
  const who = userId === null ? '' : ` --user ${shellWord(userId)}`;
  const proof = tokenFile === null ? '' : ` --token-file ${shellWord(tokenFile)}`;
  return `npm run chat -- ${where}--session ${sessionId}${who}${proof}`;
}
