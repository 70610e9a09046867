/**
 * A real PostgreSQL for tests, on a free port of 127.0.0.1 and in a folder that is removed with it.
 *
 *  POSTGRES-SERVER-1  Tests start their own server if they can, and write into no other. Otherwise they use the server of
 *                     POSTGRES_TEST_URL, in new databases that they drop at the end.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { adopt, end, isExecutable, onFreePort, searched } from './processes.ts';

const startWithinMs = 60_000;
const missing =
  'no PostgreSQL for the tests: install it (apt-get install postgresql, brew install postgresql) or set POSTGRES_TEST_URL';

export interface PostgresServer {
  /** The folder of its files; null for the server of POSTGRES_TEST_URL. */
  readonly dataDir: string | null;
  /** A new, empty database. */
  database(): Promise<string>;
  /** Ends the server, as a crash does; its files stay for `restart`. Not for the server of POSTGRES_TEST_URL. */
  halt(): Promise<void>;
  /** On the same port and files. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

export async function startPostgres(): Promise<PostgresServer> {
  const folder = binaries();
  const url = process.env.POSTGRES_TEST_URL;
  if (folder !== undefined) return startOwn(folder);
  if (url !== undefined && url !== '') return borrow(url);
  throw new Error(missing);
}

export async function query(url: string, text: string, values: readonly unknown[] = []): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  await client.connect();
  try {
    return (await client.query(text, [...values])).rows;
  } finally {
    await client.end();
  }
}

async function startOwn(folder: string): Promise<PostgresServer> {
  const user = unprivileged();
  const dataDir = mkdtempSync(join(tmpdir(), 'rehydra-postgres-'));
  if (user !== null) chownSync(dataDir, user.uid, user.gid);
  const remove = (): void => rmSync(dataDir, { recursive: true, force: true });
  try {
    const init = ['-D', dataDir, '-U', 'rehydra', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];
    execFileSync(join(folder, 'initdb'), init, {
      cwd: dataDir,
      stdio: ['ignore', 'ignore', 'pipe'],
      ...user,
    });
    let { child, port } = await onFreePort(async (port) => ({
      port,
      child: await launch(folder, dataDir, port),
    }));
    return {
      dataDir,
      database: () => createDatabase(`postgres://rehydra@127.0.0.1:${port}/postgres`),
      halt: () => end(child, 'SIGQUIT'),
      async restart() {
        await end(child, 'SIGQUIT');
        child = await launch(folder, dataDir, port);
      },
      async stop() {
        await end(child, 'SIGQUIT');
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

async function launch(folder: string, dataDir: string, port: number): Promise<ChildProcess> {
  const settings = {
    listen_addresses: '127.0.0.1',
    unix_socket_directories: '',
    fsync: 'off',
    // A checkpoint removes old log segments; otherwise erased text would stay in them.
    wal_recycle: 'off',
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(join(folder, 'postgres'), ['-D', dataDir, '-p', `${port}`, ...args], {
    cwd: dataDir,
    stdio: ['ignore', 'ignore', 'pipe'],
    ...unprivileged(),
  });
  // Immediate shutdown: SIGKILL would leave the server's children running.
  adopt(child, 'SIGQUIT');
  let output = '';
  child.stderr.on('data', (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-4_000);
  });
  await once(child, 'spawn');
  const deadlineMs = Date.now() + startWithinMs;
  // Only the log proves that this server is ready: a foreign server on the port would answer a query too.
  while (!output.includes('ready to accept connections')) {
    if (child.exitCode !== null) throw new Error(`postgres on port ${port} ended at start: ${output}`);
    if (Date.now() > deadlineMs) {
      await end(child, 'SIGQUIT');
      throw new Error(`postgres on port ${port} was not ready within ${startWithinMs} ms: ${output}`);
    }
    await sleep(20);
  }
  return child;
}

async function borrow(url: string): Promise<PostgresServer> {
  const made: string[] = [];
  const foreign = () =>
    Promise.reject(new Error(`tests do not end the server of POSTGRES_TEST_URL: ${missing}`));
  return {
    dataDir: null,
    async database() {
      const fresh = await createDatabase(url);
      made.push(new URL(fresh).pathname.slice(1));
      return fresh;
    },
    halt: foreign,
    restart: foreign,
    async stop() {
      for (const name of made) await query(url, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}

async function createDatabase(url: string): Promise<string> {
  const name = `rehydra_${randomUUID().replaceAll('-', '')}`;
  await query(url, `CREATE DATABASE ${name} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C' LC_CTYPE 'C'`);
  const fresh = new URL(url);
  fresh.pathname = `/${name}`;
  return fresh.href;
}

/** A user to run as, because PostgreSQL refuses root; null if the tests are not root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | null {
  if (process.getuid?.() !== 0) return null;
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = ['postgres', 'nobody'].map((name) => users.find(([known]) => known === name)).find(Boolean);
  return { uid: Number(user?.[2] ?? 65_534), gid: Number(user?.[3] ?? 65_534) };
}

function binaries(): string | undefined {
  const folders = searched(...packaged(), '/opt/homebrew/bin');
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => isExecutable(join(folder, name))));
}

/** Debian's folders of the server's programs, which are not in PATH; the newest version first. */
function packaged(): readonly string[] {
  const root = '/usr/lib/postgresql';
  try {
    const versions = readdirSync(root).sort((one, other) => Number(other) - Number(one));
    return versions.map((version) => join(root, version, 'bin'));
  } catch {
    return [];
  }
}
