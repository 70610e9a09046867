/** Writes the server's features, and one row per promise, as Markdown: to the terminal and to --report's file. */
import { writeFileSync } from 'node:fs';
import type { Reporter, TestCase, TestModule } from 'vitest/node';

export default class EngineReport implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string): number => tests.filter((test) => test.result().state === state).length;
    const text = [
      ...seenTable(),
      '| promise | result | note |',
      '|---|---|---|',
      ...tests.map(row),
      '',
      `${count('passed')} passed, ${count('failed')} failed, ${count('skipped')} not asked of this server`,
      '',
    ].join('\n');
    process.stdout.write(`\n${text}`);
    const file = process.env.ENGINE_REPORT;
    if (file !== undefined && file !== '') writeFileSync(file, text);
  }
}

function seenTable(): readonly string[] {
  if (process.env.ENGINE_SEEN === undefined) return [];
  const { seen } = JSON.parse(process.env.ENGINE_SEEN) as {
    readonly seen: readonly (readonly [string, string])[];
  };
  return [
    '| what | this server |',
    '|---|---|',
    ...seen.map(([name, value]) => `| ${name} | ${value} |`),
    '',
  ];
}

function row(test: TestCase): string {
  const result = test.result();
  const word = { passed: 'held', failed: '**FAILED**', skipped: 'not asked', pending: 'not run' }[
    result.state
  ];
  const notes = [
    ...test.annotations().map(({ message }) => message),
    ...(result.state === 'skipped' && result.note !== undefined ? [result.note] : []),
    ...(result.errors ?? []).map(({ message }) => message.split('\n')[0] ?? ''),
  ];
  return `| ${test.fullName.replaceAll('|', '¦')} | ${word} | ${notes.join('; ').replaceAll('|', '¦')} |`;
}
