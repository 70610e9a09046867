import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Import, readImports, violations } from '../../../scripts/floors.ts';

function edge(file: string, target: string, typeOnly = false): Import {
  return { file, line: 1, target, typeOnly };
}

function messages(...imports: readonly Import[]): readonly string[] {
  return violations(imports).map(({ message }) => message);
}

describe('import floors', () => {
  it('lets imports point down or stay in their room', () => {
    expect(
      messages(
        edge('src/session/actor/session-actor.ts', 'src/store/contract.ts'),
        edge('src/session/actor/session-actor.ts', 'src/session/machine/step.ts'),
        edge('src/store/contract.ts', 'src/errors.ts'),
        edge('src/main.ts', 'src/http/routes.ts'),
        edge('src/main.ts', 'node:process'),
      ),
    ).toEqual([]);
  });

  it('refuses an import that points up', () => {
    expect(messages(edge('src/store/contract.ts', 'src/session/actor/session-actor.ts'))).toEqual([
      'src/store (1) imports up: src/session/actor/session-actor.ts (2)',
    ]);
  });

  it('refuses a neighbour on the same floor, also where only its types are wanted', () => {
    expect(messages(edge('src/protocol/codec.ts', 'src/session/actor/session-actor.ts', true))).toHaveLength(
      1,
    );
    expect(messages(edge('src/store/contract.ts', 'src/simulator/main.ts'))).toHaveLength(1);
    expect(messages(edge('src/delivery/hub.ts', 'src/http/core/router.ts'))).toHaveLength(1);
    expect(messages(edge('src/errors.ts', 'src/config/config.ts'))).toHaveLength(1);
  });

  it('allows the neighbours that the table names', () => {
    expect(
      messages(
        edge('src/session/actor/session-actor.ts', 'src/protocol/server-frames.ts'),
        edge('src/transport/socket.ts', 'src/delivery/outbox.ts'),
        edge('src/http/events.ts', 'src/delivery/outbox.ts'),
        edge('src/transport/server.ts', 'src/http/core/router.ts'),
        edge('src/store/contract.ts', 'src/telemetry/log.ts'),
        edge('src/telemetry/log.ts', 'machines/vocabulary.ts'),
      ),
    ).toEqual([]);
  });

  it('keeps machines pure: xstate and nothing else', () => {
    expect(messages(edge('machines/session.ts', 'xstate'))).toEqual([]);
    expect(messages(edge('machines/session.ts', 'machines/vocabulary.ts'))).toEqual([]);
    expect(messages(edge('machines/session.ts', 'zod'))).toHaveLength(1);
    expect(messages(edge('machines/session.ts', 'node:crypto'))).toHaveLength(1);
    expect(messages(edge('machines/session.ts', 'src/errors.ts'))).toHaveLength(1);
    expect(messages(edge('machines/session.ts', 'src/telemetry/log.ts'))).toHaveLength(1);
  });

  it('asks for a row when a room is new', () => {
    expect(messages(edge('src/utils/strings.ts', 'zod'))).toEqual([
      'src/utils/strings.ts stands on no floor: give its room a row',
    ]);
    expect(messages(edge('src/main.ts', 'test/support/clock.ts'))).toHaveLength(1);
  });

  it('names every file of a circle once, and lets types close one', () => {
    const a = 'src/session/a.ts';
    const b = 'src/session/b.ts';
    const c = 'src/session/c.ts';
    expect(messages(edge(a, b), edge(b, c), edge(c, a))).toEqual([
      `closes a circle: ${a} → ${b} → ${c} → ${a}`,
    ]);
    expect(messages(edge(a, b), edge(b, c), edge(c, a, true))).toEqual([]);
  });
});

describe('reading imports', () => {
  it('finds every form, on its line, and knows types from values', () => {
    const source = [
      "import { a } from './a.ts';",
      "import type { B } from '../store/b.ts';",
      'import {',
      '  type C,',
      "} from '../c.ts';",
      "import './side-effect.ts';",
      "export * from './d.ts';",
      "export type { E } from './e.ts';",
      "const f = await import('./f.ts');",
      "type G = typeof import('./g.ts');",
      "import zod from 'zod';",
    ].join('\n');
    const found = readImports('src/session/x.ts', source).map((it) => [it.line, it.target, it.typeOnly]);
    expect(found.sort((one, other) => Number(one[0]) - Number(other[0]))).toEqual([
      [1, 'src/session/a.ts', false],
      [2, 'src/store/b.ts', true],
      [3, 'src/c.ts', false],
      [6, 'src/session/side-effect.ts', false],
      [7, 'src/session/d.ts', false],
      [8, 'src/session/e.ts', true],
      [9, 'src/session/f.ts', false],
      [10, 'src/session/g.ts', true],
      [11, 'zod', false],
    ]);
  });

  it('is not fooled by comments, addresses and plain exports', () => {
    const source = [
      "// import { a } from './a.ts';",
      '/*',
      "import { b } from './b.ts';",
      '*/',
      "const glob = 'src/**/*.ts'; const url = 'http://example.test';",
      'const text = `/* not a comment`;',
      "export const from = 'c';",
      "import { real } from './real.ts'; // import('./d.ts')",
    ].join('\n');
    expect(readImports('src/session/x.ts', source).map((it) => it.target)).toEqual(['src/session/real.ts']);
  });
});

describe('the rooms of the tree', () => {
  it('are all told of in CONTRIBUTING.md, and no others', () => {
    const told = readFileSync('CONTRIBUTING.md', 'utf8').match(/(?<=^\| `)src\/[a-z]+(?=` +\|)/gm) ?? [];
    const rooms = readdirSync('src', { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => `src/${name}`);
    expect(told.toSorted()).toEqual(rooms.toSorted());
  });
});
