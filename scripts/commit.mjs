// Names the Git commit of a tree.

import { execFileSync } from 'node:child_process';

/**
 * `BUILD_COMMIT` where it is set: an image is built without the repository. `-dirty` marks uncommitted changes to what
 * the build reads.
 * @param {string} root
 * @param {readonly string[]} inputs paths that the build reads
 * @returns {string} `unknown` outside a Git repository
 */
export function commitOf(root, inputs) {
  const given = process.env.BUILD_COMMIT?.trim();
  if (given) return given;
  try {
    // A copy of the tree inside another repository must not report that repository's commit.
    if (git(root, 'rev-parse', '--show-prefix') !== '') return 'unknown';
    const commit = git(root, 'rev-parse', '--short=12', 'HEAD');
    const isDirty = git(root, '--no-optional-locks', 'status', '--porcelain', '--', ...inputs) !== '';
    return isDirty ? `${commit}-dirty` : commit;
  } catch {
    return 'unknown';
  }
}

/** @param {string} cwd @param {string[]} args */
function git(cwd, ...args) {
  return execFileSync('git', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
}
