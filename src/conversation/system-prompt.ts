/** Loads the system prompt from a file, so that the operator's clinicians can own its words. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { codeOf } from '../errors.ts';
import { startFailure } from '../startup/start-failure.ts';

const BUNDLED = fileURLToPath(new URL('./system-prompt.md', import.meta.url));

/** A larger file is a mistake in the path, and would leave the conversation no room. */
const MAX_BYTES = 32 * 1024;

/** Called once at start: a prompt that changed under running sessions would make their answers unexplainable. null: the bundled one. */
export function loadSystemPrompt(file: string | null = null): string {
  const path = file ?? BUNDLED;
  const prompt = read(path).trim();
  if (prompt === '') throw unusable(path, 'it is empty');
  if (Buffer.byteLength(prompt) > MAX_BYTES) throw unusable(path, `it is larger than ${MAX_BYTES} bytes`);
  return prompt;
}

function read(path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(path));
  } catch (error) {
    const code = codeOf(error);
    throw unusable(path, code === 'ERR_ENCODING_INVALID_ENCODED_DATA' ? 'it is not UTF-8' : code);
  }
}

function unusable(path: string, why: string): Error {
  return startFailure(`The system prompt ${path} cannot be used: ${why}.`);
}
