// Locks a step that rewrites node_modules or dist: one process at a time holds the lock.
//
// Invariants:
//   LOCK-1  The lock is a directory that appears with its owner inside (mkdir + rename): no process sees it ownerless.
//   LOCK-2  A waiter moves a dead owner's lock to a grave named after that owner, and graves stay. If two waiters find
//           the same owner dead, the second rename hits the full grave, so it never buries a live lock.

import { randomUUID } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';

const pollMs = 100;
const abandonedAfterMs = 15 * 60_000;
const taken = new Set(['EEXIST', 'ENOTEMPTY', 'EPERM', 'EACCES']);

/**
 * @template T
 * @param {string} path
 * @param {() => Promise<T>} body
 * @returns {Promise<T>}
 */
export async function withLock(path, body) {
  const token = randomUUID();
  while (!tryTake(path, token)) {
    buryIfDead(path);
    await sleep(pollMs);
  }
  const release = () => releaseIfOurs(path, token);
  process.once('exit', release);
  try {
    return await body();
  } finally {
    process.off('exit', release);
    release();
  }
}

/** @param {string} path @param {string} token */
function tryTake(path, token) {
  const mine = `${path}.${token}`;
  mkdirSync(mine, { recursive: true });
  writeFileSync(`${mine}/owner.json`, JSON.stringify({ token, pid: process.pid, host: hostname() }));
  try {
    renameSync(mine, path);
    return true;
  } catch (error) {
    rmSync(mine, { recursive: true, force: true });
    if (taken.has(error.code)) return false;
    throw error;
  }
}

/** @param {string} path */
function buryIfDead(path) {
  const owner = readOwner(path);
  if (owner === undefined || isAlive(owner, path)) return;
  try {
    renameSync(path, `${path}.dead-${owner.token}`);
  } catch {
    // Another waiter was faster: the next round reads the new state.
  }
}

/** @param {string} path */
function readOwner(path) {
  try {
    return JSON.parse(readFileSync(`${path}/owner.json`, 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {{ pid: number, host: string }} owner @param {string} path */
function isAlive(owner, path) {
  try {
    if (Date.now() - statSync(path).mtimeMs > abandonedAfterMs) return false;
    // A pid means nothing on another machine or container that shares the folder: there only the age counts.
    if (owner.host === hostname()) process.kill(owner.pid, 0);
    return true;
  } catch (error) {
    return error.code !== 'ESRCH';
  }
}

/** @param {string} path @param {string} token */
function releaseIfOurs(path, token) {
  if (readOwner(path)?.token === token) rmSync(path, { recursive: true, force: true });
}
