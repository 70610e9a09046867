import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { systemClock } from '../../../src/clock.ts';
import { openAuthenticator } from '../../../src/identity/open-authenticator.ts';
import { openLog } from '../../../src/telemetry/log.ts';
import { JWT_CONFIG, jwksOf, newKey, tokenFor } from '../../support/issuer.ts';
import { forgedTokens } from './forged-tokens.ts';

const folder = mkdtempSync(join(tmpdir(), 'rehydra-forged-'));
afterAll(() => rmSync(folder, { recursive: true }));

const rsa = newKey('RS256');
const ec = newKey('ES256');
const forged = await forgedTokens(rsa, ec);
const path = join(folder, 'jwks.json');
writeFileSync(path, jwksOf(rsa, ec));
const authenticator = await openAuthenticator(
  { jwt: { ...JWT_CONFIG, keys: { kind: 'file', path } }, keysFile: null, proxy: null, disabledFile: null },
  openLog('silent', 'forged'),
  systemClock,
);
afterAll(() => authenticator.close());

const show = (bearer: string) =>
  authenticator.authenticate({ bearer, header: () => '', peer: '203.0.113.9' });

it('at least 40 different forged or stale tokens are tried', () => {
  expect(new Set(forged.map(({ token }) => token)).size).toBeGreaterThanOrEqual(40);
});

it.each(forged)('a forged or stale token is refused: $name', async ({ token }) => {
  expect(await show(token)).toMatchObject({ kind: 'refused' });
});

it.each([rsa, ec])('a token that the issuer signed with $algorithm is accepted', async (key) => {
  const { kind } = await show(await tokenFor(key, 'alice'));
  expect(kind).toBe('accepted');
});

it('the reason for a refusal quotes nothing of the token', async () => {
  for (const { token } of forged) {
    const shown = await show(token);
    const why = shown.kind === 'refused' ? shown.why : '';
    for (const part of token.split('.').filter((one) => one.length > 8)) expect(why).not.toContain(part);
  }
});
