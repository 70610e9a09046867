/** Help prints how to call a program, and every variable with its default and its meaning. */
import type { z } from 'zod';

const INDENT = '      ';
const WIDTH = 100;

export interface Variable {
  readonly name: string;
  /** Null if the variable has no default. */
  readonly fallback: string | null;
  readonly meaning: string;
}

export function variablesOf(schema: z.ZodObject): readonly Variable[] {
  return Object.entries(schema.shape).map(([name, kind]) => {
    const unset = kind.safeParse(undefined);
    const fallback = unset.success && unset.data !== undefined ? String(unset.data) : null;
    return { name, fallback, meaning: kind.description ?? '' };
  });
}

export function helpText(command: string, purpose: string, schema: z.ZodObject): string {
  const variables = variablesOf(schema).map(({ name, fallback, meaning }) => {
    const first = fallback === null ? `  ${name}` : `  ${name}=${fallback}`;
    return `${first}\n${wrapped(meaning.replaceAll('`', ''))}`;
  });
  return `${purpose}

usage: ${command} [-- --help | --version]

Environment variables set everything else. These are their defaults; one without a default is unset.

${variables.join('\n')}
`;
}

function wrapped(text: string): string {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && INDENT.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line].map((one) => INDENT + one).join('\n');
}
