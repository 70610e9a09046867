import { environmentSchema } from '../../src/config.ts';
import { table } from './table.ts';

export function configurationDocument(): string {
  const rows = Object.entries(environmentSchema.shape).map(([name, schema]) => {
    const unset = schema.safeParse(undefined);
    const value = unset.success && unset.data !== undefined ? `\`${String(unset.data)}\`` : '–';
    return [`\`${name}\``, value, schema.description ?? ''];
  });
  return `# Configuration

Everything is set by environment variables, read once at start by [src/config.ts](../src/config.ts). An empty variable
counts as unset; a value that cannot be used stops the start with one line per variable. Durations are in
milliseconds and end in \`_MS\`. This page is generated: \`npm run docs\`.

${table(['name', 'default', 'meaning'], rows)}

The simulator as a program of its own (\`npm run simulator\`) also reads \`SIMULATOR_PORT\` (8000), \`SIMULATOR_HOST\`,
\`SIMULATOR_MAX_MODEL_LEN\` and \`SIMULATOR_API_KEY\`.
`;
}
