/** Runs `npm run keys`: makes, rotates, retires and verifies the keys of a key file. */
import { readConfig } from '../config/config.ts';
import { withoutPasswords } from '../startup/start-failure.ts';
import { changeKeyFile, createKeyFile, freshKey } from './key-file.ts';
import { type Command, parseCommand, USAGE } from './options.ts';
import { retire } from './retire.ts';
import { verify } from './verify.ts';

const EXIT = { fine: 0, failed: 1, usage: 2 } as const;
type Exit = (typeof EXIT)[keyof typeof EXIT];

interface Outcome {
  readonly exit: Exit;
  readonly summary: Readonly<Record<string, unknown>>;
}

const say = (line: string) => void process.stderr.write(`${line}\n`);
const SIGNAL = 'send SIGHUP to the instances';

async function main(args: readonly string[]): Promise<Exit> {
  const parsed = parseCommand(args);
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE);
    return EXIT.fine;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.why}\n\n${USAGE}`);
    return EXIT.usage;
  }
  try {
    const { exit, summary } = await run(parsed.command);
    process.stdout.write(`${JSON.stringify({ command: parsed.command.name, ...summary, exit })}\n`);
    return exit;
  } catch (error) {
    say(error instanceof Error ? withoutPasswords(error.message) : 'failed');
    return EXIT.failed;
  }
}

async function run(command: Command): Promise<Outcome> {
  switch (command.name) {
    case 'new': {
      const key = freshKey(new Date());
      createKeyFile(command.file, key);
      say(`${command.file} holds the key ${key.id}: set DATA_KEYS_FILE=${command.file}`);
      return { exit: EXIT.fine, summary: { key: key.id } };
    }
    case 'rotate': {
      const key = freshKey(new Date());
      changeKeyFile(command.file, { time: 'now', change: (keys) => [key, ...keys] });
      say(`${key.id} is the first key: ${SIGNAL}`);
      return { exit: EXIT.fine, summary: { key: key.id } };
    }
    case 'retire': {
      const { file, ids, althoughEmpty } = command;
      const config = readConfig(process.env);
      const retired = await retire({ file, ids, althoughEmpty, config, now: Date.now, say });
      if (retired.kind === 'refused') {
        say(`refused: ${retired.why}`);
        return { exit: EXIT.failed, summary: { retired: [], refused: retired.why } };
      }
      say(retired.ids.length === 0 ? 'no key is unused' : `retired ${retired.ids.join(', ')}: ${SIGNAL}`);
      return { exit: EXIT.fine, summary: { retired: retired.ids } };
    }
    case 'verify': {
      const verified = await verify(readConfig(process.env), say);
      return { exit: verified.unopened === 0 ? EXIT.fine : EXIT.failed, summary: { ...verified } };
    }
  }
}

process.exitCode = await main(process.argv.slice(2));
