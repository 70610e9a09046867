/** One requirement, and the chapter of a seed document that it stands in. */
export interface Row {
  readonly asks: string;
  /** Files and folders of the repository. */
  readonly where: readonly string[];
  /** A file and the words by which the test is found in it. */
  readonly shownBy: readonly (readonly [path: string, name: string])[];
  /** What was decided otherwise, and why; required where nothing shows it. */
  readonly note?: string;
}

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}
