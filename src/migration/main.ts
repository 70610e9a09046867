/** Runs `rehydra migrate`: moves all sessions from one store to another, or back. */
import { readConfig } from '../config/config.ts';
import { withoutPasswords } from '../startup/start-failure.ts';
import { copy } from './copy.ts';
import { type Endpoints, openEndpoints } from './endpoints.ts';
import { freshNotes, type Notes, sumOf, type Tally } from './notes.ts';
import { type Options, parseOptions, USAGE, withoutPassword } from './options.ts';
import { createProgress } from './progress.ts';
import { rollback } from './rollback.ts';
import type { Run } from './run.ts';
import { validate } from './validate.ts';

const EXIT = { fine: 0, failed: 1, usage: 2, incomplete: 3, interrupted: 4 } as const;
type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Outcomes that make a move incomplete. */
const LEFT_BEHIND = ['inUse', 'differs', 'unreadable', 'changed', 'differences'] as const;

let stopping = false;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    stopping = true;
  });
}

const say = (line: string) => void process.stderr.write(`${line}\n`);

async function main(args: readonly string[]): Promise<Exit> {
  const parsed = parseOptions(args);
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE);
    return EXIT.fine;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.why}\n\n${USAGE}`);
    return EXIT.usage;
  }
  const startedMs = performance.now();
  let endpoints: Endpoints | null = null;
  try {
    // A move listens on no address: HOST of a container would ask for AUTH.
    const config = readConfig({ ...process.env, HOST: '' });
    endpoints = await openEndpoints(parsed.options, config);
    const progress = createProgress(process.stderr);
    const { leaseMs } = config.store;
    const run: Run = { endpoints, options: parsed.options, progress, leaseMs, stopping: () => stopping, say };
    const { exit, summary } = await migrate(run);
    const { from, to } = parsed.options;
    const whole = {
      from: withoutPassword(from),
      to: withoutPassword(to),
      ...summary,
      seconds: (performance.now() - startedMs) / 1_000,
      exit,
    };
    process.stdout.write(`${JSON.stringify(whole)}\n`);
    return exit;
  } catch (error) {
    say(error instanceof Error ? withoutPasswords(error.message) : 'failed');
    return EXIT.failed;
  } finally {
    await endpoints?.close();
  }
}

interface Outcome {
  readonly exit: Exit;
  readonly summary: Readonly<Record<string, unknown>>;
}

async function migrate(run: Run): Promise<Outcome> {
  const { options, endpoints } = run;
  const notes = await notesOf(options, endpoints);
  if (options.rollback) {
    if (notes === null) {
      say('there are no notes of a move between these stores, so there is nothing to roll back');
      return { exit: EXIT.usage, summary: { action: 'rollback' } };
    }
    const { ending, notes: after } = await rollback(run, notes);
    const exit = ending === 'interrupted' ? EXIT.interrupted : exitOf(after.tally);
    return { exit, summary: { action: 'rollback', ending, ...after.tally } };
  }
  if (notes !== null && notes.phase !== 'copy' && notes.phase !== 'copied') {
    say('a rollback is under way: finish it first with --rollback');
    return { exit: EXIT.usage, summary: { action: 'move' } };
  }
  // After a finished move --validate only compares: a session created at the source since then is a difference.
  const onlyCompares =
    options.validate && (options.dryRun || (notes?.phase === 'copied' && notes.inUse.length === 0));
  let tally: Tally = {};
  if (!onlyCompares) {
    const start = startOf(options, notes);
    if (start.cursor !== null) say(`going on after ${sumOf(start.tally)} sessions`);
    const { ending, notes: after } = await copy(run, start);
    tally = after.tally;
    if (ending === 'interrupted')
      return { exit: EXIT.interrupted, summary: { action: 'move', ending, ...tally } };
  }
  if (options.validate) {
    const { ending, tally: compared } = await validate(run);
    tally = { ...tally, ...compared };
    if (ending === 'interrupted')
      return { exit: EXIT.interrupted, summary: { action: 'validate', ending, ...tally } };
  }
  const action = onlyCompares ? 'validate' : options.dryRun ? 'dry-run' : 'move';
  return { exit: exitOf(tally), summary: { action, ending: 'finished', ...tally } };
}

async function notesOf(options: Options, endpoints: Endpoints): Promise<Notes | null> {
  const notes = await endpoints.notebook.read();
  if (notes === null || (!options.resume && !options.rollback)) return null;
  // An earlier version kept a password of the query in its notes.
  const [from, to] = [withoutPassword(notes.from), withoutPassword(notes.to)];
  const isOurs = from === withoutPassword(options.from) && to === withoutPassword(options.to);
  if (!isOurs) throw new Error(`these notes are of a move from ${from} to ${to}`);
  return notes;
}

/** A finished move runs again from the start: it recognises earlier copies and moves sessions created since. */
function startOf(options: Options, notes: Notes | null): Notes {
  const fresh = freshNotes(withoutPassword(options.from), withoutPassword(options.to), Date.now());
  if (notes === null || options.dryRun) return fresh;
  if (notes.phase === 'copied' && notes.inUse.length === 0) return { ...fresh, startedAt: notes.startedAt };
  return notes;
}

function exitOf(tally: Tally): Exit {
  return LEFT_BEHIND.some((name) => (tally[name] ?? 0) > 0) ? EXIT.incomplete : EXIT.fine;
}

process.exitCode = await main(process.argv.slice(2));
