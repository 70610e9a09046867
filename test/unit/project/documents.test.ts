/** Every link, anchor and path in the documents exists, and the README draws the road that the code has. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';

/** The way of a message, as the README draws it and as its table explains it. */
const ROAD: readonly (readonly [stop: string, file: string])[] = [
  ['socket', 'src/transport/socket/websocket.ts'],
  ['codec', 'src/protocol/codec.ts'],
  ['to-event', 'src/protocol/to-event.ts'],
  ['SessionRouter', 'src/session/router/session-router.ts'],
  ['EventLoop', 'src/session/actor/event-loop.ts'],
  ['step', 'src/session/machine/step.ts'],
  ['buildFrames', 'src/session/actor/frames.ts'],
  ['SessionWriter', 'src/session/actor/session-writer.ts'],
  ['store (sealed)', 'src/store/sealed/store.ts'],
  ['commit.lua', 'src/store/redis/commands/session/commit.lua'],
];
const WAY_BACK: readonly (readonly [stop: string, file: string])[] = [
  ['hub', 'src/delivery/hub.ts'],
  ['subscription', 'src/delivery/subscription.ts'],
  ['timers', 'src/session/actor/timers.ts'],
  ['turn runner', 'src/session/turn/turn-runner.ts'],
];

/** Tracked files, and new ones that git does not ignore: a document may be checked before its first commit. */
const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
  encoding: 'utf8',
})
  .split('\0')
  .filter((file) => file !== '');
const documents = files.filter((file) => file.endsWith('.md'));

const exists = (path: string) =>
  path === '.' || files.includes(path) || files.some((file) => file.startsWith(`${path}/`));
const textOf = (file: string) => readFileSync(file, 'utf8');
const withoutCodeBlocks = (text: string) => text.replace(/^( *)```[\s\S]*?^\1```$/gm, '');

/** The anchors that GitHub gives to a document's headings. */
function anchorsOf(document: string): ReadonlySet<string> {
  const anchors = new Set<string>();
  for (const [, heading = ''] of withoutCodeBlocks(textOf(document)).matchAll(/^#{1,6} +(.+)$/gm)) {
    const base = heading
      .toLowerCase()
      .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-');
    let anchor = base;
    for (let copy = 1; anchors.has(anchor); copy++) anchor = `${base}-${copy}`;
    anchors.add(anchor);
  }
  return anchors;
}

function linksOf(document: string): readonly string[] {
  const prose = withoutCodeBlocks(textOf(document)).replace(/`[^`\n]*`/g, '`code`');
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, target = '']) => target)
    .filter((target) => !/^[a-z]+:/.test(target));
}

function isReachable(document: string, link: string): boolean {
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? document : posix.normalize(posix.join(posix.dirname(document), path));
  if (!exists(target.replace(/\/$/, ''))) return false;
  if (anchor === undefined) return true;
  if (target.endsWith('.md')) return anchorsOf(target).has(anchor);
  const line = /^L(\d+)$/.exec(anchor)?.[1];
  return line !== undefined && Number(line) <= textOf(target).split('\n').length;
}

describe('documents', () => {
  it.each(documents)('every link of %s leads to a file and a heading that exist', (document) => {
    expect(linksOf(document).filter((link) => !isReachable(document, link))).toEqual([]);
  });

  it.each(documents)('every path that %s names in code style exists', (document) => {
    const room = /^(?:src|machines|test|scripts|deploy|docs|bench|examples)\//;
    const named = [...withoutCodeBlocks(textOf(document)).matchAll(/`([\w./-]+)`/g)]
      .map(([, path = '']) => path.replace(/\/$/, ''))
      .filter((path) => room.test(path) && !path.includes('NNNN'));
    expect(named.filter((path) => !exists(path))).toEqual([]);
  });
});

it('OPERATIONS.md quotes log lines as the source writes them', () => {
  const sources = files.filter((file) => /^src\/.*\.ts$/.test(file)).map(textOf);
  const quoted = [...withoutCodeBlocks(textOf('docs/OPERATIONS.md')).matchAll(/`([a-z][a-zA-Z_\s]+)`/g)]
    .map(([, line = '']) => line.replace(/\s+/g, ' '))
    .filter((line) => line.split(' ').length > 2 && !/^(kubectl|npm) /.test(line));
  expect(quoted).toContain('session actor crashed');
  expect(quoted.filter((line) => !sources.some((source) => source.includes(line)))).toEqual([]);
});

describe("the README's road", () => {
  const [, diagram = '', table = ''] =
    /## How a message flows[\s\S]*?```\n([\s\S]*?)```\n\n((?:\|.*\n)+)/.exec(textOf('README.md')) ?? [];

  it('the diagram of the road names its stops in the order in which a message passes them', () => {
    const named = diagram.split(/\s*[→←↓·]\s*|\s{2,}|\n/).filter((stop) => stop !== '');
    expect(named).toEqual([
      ...ROAD.map(([stop]) => stop),
      'acknowledged',
      ...['sockets', 'subscription', 'hub', 'frames'],
      ...['timers', 'turn runner'],
    ]);
  });

  it("the table of the road links each stop's file, in the same order", () => {
    const rows = [...table.matchAll(/^\| ([^|]+?) +\| \[[^\]]+\]\(([^)]+)\)/gm)];
    expect(rows.map(([, stop, file]) => [stop, file])).toEqual([...ROAD, ...WAY_BACK]);
  });

  it.each([...ROAD, ...WAY_BACK].filter(([stop]) => /^[A-Za-z]*[A-Z]/.test(stop) || stop === 'step'))(
    'the stop %s is what %s exports',
    (stop, file) => {
      expect(textOf(file)).toMatch(new RegExp(`^export (?:class|function) ${stop}\\b`, 'm'));
    },
  );
});
