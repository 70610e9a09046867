import { describe, expect, it } from 'vitest';
import { BODY_MAX_BYTES, RequestBodies, RequestBody } from '../../../src/transport/request/request-body.ts';

const chunk = (bytes: number, fill = 0x61): ArrayBuffer => new Uint8Array(bytes).fill(fill).buffer;
const KIB = 1024;

describe('request bodies', () => {
  it('a body of many pieces is received whole, and holds nothing afterwards', async () => {
    const bodies = new RequestBodies();
    const body = new RequestBody(bodies);
    for (const text of ['{"a":', '"é', '€"}', '']) {
      const bytes = new Uint8Array(Buffer.from(text));
      body.take(bytes.buffer, text === '');
      bytes.fill(0);
    }
    expect(await body.received).toEqual({ kind: 'text', text: '{"a":"é€"}' });
    expect([body.isComplete, bodies.bytes]).toEqual([true, 0]);
  });

  it('a body may have the largest size, and is refused at the first byte beyond it', async () => {
    const fits = new RequestBody(new RequestBodies());
    fits.take(chunk(BODY_MAX_BYTES), true);
    expect(await fits.received).toMatchObject({ kind: 'text' });
    const bodies = new RequestBodies();
    const large = new RequestBody(bodies);
    large.take(chunk(BODY_MAX_BYTES), false);
    large.take(chunk(1), false);
    expect(await large.received).toEqual({ kind: 'refused', code: 'too_large' });
    expect([large.isComplete, bodies.bytes]).toEqual([false, 0]);
  });

  it('a body that is no UTF-8 is refused: its unreadable bytes would all become one character', async () => {
    const body = new RequestBody(new RequestBodies());
    body.take(new Uint8Array([0x22, 0xff, 0x22]).buffer, true);
    expect(await body.received).toEqual({ kind: 'refused', code: 'bad_request' });
  });

  it('a body of single bytes takes no more memory than its size', () => {
    const bodies = new RequestBodies();
    const body = new RequestBody(bodies);
    for (let count = 0; count < 100_000; count += 1) body.take(chunk(1), false);
    expect(bodies.bytes).toBeLessThanOrEqual(2 * 100_000);
  });

  it('above the bound of all unfinished bodies the oldest is refused, and a client that sends on gets in', async () => {
    const bodies = new RequestBodies(10 * 64 * KIB);
    const slow = Array.from({ length: 50 }, () => {
      const body = new RequestBody(bodies);
      body.take(chunk(64 * KIB), false);
      expect(bodies.bytes).toBeLessThanOrEqual(10 * 64 * KIB);
      return body;
    });
    for (const body of slow.slice(0, 40))
      expect(await body.received).toEqual({ kind: 'refused', code: 'overloaded' });
    const honest = new RequestBody(bodies);
    honest.take(chunk(KIB), false);
    honest.take(chunk(KIB), true);
    expect(await honest.received).toMatchObject({ kind: 'text' });
    for (const body of slow) body.drop();
    expect(bodies.bytes).toBe(0);
  });
});
