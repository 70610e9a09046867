/**
 * Finds the token of the terminal chat: in a file, or in REHYDRA_TOKEN. It is no argument, because every user of the
 * machine can read the arguments of a program.
 */
import { readFileSync } from 'node:fs';
import type { Token } from '../credential.ts';

export type ChatToken =
  /** Undefined: none. */
  | { readonly kind: 'found'; readonly token: Token | undefined }
  | { readonly kind: 'wrong'; readonly why: string };

/** The chat reads the file again for each connection, and when the server is about to end the token. */
export function chatToken(
  file: string | null,
  environment: Readonly<Record<string, string | undefined>>,
): ChatToken {
  if (file === null) {
    const token = environment.REHYDRA_TOKEN?.trim() ?? '';
    return { kind: 'found', token: token === '' ? undefined : token };
  }
  try {
    tokenIn(file);
    return { kind: 'found', token: async () => tokenIn(file) };
  } catch (error) {
    return { kind: 'wrong', why: error instanceof Error ? error.message : String(error) };
  }
}

function tokenIn(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new Error(`--token-file ${file} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  if (text === '') throw new Error(`--token-file ${file} is empty`);
  return text;
}
