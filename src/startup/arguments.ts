/** Arguments of a program whose settings are environment variables: it takes only `--help` and `--version`. */
import { parseArgs } from 'node:util';
import { commit, version } from './version.ts';

export type Call =
  | { readonly kind: 'run' }
  | { readonly kind: 'print'; readonly text: string }
  | { readonly kind: 'wrong'; readonly text: string };

export function callOf(args: readonly string[], command: string, help: () => string): Call {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: { help: { type: 'boolean', short: 'h' }, version: { type: 'boolean', short: 'v' } },
    });
    if (values.help === true) return { kind: 'print', text: help() };
    if (values.version === true) return { kind: 'print', text: `rehydra ${version} (${commit})\n` };
    return { kind: 'run' };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    return {
      kind: 'wrong',
      text: `${why}\n${command} -- --help lists the settings, which are environment variables\n`,
    };
  }
}

/** Prints the text and ends the process, unless the program is to run. */
export function answerCall(args: readonly string[], command: string, help: () => string): void {
  const call = callOf(args, command, help);
  if (call.kind === 'run') return;
  (call.kind === 'print' ? process.stdout : process.stderr).write(call.text);
  process.exit(call.kind === 'print' ? 0 : 2);
}
