import { existsSync, readFileSync } from 'node:fs';
import { guarantees } from './guarantee-table.ts';
import { table } from './table.ts';

/** Finds the line that a guarantee rests on; the document cannot point to code that is gone. */
function link(path: string, text: string): string {
  const lines = readFileSync(path, 'utf8').split('\n');
  const index = lines.findIndex((line) => line.includes(text));
  if (index < 0) throw new Error(`${path} has no line with: ${text}`);
  return `[${path}](../${path}#L${index + 1})`;
}

function testLink(path: string, name: string): string {
  if (!existsSync(path)) throw new Error(`${path} does not exist`);
  if (!readFileSync(path, 'utf8').includes(name)) throw new Error(`${path} has no test named: ${name}`);
  return `[${name}](../${path})`;
}

export function guaranteesDocument(): string {
  const rows = guarantees.map((one) => [
    one.id,
    one.promise,
    one.enforcedBy.map(([path, text]) => link(path, text)).join('<br>'),
    one.shownBy.map(([path, name]) => testLink(path, name)).join('<br>'),
  ]);
  return `# What Rehydra promises

Each promise has the line of code that enforces it and the test that shows it. This page is generated from
[scripts/docs/guarantee-table.ts](../scripts/docs/guarantee-table.ts) (\`npm run docs\`), which fails when a line or a
test named here is gone.

${table(['', 'promise', 'enforced by', 'shown by'], rows)}

## Not promised

- **What Redis acknowledged and then lost.** With \`appendfsync everysec\` a crash of Redis can lose about a second, a
  failover loses what was not replicated. Rehydra detects the loss and says \`reset\` (N1); it cannot undo it. Use
  \`appendfsync always\`, or \`min-replicas-to-write\`, where a second is too much; \`/healthz\` says the mode.
- **A second call to the model.** After a crash the model may be asked again for the rest of an answer; its text is
  stored once, under one turn. An owner that was frozen past its lease asks the store before it asks the model; what it
  had asked before it was frozen goes on until it learns that it was fenced.
- **Frames seen twice by one client.** A client that resumes with an older offset than it has seen gets frames again;
  their offsets tell it so.
`;
}
