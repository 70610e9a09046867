import { existsSync, readFileSync } from 'node:fs';
import { guarantees } from './guarantee-table.ts';
import { table } from './markdown.ts';

/** A link to the line of the file that holds the words; fails when the line is gone. */
function lineLink(path: string, words: string): string {
  return `[${path}](../${path}#L${lineOf(path, words)})`;
}

function testLink(path: string, name: string): string {
  lineOf(path, name);
  return `[${name}](../${path})`;
}

function lineOf(path: string, words: string): number {
  const lines = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : [];
  const index = lines.findIndex((line) => line.includes(words));
  if (index < 0) throw new Error(`docs/GUARANTEES.md: ${path} has no line with: ${words}`);
  return index + 1;
}

export function guaranteesDocument(): string {
  const rows = guarantees.map((one) => [
    one.id,
    one.promise,
    one.enforcedBy.map(([path, text]) => lineLink(path, text)).join('<br>'),
    one.shownBy.map(([path, name]) => testLink(path, name)).join('<br>'),
  ]);
  return `# What Rehydra promises

Each promise names the line of code that enforces it and the test that shows it. This page is generated from
[scripts/docs/guarantee-table.ts](../scripts/docs/guarantee-table.ts) (\`npm run docs\`), which fails when a line or a
test is gone.

${table(['', 'promise', 'enforced by', 'shown by'], rows)}

## Not promised

- **Writes that Redis acknowledged and then lost.** With \`appendfsync everysec\` a crash of Redis can lose about a
  second, and a failover loses writes that were not replicated. Rehydra detects the loss and sends \`reset\` (G10); it
  cannot undo it. If a second is too much, use \`appendfsync always\` or \`min-replicas-to-write\`; \`/healthz\` shows the
  mode.
- **A single call of the model.** After a crash an instance may ask the model again for the rest of an answer; the store
  keeps its text once, under one turn. An owner that was frozen past its lease asks the store before it asks the model.
  A call from before the freeze goes on until the owner learns that it lost the session.
- **Frames that a client sees once.** A client that resumes with an older offset than it has seen gets frames again, and
  recognises them by their offsets.
`;
}
