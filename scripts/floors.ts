// The tree is the architecture: every import points to a strictly lower floor. This file is the rule.
//
// A file may import from its own room, from any room on a lower floor, and sideways only where `sideways` says
// so. Files form no circle at run time. machines/ knows nothing but xstate.

import { readdirSync, readFileSync } from 'node:fs';
import { join, posix } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

interface Room {
  readonly path: string;
  readonly floor: number;
}

const rooms: readonly Room[] = [
  { path: 'src/main.ts', floor: 6 },
  { path: 'src/run.ts', floor: 5 },
  { path: 'src/service.ts', floor: 4 },
  { path: 'src/transport', floor: 3 },
  { path: 'src/http', floor: 3 },
  { path: 'src/delivery', floor: 3 },
  { path: 'src/client', floor: 3 },
  { path: 'src/migration', floor: 3 },
  { path: 'src/session', floor: 2 },
  { path: 'src/protocol', floor: 2 },
  { path: 'src/generation', floor: 2 },
  { path: 'src/conversation', floor: 2 },
  { path: 'src/analytics', floor: 2 },
  { path: 'src/store', floor: 1 },
  { path: 'src/archive', floor: 1 },
  { path: 'src/simulator', floor: 1 },
  { path: 'src/limits', floor: 1 },
  { path: 'src/telemetry', floor: 1 },
  { path: 'src/audit', floor: 1 },
  { path: 'machines', floor: 1 },
  { path: 'src/sealing', floor: 0 },
  { path: 'src/embedded', floor: 0 },
  { path: 'src/config/config.ts', floor: 0 },
  { path: 'src/errors.ts', floor: 0 },
  { path: 'src/environment', floor: 0 },
  { path: 'src/startup', floor: 0 },
  { path: 'src/clock.ts', floor: 0 },
  { path: 'src/config/extra-body.ts', floor: 0 },
  { path: 'src/startup/version.ts', floor: 0 },
];

const anywhere = '*';

const sideways: readonly { readonly from: string; readonly to: string; readonly reason: string }[] = [
  { from: anywhere, to: 'machines', reason: 'the vocabulary that every room speaks' },
  { from: anywhere, to: 'src/telemetry', reason: 'any room may log and count' },
  { from: 'src/session', to: 'src/protocol', reason: 'the actor puts frames into its commits' },
  { from: 'src/session', to: 'src/generation', reason: 'the actor drives generations through their port' },
  { from: 'src/transport', to: 'src/delivery', reason: 'a socket is attached to its session’s frames' },
  { from: 'src/http', to: 'src/delivery', reason: 'the event stream is delivery without a socket' },
  { from: 'src/session', to: 'src/conversation', reason: 'the actor asks what the model is to be sent' },
  { from: 'src/conversation', to: 'src/generation', reason: 'it counts tokens and speaks in messages' },
  { from: 'src/conversation', to: 'src/protocol', reason: 'patient fields are schemas of the protocol' },
  { from: 'src/analytics', to: 'src/generation', reason: 'generations are timed through their port' },
  { from: 'src/transport', to: 'src/http', reason: 'routes are served on the port of the sockets' },
  { from: 'src/config/config.ts', to: 'src/sealing', reason: 'a bad key is refused where settings are read' },
  {
    from: 'src/config/config.ts',
    to: 'src/environment',
    reason: 'kinds of value, and what is wrong with one',
  },
  { from: 'src/environment', to: 'src/startup', reason: 'a bad value is a reason for which a start fails' },
  { from: 'src/startup', to: 'src/startup/version.ts', reason: '--version prints it' },
  { from: 'src/config/config.ts', to: 'src/errors.ts', reason: 'a bad setting is an error of the table' },
  {
    from: 'src/config/config.ts',
    to: 'src/config/extra-body.ts',
    reason: 'a field that may not be set is refused at start',
  },
];

export interface Import {
  readonly file: string;
  readonly line: number;
  /** A path of the repository for relative imports, else the package's name as written. */
  readonly target: string;
  readonly typeOnly: boolean;
}

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly message: string;
}

export function violations(imports: readonly Import[]): readonly Violation[] {
  return [...imports.flatMap(misplaced), ...circles(imports)];
}

function misplaced({ file, line, target }: Import): readonly Violation[] {
  const from = roomOf(file);
  if (from === undefined) return [{ file, line, message: `${file} stands on no floor: give its room a row` }];

  if (isPackage(target)) {
    const pure = from.path !== 'machines' || target === 'xstate';
    return pure ? [] : [{ file, line, message: `machines/ may import only xstate, not ${target}` }];
  }
  const to = roomOf(target);
  if (to === undefined) return [{ file, line, message: `${target} stands on no floor` }];
  if (to === from) return [];
  if (from.path === 'machines')
    return [{ file, line, message: `machines/ may import only xstate, not ${target}` }];
  if (to.floor < from.floor || isSideways(from, to)) return [];
  const direction = to.floor === from.floor ? 'sideways' : 'up';
  return [
    { file, line, message: `${from.path} (${from.floor}) imports ${direction}: ${target} (${to.floor})` },
  ];
}

function isSideways(from: Room, to: Room): boolean {
  return sideways.some((row) => (row.from === anywhere || row.from === from.path) && row.to === to.path);
}

function roomOf(path: string): Room | undefined {
  return rooms.find((room) => path === room.path || path.startsWith(`${room.path}/`));
}

function isPackage(target: string): boolean {
  return !/^(src|machines|test|bench|scripts)\//.test(target);
}

/** One violation for each import that closes a circle. Types vanish at run time, so they close none. */
function circles(imports: readonly Import[]): readonly Violation[] {
  const edges = new Map<string, Import[]>();
  for (const edge of imports) {
    if (edge.typeOnly || isPackage(edge.target)) continue;
    edges.set(edge.file, [...(edges.get(edge.file) ?? []), edge]);
  }
  const found: Violation[] = [];
  const done = new Set<string>();
  const walk = (file: string, path: readonly string[]): void => {
    for (const edge of edges.get(file) ?? []) {
      const start = path.indexOf(edge.target);
      if (start !== -1) {
        const circle = [...path.slice(start), edge.target].join(' → ');
        found.push({ file, line: edge.line, message: `closes a circle: ${circle}` });
      } else if (!done.has(edge.target)) {
        walk(edge.target, [...path, edge.target]);
      }
    }
    done.add(file);
  };
  for (const file of edges.keys()) if (!done.has(file)) walk(file, [file]);
  return found;
}

const commentOrString =
  /\/\/[^\n]*|\/\*[\s\S]*?\*\/|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;
const importOrExport =
  /^[ \t]*(?:import|export)\s+(type\s+(?!from\b))?(?:[\w$*{][^'"`;()=]*?\s*\bfrom\s*)?(['"])([^'"\n]+)\2/gm;
const dynamicImport = /\bimport\(\s*(['"])([^'"\n]+)\1\s*\)/g;

export function readImports(file: string, source: string): readonly Import[] {
  const code = source.replace(commentOrString, (text) =>
    text.startsWith('/') ? text.replace(/[^\n]/g, ' ') : text,
  );
  const at = (index: number, specifier: string, typeOnly: boolean): Import => ({
    file,
    line: code.slice(0, index).split('\n').length,
    target: specifier.startsWith('.') ? posix.join(posix.dirname(file), specifier) : specifier,
    typeOnly,
  });
  const fixed = [...code.matchAll(importOrExport)].map((found) =>
    at(found.index, found[3] ?? '', found[1] !== undefined),
  );
  // `typeof import('x')` names a type.
  const dynamic = [...code.matchAll(dynamicImport)].map((found) =>
    at(found.index, found[2] ?? '', /\btypeof\s+$/.test(code.slice(0, found.index))),
  );
  return [...fixed, ...dynamic];
}

function main(): void {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const files = ['machines', 'src'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .map((name) => posix.join(folder, name.replaceAll('\\', '/'))),
  );
  const imports = files.flatMap((file) => readImports(file, readFileSync(join(root, file), 'utf8')));
  const found = violations(imports);
  for (const { file, line, message } of found) console.log(`${file}:${line} ${message}`);
  if (found.length === 0) console.log(`${files.length} files, ${imports.length} imports, all point down`);
  process.exitCode = found.length > 0 ? 1 : 0;
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) main();
