import { describe, expect, test } from 'vitest';
import {
  countsOf,
  countsOfAll,
  indexState,
  indexStates,
  indexUser,
} from '../../../src/store/tenant-index.ts';

describe('names of tenants in the index', () => {
  test('the default tenant has the names that sessions had before there were tenants', () => {
    expect(indexState('', 'idle')).toBe('idle');
    expect(indexUser('', 'ann')).toBe('ann');
    expect(indexStates('')).toEqual(['connected', 'processing', 'idle']);
  });

  test('users of two tenants have different names in the index, whatever they are called', () => {
    const names = ['', 'a', 'a.b'].flatMap((tenant) =>
      ['ann', 'a', 'b', 'a.b@c', 'a ann'].map((user) => indexUser(tenant, user)),
    );
    expect(new Set(names).size).toBe(names.length);
  });

  test('a tenant is counted alone, and all tenants together', () => {
    const counts = { idle: 1, connected: 2, 'idle@acme': 4, 'processing@acme': 8, 'idle@acme.eu': 16 };
    expect(countsOf('', counts)).toEqual({ idle: 1, connected: 2 });
    expect(countsOf('acme', counts)).toEqual({ idle: 4, processing: 8 });
    expect(countsOf('evil', counts)).toEqual({});
    expect(countsOfAll(counts)).toEqual({ idle: 21, connected: 2, processing: 8 });
  });
});
