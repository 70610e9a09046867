/**
 * Files that take longest start first, so that no worker is left with one of them at the end. The runner's own order is
 * that of the last run's times; a fresh clone has none, and then that of the files' sizes, which says little here.
 */
import { BaseSequencer, type TestSequencer, type TestSpecification, type Vitest } from 'vitest/node';

/** Folders of test/, longest tests first. */
const FOLDERS = ['conformance', 'integration', 'e2e', 'security', 'property', 'unit'];

export class LongestFirst implements TestSequencer {
  readonly #usual: BaseSequencer;

  constructor(vitest: Vitest) {
    this.#usual = new BaseSequencer(vitest);
  }

  shard(files: TestSpecification[]): Promise<TestSpecification[]> {
    return this.#usual.shard(files);
  }

  async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await this.#usual.sort(files);
    return sorted.toSorted((one, other) => rankOf(one) - rankOf(other));
  }
}

function rankOf({ moduleId }: TestSpecification): number {
  return FOLDERS.indexOf(/[/\\]test[/\\](\w+)[/\\]/.exec(moduleId)?.[1] ?? '');
}
