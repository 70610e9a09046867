/** Runs `npm run audit`: checks whether the files of an audit log are as the instances wrote them. */
import type { KeyObject } from 'node:crypto';
import { auditKeysSchema } from '../../config/settings.ts';
import { readVariables } from '../../config/variables.ts';
import { chainKey } from '../chain.ts';
import { type Options, parseOptions, USAGE } from './options.ts';
import { anchorsIn, readAuditFile } from './read-lines.ts';
import { Reading } from './reading.ts';
import { reportOf } from './report.ts';
import { verify } from './verify.ts';

const EXIT = { unchanged: 0, changed: 1, usage: 2 } as const;
type Exit = (typeof EXIT)[keyof typeof EXIT];

const say = (text: string): void => void process.stderr.write(`${text}\n`);

function main(args: readonly string[]): Exit {
  const parsed = parseOptions(args);
  if (parsed.kind === 'help') {
    process.stdout.write(USAGE);
    return EXIT.unchanged;
  }
  if (parsed.kind === 'wrong') {
    say(`${parsed.why}\n\n${USAGE}`);
    return EXIT.usage;
  }
  const read = readVariables(auditKeysSchema, process.env);
  if (read.kind === 'problems') {
    say(read.problems.join('\n'));
    return EXIT.usage;
  }
  const secret = read.values.AUDIT_KEY ?? read.values.AUDIT_KEY_FILE;
  if (secret === undefined) {
    say('set AUDIT_KEY or AUDIT_KEY_FILE to the key with which the log was written');
    return EXIT.usage;
  }
  try {
    return check(parsed.options, secret);
  } catch (error) {
    say(error instanceof Error ? error.message : String(error));
    return EXIT.usage;
  }
}

function check({ files, anchors, logs }: Options, secret: KeyObject): Exit {
  const reading = new Reading(chainKey(secret));
  for (const file of files) readAuditFile(reading, file);
  const kept = [...anchors, ...logs.flatMap((log) => [...anchorsIn(log)])];
  const verdict = verify(reading, kept);
  process.stdout.write(reportOf(verdict, kept.length));
  return verdict.findings.length === 0 ? EXIT.unchanged : EXIT.changed;
}

process.exitCode = main(process.argv.slice(2));
