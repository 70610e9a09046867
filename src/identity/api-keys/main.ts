/** Runs `npm run api-key`: makes, lists and withdraws the keys of back ends. */
import { systemClock } from '../../clock.ts';
import { reasonOf, startFailure } from '../../startup/start-failure.ts';
import { type ApiKeyEntry, entryProblem, hashOf, newSecret } from './api-key.ts';
import { changeKeys, readKeys } from './key-list.ts';
import { type Command, parseCommand, USAGE } from './options.ts';

const EXIT = { fine: 0, failed: 1, usage: 2 } as const;

const say = (line: string) => void process.stderr.write(`${line}\n`);
const print = (line: string) => void process.stdout.write(`${line}\n`);

function run(command: Command): void {
  switch (command.kind) {
    case 'new':
      return make(command.file, command.entry);
    case 'list':
      for (const key of readKeys(command.file)) print(lineOf(key));
      return;
    case 'withdraw':
      return withdraw(command.file, command.name);
  }
}

function make(file: string, named: Omit<ApiKeyEntry, 'hash'>): void {
  const key = newSecret(named.name);
  const entry: ApiKeyEntry = { ...named, hash: hashOf(key) };
  const problem = entryProblem(entry);
  if (problem !== null) throw startFailure(problem);
  changeKeys(file, (keys) => {
    if (keys.some(({ name }) => name === entry.name))
      throw startFailure(
        `${file} has a key ${entry.name} already: withdraw it first, or choose another name`,
      );
    return [...keys, entry];
  });
  say('Store this key now: only its hash is kept.');
  print(key);
}

function withdraw(file: string, name: string): void {
  changeKeys(file, (keys) => {
    const rest = keys.filter((key) => key.name !== name);
    if (rest.length === keys.length) throw startFailure(`${file} has no key ${name}`);
    return rest;
  });
  say(`${name} is withdrawn.`);
}

function lineOf({ name, role, tenant = '-', rights, expires_at: end }: ApiKeyEntry): string {
  return [name, role, tenant, rights?.join(',') ?? 'all of its role', end ?? 'no end'].join('\t');
}

function main(args: readonly string[]): number {
  const parsed = parseCommand(args, systemClock.now());
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE);
    return EXIT.fine;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.why}\n\n${USAGE}`);
    return EXIT.usage;
  }
  try {
    run(parsed.command);
    return EXIT.fine;
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === null) throw error;
    say(reason);
    return EXIT.failed;
  }
}

process.exitCode = main(process.argv.slice(2));
