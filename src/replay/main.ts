/** Runs `npm run replay`: plays the history of a session on the terminal, and replays it through the machine. */
import { readFileSync } from 'node:fs';
import { type HistoryFile, historyFileSchema, historyIn } from '../session/history/history-file.ts';
import { replay } from '../session/history/replay.ts';
import { parseOptions, type Source, USAGE } from './options.ts';
import { EXIT, type Exit, lineOf, verdictOf } from './playback.ts';

const say = (text: string): void => void process.stderr.write(`${text}\n`);
const STANDARD_INPUT = 0;

async function main(args: readonly string[]): Promise<Exit> {
  const parsed = parseOptions(args);
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE);
    return EXIT.equal;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.why}\n\n${USAGE}`);
    return EXIT.unreadable;
  }
  const { source, quiet } = parsed.options;
  let file: HistoryFile;
  try {
    file = await readHistory(source);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return EXIT.unreadable;
  }
  if (!quiet) for (const record of file.records) process.stdout.write(`${lineOf(record)}\n`);
  const { exit, text } = verdictOf(replay(historyIn(file)), file);
  process.stdout.write(`${text}\n`);
  return exit;
}

async function readHistory(source: Source): Promise<HistoryFile> {
  const raw =
    source.kind === 'file'
      ? readFileSync(source.file === '-' ? STANDARD_INPUT : source.file, 'utf8')
      : await fetched(source);
  const parsed = historyFileSchema.safeParse(JSON.parse(raw));
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Error(`this is no history: ${issue?.path.join('.')}: ${issue?.message}`);
}

async function fetched({ sessionId, url }: Extract<Source, { readonly kind: 'session' }>): Promise<string> {
  const address = new URL(`/api/session/${encodeURIComponent(sessionId)}/history`, url);
  const token = process.env.REHYDRA_TOKEN ?? '';
  const headers = {
    accept: 'application/json',
    ...(token === '' ? {} : { authorization: `Bearer ${token}` }),
  };
  const answer = await fetch(address, { headers });
  const body = await answer.text();
  if (!answer.ok) throw new Error(`${address.origin} answered ${answer.status}: ${body.slice(0, 200)}`);
  return body;
}

process.exitCode = await main(process.argv.slice(2));
