/**
 * Writes the result of every test into the folder TEST_RESULTS_DIR, one line for each test file, so that
 * `npm run test:security` runs no test a second time. Without the variable it writes nothing.
 */
import { appendFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Reporter, TestModule } from 'vitest/node';
import type { FileResult } from './results.ts';

export default class Recorder implements Reporter {
  readonly #folder = process.env.TEST_RESULTS_DIR ?? '';

  onTestModuleEnd(module: TestModule): void {
    if (this.#folder === '') return;
    const result: FileResult = {
      file: module.relativeModuleId,
      passed: module.ok(),
      tests: [...module.children.allTests()].map((test) => ({
        title: test.name,
        state: test.result().state,
      })),
    };
    mkdirSync(this.#folder, { recursive: true });
    appendFileSync(join(this.#folder, `${process.pid}.jsonl`), `${JSON.stringify(result)}\n`);
  }
}
