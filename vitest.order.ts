/**
 * The order of the test files. By itself the runner begins with what took longest in its last run; a fresh clone knows
 * of none. Busy files alternate with files that wait for processes, so that neither kind is left over for the end.
 */
import { BaseSequencer, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node';

const BUSY = ['conformance'];
const WAITING = ['integration', 'e2e', 'security'];

export class ShortFilesLast implements TestSequencer {
  readonly #usual: BaseSequencer;

  constructor(vitest: Vitest) {
    this.#usual = new BaseSequencer(vitest);
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#usual.shard(files);
  }

  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await this.#usual.sort(files);
    const busy = sorted.filter((file) => BUSY.includes(folderOf(file)));
    const waiting = sorted.filter((file) => WAITING.includes(folderOf(file)));
    const short = sorted.filter((file) => !busy.includes(file) && !waiting.includes(file));
    const alternating = Array.from({ length: Math.max(busy.length, waiting.length) }, (_, index) => [
      ...busy.slice(index, index + 1),
      ...waiting.slice(index, index + 1),
    ]);
    return [...alternating.flat(), ...short];
  }
}

function folderOf({ moduleId }: TestSpecification): string {
  return /[/\\]test[/\\](\w+)[/\\]/.exec(moduleId)?.[1] ?? '';
}
