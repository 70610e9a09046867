/** Version reads the version and commit that `scripts/build.mjs` wrote into dist/build.json. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

const buildSchema = z.object({ version: z.string(), commit: z.string() });

export type Build = Readonly<z.infer<typeof buildSchema>>;

/** `commit` is `unknown` for uncompiled sources, and for a build outside a Git repository. */
export const { version, commit }: Build = readBuild();

function readBuild(): Build {
  try {
    return buildSchema.parse(readJson('../../build.json'));
  } catch {
    return { ...z.object({ version: z.string() }).parse(readJson('../../package.json')), commit: 'unknown' };
  }
}

function readJson(relativePath: string): unknown {
  return JSON.parse(readFileSync(new URL(relativePath, import.meta.url), 'utf8'));
}
