/** Parses the command line of `npm run keys`. */
import { parseArgs } from 'node:util';

export type Command =
  | { readonly name: 'new' | 'rotate'; readonly file: string }
  /** `ids` null: every key but the first that seals nothing. */
  | {
      readonly name: 'retire';
      readonly file: string;
      readonly ids: readonly string[] | null;
      /** Although nothing that is stored proves that this deployment uses the file. */
      readonly althoughEmpty: boolean;
    }
  | { readonly name: 'verify' };

export type ParsedCommand =
  | { readonly kind: 'command'; readonly command: Command }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string };

export const USAGE = `usage: npm run keys -- COMMAND

new FILE              create FILE with one key; only its owner can read it
rotate FILE           put a new key before the others: it encrypts from now on, the others still decrypt
retire FILE ID…       delete keys, unless something is still encrypted with one of them
retire FILE --unused  delete every key but the first that encrypts nothing
verify                read everything that is stored, count it by key, and report what no key decrypts

verify and retire read the store and the archive, and name them first. They need the environment of the
service, such as DATA_DIR, with DATA_KEYS_FILE=FILE. The service may run meanwhile.
retire refuses if nothing there is encrypted with a key of FILE, because another deployment may use FILE.
Where nothing is stored at all, --although-empty deletes all the same.
After new, rotate and retire send SIGHUP to the instances; each of them also reads FILE once a minute.
Exit codes: 0 success, 1 failure, refusal, or something that no key decrypts, 2 wrong usage.
`;

export function parseCommand(args: readonly string[]): ParsedCommand {
  const wrong = (why: string) => ({ kind: 'wrong', why }) as const;
  const command = (found: Command) => ({ kind: 'command', command: found }) as const;
  let parsed: ReturnType<typeof parse>;
  try {
    parsed = parse(args);
  } catch (error) {
    return wrong(error instanceof Error ? error.message : String(error));
  }
  const { values, positionals } = parsed;
  if (values.help) return { kind: 'help' };
  const [name, file, ...ids] = positionals;
  if (name === undefined) return wrong('a command is needed');
  const althoughEmpty = values['although-empty'];
  if (values.unused && name !== 'retire') return wrong('--unused belongs to retire');
  if (althoughEmpty && name !== 'retire') return wrong('--although-empty belongs to retire');
  switch (name) {
    case 'new':
    case 'rotate':
      if (file === undefined || ids.length > 0) return wrong(`${name} takes one file`);
      return command({ name, file });
    case 'retire':
      if (file === undefined) return wrong('retire takes a file, then the ids of keys');
      if (values.unused === ids.length > 0) return wrong('retire takes either the ids of keys or --unused');
      return command({ name, file, ids: values.unused ? null : ids, althoughEmpty });
    case 'verify':
      return file === undefined ? command({ name }) : wrong('verify takes no arguments');
    default:
      return wrong(`${name} is not a command`);
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      unused: { type: 'boolean', default: false },
      'although-empty': { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
}
