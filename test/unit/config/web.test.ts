import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';

describe('allowed origins and hosts', () => {
  it('lists of origins and hosts are read without white space, and hosts without case', () => {
    const config = readConfig({
      ALLOWED_ORIGINS: ' https://app.example, http://localhost:5173,capacitor://localhost ',
      ALLOWED_HOSTS: 'Chat.Example, [::1]:8080',
    });
    expect(config.allowedOrigins).toEqual([
      'https://app.example',
      'http://localhost:5173',
      'capacitor://localhost',
    ]);
    expect(config.allowedHosts).toEqual(['chat.example', '[::1]:8080']);
    expect(readConfig({})).toMatchObject({ allowedOrigins: null, allowedHosts: null });
  });

  it.each([
    '*',
    'null',
    'https://*.example',
    'https://app.example/',
    'https://app.example/path',
    'https://App.example',
    'https://app.example:443',
    'https://user@app.example',
    'app.example',
    'https://app.example https://other.example',
  ])('an origin that no browser sends refuses the start: %s', (origin) => {
    expect(() => readConfig({ ALLOWED_ORIGINS: `https://fits.example,${origin}` })).toThrow(
      'ALLOWED_ORIGINS',
    );
  });

  it.each(['*', 'https://chat.example', 'chat.example/', 'a b', 'chat.example:x', 'user@chat.example'])(
    'a host that no client names refuses the start: %s',
    (host) => {
      expect(() => readConfig({ ALLOWED_HOSTS: host })).toThrow('ALLOWED_HOSTS');
    },
  );
});
