import type { z } from 'zod';
import { variablesOf } from '../../src/config/help.ts';
import { environmentSchema, simulatorSchema } from '../../src/config/settings.ts';
import { table } from './markdown.ts';

export function configurationDocument(): string {
  return `# Configuration

Environment variables set everything; [src/config/config.ts](../src/config/config.ts) reads them once, at start. An empty
variable counts as unset, and white space around a value is dropped. Durations are in milliseconds, end in \`_MS\` and may
last up to 10 years. This page is generated: \`npm run docs\`; \`npm start -- --help\` prints the same.

If the server cannot use a value, or if values contradict each other, it prints one line for each problem, without keys
and passwords, and exits with 1. It warns of variables whose names are nearly one of these, of a \`VLLM_BASE_URL\` that does
not end in \`/v1\`, and of settings that have no effect.

${variables(environmentSchema)}

## The simulator

\`npm run simulator\` starts the simulator as a program of its own. It reads only these variables.

${variables(simulatorSchema)}
`;
}

function variables(schema: z.ZodObject): string {
  const rows = variablesOf(schema).map(({ name, fallback, meaning }) => [
    `\`${name}\``,
    fallback === null ? '–' : `\`${fallback}\``,
    meaning,
  ]);
  return table(['name', 'default', 'meaning'], rows);
}
