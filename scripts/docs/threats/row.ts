/** A row of THREATS.md: what must hold, the files that enforce it, and the tests that show it. */
export interface ThreatRow {
  readonly id: string;
  readonly demand: string;
  readonly enforcedBy: readonly string[];
  readonly shownBy: readonly QuotedTest[];
}

/** The title stands in the file exactly as here. A suite that several test files share names the one that runs it. */
export type QuotedTest = readonly [path: string, title: string, ranBy?: string];

/** The test file that runs a quoted test. */
export const runnerOf = ([path, , ranBy]: QuotedTest): string => ranBy ?? path;
