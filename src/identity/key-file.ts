/**
 * KeyFile holds the content of a file of keys or of disabled users, and reads the file again when it changes.
 *
 *  CREDFILE-1  A file that cannot be used changes nothing: the former content stays in force, and the log says why, once.
 *  CREDFILE-2  A change is found without a signal, within `LOOK_EVERY_MS`: a withdrawn key must stop working even on an
 *             instance that the operator's signal does not reach.
 */
import { readFileSync, statSync } from 'node:fs';
import { startInterval } from '../clock.ts';
import { codeOf } from '../errors.ts';
import { startFailure } from '../startup/start-failure.ts';
import type { Log } from '../telemetry/log.ts';

export type ParsedFile<Content> =
  | { readonly kind: 'parsed'; readonly content: Content }
  /** `why` completes the sentence "the file …" and quotes no key. */
  | { readonly kind: 'wrong'; readonly why: string };

export interface KeyFileOptions<Content> {
  /** The variable that names the file. */
  readonly name: string;
  readonly path: string;
  /** Completes the log line of a file that cannot be used, such as `the former keys stay in force`. */
  readonly fallback: string;
  /** Whether others on this machine must not read it; the log then warns if they can. */
  readonly isSecret: boolean;
  readonly parse: (text: string) => ParsedFile<Content>;
  readonly log: Log;
  readonly lookEveryMs?: number;
}

export interface KeyFile<Content> {
  content(): Content;
  reload(): void;
  close(): void;
}

export const LOOK_EVERY_MS = 2_000;
const READABLE_BY_OTHERS = 0o004;

/** Throws a start failure if the file cannot be used. */
export function openKeyFile<Content>(options: KeyFileOptions<Content>): KeyFile<Content> {
  const { name, path, fallback, isSecret, parse, log, lookEveryMs = LOOK_EVERY_MS } = options;
  const read = (): ParsedFile<Content> => {
    try {
      return parse(readFileSync(path, 'utf8'));
    } catch (error) {
      return { kind: 'wrong', why: `cannot be read (${codeOf(error)})` };
    }
  };
  // Before the file is read: a change in between is found at the next look.
  let seen = stampOf(path);
  const first = read();
  if (first.kind === 'wrong') throw startFailure(`${name}=${path} ${first.why}`);
  let { content } = first;
  let isBroken = false;
  const warnOfMode = () => {
    if (isSecret && isReadableByOthers(path))
      log.warn({ path }, `every user of this machine can read ${name}; chmod 600 it`);
  };
  const reload = () => {
    seen = stampOf(path);
    const next = read();
    if (next.kind === 'parsed') {
      ({ content } = next);
      isBroken = false;
      log.info({ path }, `${name} was read again`);
      return warnOfMode();
    }
    if (!isBroken) log.error({ path, why: next.why }, `${name} cannot be used; ${fallback}`); // CREDFILE-1
    isBroken = true;
  };
  warnOfMode();
  const looking = startInterval(
    lookEveryMs,
    () => {
      if (stampOf(path) !== seen) reload(); // CREDFILE-2
    },
    { background: true },
  );
  return { content: () => content, reload, close: () => looking.cancel() };
}

/** Changes with the content: also if a link, as Kubernetes mounts secrets by, points to another file of the same time. */
function stampOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs } = statSync(path, { bigint: true });
    return `${dev}/${ino}/${size}/${mtimeNs}`;
  } catch (error) {
    return codeOf(error);
  }
}

function isReadableByOthers(path: string): boolean {
  try {
    return (statSync(path).mode & READABLE_BY_OTHERS) !== 0;
  } catch {
    return false;
  }
}
