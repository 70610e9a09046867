/** What a stranger can do with the bytes of HTTP: lengths that disagree, bodies without an end, deep JSON, odd upgrades. */
import { describe, expect, it } from 'vitest';
import { post, problemOf } from '../../support/instance/http.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { metric } from '../../support/instance/observed.ts';
import { started } from '../../support/instance/started.ts';
import { headOf, sendRaw } from './raw-http.ts';

const MIB = 1024 * 1024;
const JSON_TYPE = 'content-type: application/json';
const UPGRADE = ['upgrade: websocket', 'connection: upgrade', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='];

describe('the bytes of HTTP', () => {
  const [instance] = started(() => startInstance({ SIMULATOR_TOKENS_PER_SECOND: '0', AUDIT_LOG: 'stdout' }));
  const SMUGGLED = headOf('GET', '/api/sessions');
  const listings = () => instance.logs.filter((line) => line.includes('"action":"listed"')).length;

  it.each([
    ['two different lengths, the smaller first', ['content-length: 0', `content-length: ${SMUGGLED.length}`]],
    ['two different lengths, the larger first', [`content-length: ${SMUGGLED.length}`, 'content-length: 0']],
    ['two equal lengths', ['content-length: 0', 'content-length: 0']],
    ['a length beside chunks', ['content-length: 0', 'transfer-encoding: chunked']],
    ['chunks beside a length', ['transfer-encoding: chunked', `content-length: ${SMUGGLED.length}`]],
    ['an empty length', ['content-length:']],
    ['a list of lengths', ['content-length: 0, 0']],
    ['a negative length', ['content-length: -1']],
    ['a signed length', ['content-length: +0']],
    ['a hexadecimal length', ['content-length: 0x0']],
    ['a length with a space before the colon', ['content-length : 0']],
    ['an unknown transfer encoding', ['transfer-encoding: xchunked']],
    ['a transfer encoding before the chunks', ['transfer-encoding: gzip, chunked']],
    ['two transfer encodings', ['transfer-encoding: chunked', 'transfer-encoding: identity']],
    ['the encoding identity', ['transfer-encoding: identity']],
    ['two hosts', ['host: localhost', 'host: evil.example']],
    ['two origins', ['origin: http://localhost', 'origin: https://evil.example']],
  ])('a request with %s is refused, and no byte after it counts as a request', async (_, headers) => {
    const before = listings();
    const { statuses, isClosed } = await sendRaw(
      instance.port,
      headOf('POST', '/api/protocol', JSON_TYPE, ...headers),
      SMUGGLED,
    );
    expect(statuses.filter((status) => status !== 400)).toEqual([]);
    expect(isClosed).toBe(true);
    const alone = await sendRaw(instance.port, headOf('POST', '/api/protocol', JSON_TYPE, ...headers));
    expect([alone.statuses, alone.isClosed]).toEqual([[400], true]);
    expect(listings()).toBe(before);
  });

  it('a body that is announced as too large gets 413 before any of it is sent, and the connection ends', async () => {
    const head = headOf('POST', '/api/protocol', JSON_TYPE, `content-length: ${224 * MIB}`);
    const answer = await sendRaw(instance.port, head);
    expect([answer.statuses, answer.isClosed]).toEqual([[413], true]);
    expect(answer.text).toContain('"code":"too_large"');
  });

  it('a body in chunks gets 413 at the byte that is too much, and nothing after it is read', async () => {
    const head = headOf('POST', '/api/protocol', JSON_TYPE, 'transfer-encoding: chunked');
    const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
    const answer = await sendRaw(instance.port, head, ...Array.from({ length: 17 }, () => chunk));
    expect([answer.statuses, answer.isClosed]).toEqual([[413], true]);
  });

  it('JSON that nests too deep is refused by its brackets alone, whatever stands around them', async () => {
    const url = `${instance.http}/api/protocol`;
    for (const body of [
      '['.repeat(MIB - 100),
      '{"a":'.repeat(100_000),
      `{"chief_complaint":"x","vitals":${'['.repeat(40)}${']'.repeat(40)}}`,
    ]) {
      const reply = await post(url, body);
      expect(reply.status).toBe(400);
      expect(problemOf(reply).detail).toBe('the body nests deeper than 32');
    }
    expect((await post(url, { chief_complaint: '[{'.repeat(1_000) })).status).toBe(200);
  });

  it('a body that is no UTF-8 is refused', async () => {
    const body = Buffer.from('{"chief_complaint":"a\xff"}', 'latin1');
    const head = headOf('POST', '/api/protocol', JSON_TYPE, `content-length: ${body.length}`);
    expect((await sendRaw(instance.port, head, body)).statuses).toEqual([400]);
  });

  it.each([
    ['without a version', UPGRADE],
    ['of version 8', [...UPGRADE, 'sec-websocket-version: 8']],
    ['of several versions', [...UPGRADE, 'sec-websocket-version: 13, 8']],
    ['without an upgrade header', [...UPGRADE.slice(1), 'sec-websocket-version: 13']],
    ['to another protocol', ['upgrade: h2c', ...UPGRADE.slice(1), 'sec-websocket-version: 13']],
    ['without a key', [...UPGRADE.slice(0, 2), 'sec-websocket-version: 13']],
    ['that is none', []],
  ])('an upgrade %s gets 426 with the version that works', async (_, headers) => {
    const { statuses, text } = await sendRaw(instance.port, headOf('GET', '/v1/session', ...headers));
    expect(statuses).toEqual([426]);
    expect(text).toMatch(/^sec-websocket-version: 13\r$/m);
    expect(text).toContain('"code":"upgrade_required"');
  });

  it('an upgrade with two lengths is refused before it is one', async () => {
    const lengths = ['content-length: 0', 'content-length: 9'];
    const head = headOf('GET', '/v1/session', ...UPGRADE, 'sec-websocket-version: 13', ...lengths);
    const { statuses, isClosed } = await sendRaw(instance.port, head);
    expect([statuses, isClosed]).toEqual([[400], true]);
  });

  it.each(['/readyz', '/metrics', '/api/sessions', '/openapi.json', '/nothing', '/v1/session', '/dashboard'])(
    'every answer tells browsers to guess no type, load nothing foreign and appear in no frame: %s',
    async (path) => {
      const { headers } = await fetch(`${instance.http}${path}`);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('content-security-policy')).toMatch(/^default-src '(none|self)'/);
      expect(headers.get('cross-origin-resource-policy')).toBe('same-origin');
      expect(headers.get('cache-control')).toMatch(/^no-(store|cache)$/);
      expect(headers.get('strict-transport-security')).toBeNull();
    },
  );

  it('an instance that got all of this still serves', async () => {
    expect(await metric(instance.http, 'rehydra_connections')).toBe(0);
    expect((await post(`${instance.http}/api/protocol`, { chief_complaint: 'headache' })).status).toBe(200);
  });
});
