import { describe, expect, it } from 'vitest';
import { BEARER_MAX_LENGTH, bearerIn, onlyOne, subProtocolsIn } from '../../../src/identity/bearer.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
const bearer = (text: string) => ({ kind: 'bearer', bearer: text });
const NONE = { kind: 'none' };

describe('the bearer of an Authorization header', () => {
  it('a client that sends no Authorization header shows no credential', () => {
    expect(bearerIn([], false)).toEqual(NONE);
    expect(bearerIn([], true)).toEqual(NONE);
    expect(bearerIn([''], true)).toEqual(NONE);
  });

  it.each(['Bearer a.b-c_d', 'bearer a.b-c_d', 'BEARER   a.b-c_d', '  Bearer a.b-c_d '])(
    'the bearer is read from "%s"',
    (line) => expect(bearerIn([line], false)).toEqual(bearer('a.b-c_d')),
  );

  it('a bearer may hold every character of a base64 token', () => {
    const token = 'aZ09._~+/-==';
    expect(bearerIn([`Bearer ${token}`], false)).toEqual(bearer(token));
  });

  it.each([
    ' ',
    'Bearer',
    'Bearer ',
    'Bearer a b',
    'Bearer a,b',
    'Bearer a=b',
    'Bearer "a"',
    'Bearer ä',
    'Bearer a\u0000b',
    'Bearer a\nb',
    'a.b.c',
    'Digest username="a"',
    'Bearer: a',
    'Bearer\ta',
  ])('the malformed Authorization header %j is refused instead of ignored', (line) => {
    expect(bearerIn([line], true)).toMatchObject({ kind: 'refused' });
  });

  it('two Authorization headers are refused, even if they are equal', () => {
    expect(bearerIn(['Bearer a', 'Bearer a'], false)).toMatchObject({ kind: 'refused' });
  });

  it('a bearer of 8 KiB is read, and a longer one is refused', () => {
    const longest = 'a'.repeat(BEARER_MAX_LENGTH);
    expect(bearerIn([`Bearer ${longest}`], false)).toEqual(bearer(longest));
    expect(bearerIn([`Bearer ${longest}a`], false)).toMatchObject({ kind: 'refused' });
    expect(bearerIn([basic(`:${longest}`)], true)).toEqual(bearer(longest));
    expect(bearerIn([basic(`:${longest}a`)], true)).toMatchObject({ kind: 'refused' });
    expect(bearerIn([basic('a'.repeat(1_000_000))], true)).toMatchObject({ kind: 'refused' });
  });

  it('a reason for a refusal repeats nothing of what the client sent', () => {
    const lines = ['Bearer canary canary', 'Bearer canary,', 'canary', 'Digest canary', basic('canary')];
    const more = [basic('a:canary canary'), `Bearer ${'canary'.repeat(2_000)}`];
    for (const line of [...lines, ...more]) {
      const shown = bearerIn([line], true);
      expect(shown.kind).toBe('refused');
      expect(JSON.stringify(shown)).not.toContain('canary');
    }
  });
});

describe('the bearer as the password of a page', () => {
  it('the password of Basic is the bearer, whatever the name, where a page accepts it', () => {
    for (const name of ['', 'admin', 'a b', 'ä'])
      expect(bearerIn([basic(`${name}:rk_a_b`)], true)).toEqual(bearer('rk_a_b'));
  });

  it('Basic is refused where only a bearer is accepted', () => {
    expect(bearerIn([basic('a:rk_a_b')], false)).toMatchObject({ kind: 'refused' });
  });

  it.each(['Basic', 'Basic !!!', basic('nocolon'), basic('a:'), basic('a:b:c'), basic('a:b c')])(
    'the malformed %s is refused',
    (line) => expect(bearerIn([line], true)).toMatchObject({ kind: 'refused' }),
  );
});

describe('the bearer among the sub-protocols of a WebSocket', () => {
  it('the server answers with its own protocol and never with the bearer', () => {
    const asked = 'rehydra.v1, rehydra.bearer.a.b-c_d';
    expect(subProtocolsIn(asked)).toEqual({ answers: 'rehydra.v1', shown: bearer('a.b-c_d') });
    expect(subProtocolsIn('rehydra.bearer.x,rehydra.v1').answers).toBe('rehydra.v1');
    expect(subProtocolsIn('rehydra.bearer.x').answers).toBe('');
  });

  it('a client without a bearer among its sub-protocols shows none', () => {
    for (const header of ['', 'rehydra.v1', 'other', 'rehydra.bearers.x', 'Rehydra.bearer.x'])
      expect(subProtocolsIn(header).shown).toEqual(NONE);
  });

  it.each(['rehydra.bearer.', 'rehydra.bearer.a b', 'rehydra.bearer.a, rehydra.bearer.b'])(
    'the sub-protocols "%s" are refused',
    (header) => expect(subProtocolsIn(header).shown).toMatchObject({ kind: 'refused' }),
  );

  it('a bearer among the sub-protocols has at most 8 KiB', () => {
    const longest = 'a'.repeat(BEARER_MAX_LENGTH);
    expect(subProtocolsIn(`rehydra.bearer.${longest}`).shown).toEqual(bearer(longest));
    expect(subProtocolsIn(`rehydra.bearer.${longest}a`).shown).toMatchObject({ kind: 'refused' });
  });
});

describe('one credential from several places', () => {
  const a = { kind: 'bearer', bearer: 'a' } as const;
  const b = { kind: 'bearer', bearer: 'b' } as const;
  const none = { kind: 'none' } as const;
  const refused = { kind: 'refused', why: 'x' } as const;

  it('the same bearer in two places is one credential, and two different ones are refused', () => {
    expect(onlyOne()).toEqual(none);
    expect(onlyOne(none, none)).toEqual(none);
    expect(onlyOne(none, a)).toEqual(a);
    expect(onlyOne(a, a)).toEqual(a);
    expect(onlyOne(a, b)).toMatchObject({ kind: 'refused' });
  });

  it('a malformed credential in one place is not healed by a good one in another', () => {
    expect(onlyOne(a, refused)).toEqual(refused);
    expect(onlyOne(refused, none)).toEqual(refused);
  });
});
