/**
 * Pages in folders of their own, served on loopback: those of examples/ are installed and built as their README says.
 *
 *  PAGE-1  npm works in a copy: the tree stays clean, and no package of the repository helps the page.
 */
import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const TYPES: Readonly<Record<string, string>> = { '.html': 'text/html', '.js': 'text/javascript' };

export interface ServedPage {
  readonly origin: string;
  stop(): Promise<void>;
}

/** Copies the page beside the client package, and prepares it with the given steps. */
async function copied(name: string, prepare: (folder: string) => Promise<unknown>): Promise<ServedPage> {
  const copy = mkdtempSync(join(tmpdir(), 'rehydra-example-'));
  const remove = () => rmSync(copy, { recursive: true, force: true });
  const folder = join(copy, name);
  try {
    const isSource = (path: string) => !/[\\/](?:node_modules|page\.js)$/.test(path);
    cpSync(join(root, name), folder, { recursive: true, filter: isSource });
    cpSync(join(root, 'dist', 'package'), join(copy, 'dist', 'package'), { recursive: true });
    await prepare(folder);
    return await serve(folder, remove);
  } catch (error) {
    remove();
    throw error;
  }
}

/** A page with a package.json: `npm install`, `npm run build`, and the types that its reader would see. */
export const builtPage = (name: string): Promise<ServedPage> =>
  copied(`examples/${name}`, async (cwd) => {
    await install(cwd);
    await run('npm', ['run', 'build'], { cwd });
    await run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', cwd]);
  });

/** A page of test/clients, built with the given versions of the packages that it imports. */
export const pageWith = (name: string, dependencies: Readonly<Record<string, string>>): Promise<ServedPage> =>
  copied(`test/clients/${name}`, async (cwd) => {
    writeFileSync(join(cwd, 'package.json'), JSON.stringify({ private: true, dependencies }));
    await install(cwd, '--legacy-peer-deps');
    const bundle = {
      bundle: true,
      logLevel: 'silent',
      format: 'esm',
      target: 'es2022',
      jsx: 'automatic',
    } as const;
    await build({ ...bundle, entryPoints: [join(cwd, 'page.tsx')], outfile: join(cwd, 'page.js') });
  });

const install = (cwd: string, ...more: readonly string[]) =>
  run('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', ...more], { cwd });

/** A page without a build: it needs the client beside it. */
export const plainPage = (name: string): Promise<ServedPage> =>
  copied(`examples/${name}`, async (folder) =>
    cpSync(join(root, 'dist', 'package', 'client.js'), join(folder, 'client.js')),
  );

async function serve(folder: string, remove: () => void): Promise<ServedPage> {
  const files = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://page');
    const file = join(folder, normalize(pathname === '/' ? '/index.html' : pathname));
    const type = TYPES[extname(file)];
    if (type === undefined || !existsSync(file)) return void response.writeHead(404).end();
    response.writeHead(200, { 'content-type': type }).end(readFileSync(file));
  });
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(files.address() as AddressInfo).port}`,
    async stop() {
      files.closeAllConnections();
      await new Promise((resolve) => files.close(resolve));
      remove();
    },
  };
}
