/** The client package from outside: what is in it, its size, its types. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Kilobytes of 1,000 bytes, each entry alone: the others import the client. */
const LARGEST_GZIP_BYTES = { client: 6_000, ai: 2_000, react: 1_000 };

const PROGRAM = `
import { type Answer, type Bookmark, connect, RehydraError, type RehydraSession } from 'rehydra/client';
import { RehydraChatTransport } from 'rehydra/ai';
import { type SessionView, useSession } from 'rehydra/react';

const bookmark: Bookmark = { sessionId: 'a', after: 3, epoch: 1 };
const session: RehydraSession = connect({ url: ['https://one', 'https://two'], WebSocket, token: async () => 't', ...bookmark });
session.on('delta', ({ text, offset }) => text.at(offset));
session.on('lost', ({ retryInMs }) => retryInMs.toFixed());
session.on('turn.completed', ({ usage }) => usage.prompt_tokens.toFixed());
export async function answer(): Promise<Answer> {
  const message = session.send('hello', { policy: 'queue', options: { max_tokens: 5 } });
  const { id } = await message;
  for await (const { text, startsOver } of message) console.log(id, startsOver ? '' : text);
  for await (const event of session) if (event.type === 'frame' && event.frame.type === 'state') break;
  return message.done;
}
// @ts-expect-error: no such policy
session.send('hello', { policy: 'shout' });
// @ts-expect-error: no such event
session.on('nothing', () => {});
export const refused = (error: unknown) => error instanceof RehydraError && error.code === 'queue_full';
export const view = (): SessionView => useSession({ url: '/' });

/** The shape of the AI SDK's ChatTransport. */
interface UIMessage { id: string; role: 'system' | 'user' | 'assistant'; metadata?: unknown; parts: ({ type: 'text'; text: string } | { type: 'step-start' })[] }
interface ChatTransport {
  sendMessages: (options: { trigger: 'submit-message' | 'regenerate-message'; chatId: string; messageId: string | undefined; messages: UIMessage[]; abortSignal: AbortSignal | undefined; headers?: Record<string, string> | Headers; body?: object; metadata?: unknown }) => Promise<ReadableStream<{ type: string }>>;
  reconnectToStream: (options: { chatId: string; headers?: Record<string, string> | Headers; body?: object; metadata?: unknown }) => Promise<ReadableStream<{ type: string }> | null>;
}
export const transport: ChatTransport = new RehydraChatTransport({ url: '/' });
`;

/** The client needs neither the types of a browser nor those of Node. */
const BARE_PROGRAM = `
import { connect } from 'rehydra/client';
export const session = connect({ url: 'ws://one' });
`;

describe('the client package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rehydra-package-'));
  const installed = join(folder, 'node_modules', 'rehydra');
  afterAll(() => rmSync(folder, { recursive: true }));

  function pack(source: string): readonly string[] {
    const out = execFileSync(
      'npm',
      ['pack', source, '--json', '--pack-destination', folder, '--ignore-scripts'],
      {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      },
    );
    const [{ files }] = JSON.parse(out) as [{ readonly files: readonly { readonly path: string }[] }];
    return files.map(({ path }) => path).sort();
  }

  let packed: readonly string[] = [];
  beforeAll(() => {
    packed = pack(resolve('dist/package'));
    const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
    if (tarball === undefined) throw new Error('npm pack made no tarball');
    mkdirSync(installed, { recursive: true });
    execFileSync('tar', ['-xzf', join(folder, tarball), '-C', installed, '--strip-components=1']);
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ type: 'module' }));
  });

  it('the package holds the code of its three entries, declarations and nothing else', () => {
    const known = packed.filter((path) => !/^types\/[a-z-]+\.d\.ts$/.test(path) && path !== 'README.md');
    expect(known).toEqual(['ai.js', 'client.js', 'package.json', 'react.js']);
    expect(packed).toEqual(expect.arrayContaining(['types/client.d.ts', 'types/wire.d.ts']));
  });

  it('a package of the whole repository holds the client package, and no source, test or key', () => {
    const others = pack('.').filter((path) => !path.startsWith('dist/package/'));
    expect(others).toEqual(['README.md', 'package.json']);
  });

  it('the package depends on no other, and React is its only peer', () => {
    const manifest = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    expect(manifest.dependencies).toBeUndefined();
    expect(manifest.peerDependencies).toEqual({ react: '>=18' });
    const imported = ['client', 'ai', 'react'].map((entry) =>
      [...readFileSync(join(installed, `${entry}.js`), 'utf8').matchAll(/(?:from|import)\s*"([^"]+)"/g)].map(
        ([, name]) => name,
      ),
    );
    expect(imported).toEqual([[], ['./client.js'], ['react', './client.js']]);
  });

  it.each(Object.entries(LARGEST_GZIP_BYTES))(
    'rehydra/%s is smaller than %i bytes, gzipped',
    (entry, limit) => {
      const size = gzipSync(readFileSync(join(installed, `${entry}.js`)), { level: 9 }).length;
      process.stdout.write(`rehydra/${entry}: ${size} bytes gzipped\n`);
      expect(size).toBeLessThan(limit);
    },
  );

  it.each([
    ['node16', 'node16', 'es2022,dom,dom.iterable', PROGRAM],
    ['bundler', 'esnext', 'es2022,dom,dom.iterable', PROGRAM],
    ['bundler', 'esnext', 'es2022', BARE_PROGRAM],
  ])(
    'a strict program resolves the types with %s, module %s and the libraries %s',
    (how, module, lib, source) => {
      const program = join(folder, 'program.ts');
      writeFileSync(program, source);
      const flags = [
        '--noEmit',
        '--strict',
        '--exactOptionalPropertyTypes',
        '--target',
        'es2022',
        '--types',
        '',
      ];
      const tsc = resolve('node_modules/.bin/tsc');
      let output = '';
      try {
        execFileSync(tsc, [...flags, '--module', module, '--moduleResolution', how, '--lib', lib, program], {
          cwd: folder,
          encoding: 'utf8',
        });
      } catch (error) {
        output = String((error as { readonly stdout?: string }).stdout ?? error);
      }
      expect(output).toBe('');
    },
  );

  it("the package's types of frames are those of the schemas", () => {
    const program = join(folder, 'same.ts');
    const [schemas, wire] = [resolve('src/client/wire.ts'), join(installed, 'types', 'wire.js')];
    const names = [
      'ClientFrame',
      'DurableFrame',
      'TransientFrame',
      'OverlapPolicy',
      'TopState',
      'CancelReason',
    ];
    const checks = names.map(
      (name) =>
        `export const a${name} = (frame: schemas.${name}): wire.${name} => frame;\nexport const b${name} = (frame: wire.${name}): schemas.${name} => frame;`,
    );
    const imports = `import type * as schemas from '${schemas}';\nimport type * as wire from '${wire}';\n`;
    writeFileSync(program, `${imports}${checks.join('\n')}\n`);
    const config = {
      extends: resolve('tsconfig.json'),
      compilerOptions: { typeRoots: [resolve('node_modules/@types')] },
      include: [],
      files: [program],
    };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config));
    let output = '';
    try {
      execFileSync(resolve('node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' });
    } catch (error) {
      output = String((error as { readonly stdout?: string }).stdout ?? error);
    }
    expect(output).toBe('');
  });
});
