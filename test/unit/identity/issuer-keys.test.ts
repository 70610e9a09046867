import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, it } from 'vitest';
import {
  COOLDOWN_MS,
  openIssuerKeys,
  type TokenKeySource,
} from '../../../src/identity/tokens/issuer-keys.ts';
import { openLog } from '../../../src/telemetry/log.ts';
import { jwksOf, newKey } from '../../support/issuer.ts';

const algorithms = ['ES256'];
const log = openLog('silent', 'issuer');
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});

interface Answer {
  status: number;
  body: string;
  headers?: Record<string, string>;
}

/** A real server that publishes what the test says, and counts how often it was asked. */
async function issuer(body: string) {
  const answer: Answer = { status: 200, body };
  let asked = 0;
  const server = createServer((_, response) => {
    asked += 1;
    response.writeHead(answer.status, answer.headers).end(answer.body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => server.close());
  const { port } = server.address() as AddressInfo;
  return { answer, asked: () => asked, url: `http://127.0.0.1:${port}/keys`, port };
}

/** Reads the clock of the test, so that a cooldown ends when the test says so. */
async function keysAt(url: string) {
  let nowMs = 0;
  const source = await openIssuerKeys({ url, algorithms, log, clock: { monotonicMs: () => nowMs } });
  closing.push(source.close);
  return { source, coolDown: () => (nowMs += COOLDOWN_MS) };
}

const knows = async (source: TokenKeySource, id: string) =>
  (await source.candidates('ES256', id)).length === 1;

it('a token with a known key id asks the issuer for nothing', async () => {
  const key = newKey();
  const { url, asked } = await issuer(jwksOf(key));
  const { source } = await keysAt(url);
  for (let round = 0; round < 5; round += 1) expect(await knows(source, key.id)).toBe(true);
  expect(asked()).toBe(1);
});

it('a new key of the issuer is found when the first token names it', async () => {
  const [old, next] = [newKey(), newKey()];
  const { url, answer, asked } = await issuer(jwksOf(old));
  const { source, coolDown } = await keysAt(url);
  coolDown();
  answer.body = jwksOf(old, next);
  expect(await knows(source, next.id)).toBe(true);
  expect(await knows(source, old.id)).toBe(true);
  expect(asked()).toBe(2);
});

it('tokens with unknown key ids, however many, ask the issuer once per cooldown', async () => {
  const { url, asked } = await issuer(jwksOf(newKey()));
  const { source, coolDown } = await keysAt(url);
  for (let round = 0; round < 3; round += 1) {
    const found = await Promise.all(
      Array.from({ length: 50 }, (_, index) => knows(source, `forged-${index}`)),
    );
    expect(found).not.toContain(true);
    expect(asked()).toBe(1 + round);
    coolDown();
  }
});

it('an issuer that is away takes no known key away, and is asked once per cooldown', async () => {
  const key = newKey();
  const { url, answer, asked } = await issuer(jwksOf(key));
  const { source, coolDown } = await keysAt(url);
  for (const failure of [
    { status: 500, body: '' },
    { status: 200, body: 'sorry' },
    { status: 200, body: '{"keys":[]}' },
  ]) {
    Object.assign(answer, failure);
    coolDown();
    expect(await knows(source, 'forged')).toBe(false);
    expect(await knows(source, 'forged')).toBe(false);
    expect(await knows(source, key.id)).toBe(true);
  }
  expect(asked()).toBe(4);
});

it('a service starts while its issuer is away, and knows the keys once the issuer answers', async () => {
  const key = newKey();
  const { url, answer } = await issuer(jwksOf(key));
  answer.status = 503;
  const { source, coolDown } = await keysAt(url);
  expect(await knows(source, key.id)).toBe(false);
  answer.status = 200;
  coolDown();
  expect(await knows(source, key.id)).toBe(true);
});

it('a key that the issuer has withdrawn is unknown after the next answer', async () => {
  const [old, next] = [newKey(), newKey()];
  const { url, answer } = await issuer(jwksOf(old));
  const { source, coolDown } = await keysAt(url);
  answer.body = jwksOf(next);
  coolDown();
  expect(await knows(source, next.id)).toBe(true);
  expect(await knows(source, old.id)).toBe(false);
});

it('a redirect of the issuer is not followed', async () => {
  const key = newKey();
  const elsewhere = await issuer(jwksOf(key));
  const { url, answer } = await issuer('');
  Object.assign(answer, { status: 302, headers: { location: elsewhere.url } });
  const { source } = await keysAt(url);
  expect(await knows(source, key.id)).toBe(false);
  expect(elsewhere.asked()).toBe(0);
});
