/** What an operator sees of a start: on which address the server listens, and in one line why it does not. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { freePort } from '../support/free-port.ts';
import { type Environment, runToEnd, startInstance } from '../support/instance.ts';

const start = (environment: Environment) =>
  runToEnd('src/main.js', { PORT: '0', DATA_DIR: ':memory:', ...environment });

/** The one line for a person, and the one for machines. */
async function refusal(environment: Environment): Promise<string> {
  const { code, stdout, stderr } = await start(environment);
  expect(code).toBe(1);
  expect(stdout).not.toContain('"msg":"listening"');
  expect(stdout.split('\n').filter((line) => line.includes('"level":50'))).toHaveLength(1);
  expect(`${stdout}${stderr}`).not.toMatch(/^\s+at |node:internal|file:\/\//m);
  return stderr;
}

describe('the port of an instance', () => {
  it('is its own: a second one is refused on every address that overlaps', async () => {
    const port = String(await freePort());
    const first = await startInstance({ HOST: '::', PORT: port });
    const refused = await Promise.all(['0.0.0.0', '::1'].map((HOST) => refusal({ HOST, PORT: port })));
    for (const said of refused) {
      expect(said).toContain('the port is in use');
      expect(said.trim().split('\n')).toHaveLength(1);
    }
    const health = await fetch(`${first.http}/healthz`);
    expect(health.status).toBe(200);
    await first.stop();
  });

  it('is refused where another program listens on it', async () => {
    const port = await freePort();
    const other = createServer().listen(port, '127.0.0.1');
    await once(other, 'listening');
    expect(await refusal({ PORT: String(port) })).toContain('the port is in use');
    other.close();
  });

  it('is free again as soon as its instance has stopped, though clients were cut off', async () => {
    const port = String(await freePort());
    for (let round = 0; round < 2; round += 1) {
      const instance = await startInstance({ PORT: port });
      const socket = new WebSocket(instance.url, 'rehydra.v1');
      await once(socket, 'open');
      await fetch(`${instance.http}/healthz`);
      expect(await instance.stop()).toBe(0);
    }
  });
});

describe('an address that a server cannot listen on', () => {
  it('is named, with the reason', async () => {
    const [foreign, unknown] = await Promise.all([
      refusal({ HOST: '203.0.113.1' }),
      refusal({ HOST: 'no-such-host.invalid' }),
    ]);
    expect(foreign).toContain('HOST=203.0.113.1');
    expect(foreign).toContain('does not have that address');
    expect(unknown).toContain('the host is unknown');
  });
});

describe('the chat command that a server prints', () => {
  it.each(['::1', '0.0.0.0'])('works on HOST=%s', async (HOST) => {
    const instance = await startInstance({ HOST, SIMULATOR_TOKENS: '3', SIMULATOR_TOKENS_PER_SECOND: '0' });
    const listening = instance.logs.find((line) => line.includes('"msg":"listening"')) ?? '{}';
    const { chat } = JSON.parse(listening) as { readonly chat: string };
    const { code, stderr } = await runToEnd('src/client/chat.js', {}, chat.split(' -- ')[1]?.split(' '));
    expect(stderr).not.toContain('Invalid URL');
    expect(code).toBe(0);
    expect((await fetch(`${instance.http}/healthz`)).status).toBe(200);
    await instance.stop();
  });
});
