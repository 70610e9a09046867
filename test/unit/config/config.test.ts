import { describe, expect, it } from 'vitest';
import { readConfig } from '../../../src/config/config.ts';

function refusal(environment: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(environment);
  } catch (error) {
    return String(error).split('\n').slice(1);
  }
  return [];
}

describe('the configuration', () => {
  it('every setting has its documented default', () => {
    expect(readConfig({})).toMatchObject({
      host: '127.0.0.1',
      port: 8080,
      logLevel: 'info',
      drainMs: 8_000,
      store: { redisUrl: null, dataDir: './data', leaseMs: 3_000, frameLogMax: 20_000, allowEviction: false },
      session: {
        limits: { idleMs: 3_600_000, absoluteMs: 14_400_000, warnMs: 60_000 },
        defaultPolicy: 'queue',
      },
      simulator: { tokens: 64, tokensPerSecond: 50, firstTokenMs: 0 },
      generation: {
        baseUrls: [],
        model: null,
        apiKey: null,
        firstTokenMs: 60_000,
        interTokenMs: 15_000,
        totalMs: 300_000,
      },
    });
  });

  it('an instance without INSTANCE_ID gets a random name', () => {
    const [first, second] = [readConfig({}).instance, readConfig({}).instance];
    expect(first).toMatch(/^[\w.-]{8,64}$/);
    expect(second).not.toBe(first);
    expect(readConfig({ INSTANCE_ID: 'a.b-1' }).instance).toBe('a.b-1');
  });

  it('an empty variable counts as unset', () => {
    const { port, store, generation } = readConfig({
      PORT: '',
      REDIS_URL: '',
      VLLM_MODEL: '',
      VLLM_BASE_URL: '',
    });
    expect([port, store.redisUrl, generation.model, generation.baseUrls]).toEqual([8080, null, null, []]);
  });

  it('VLLM_BASE_URL lists model servers, with or without spaces', () => {
    const { generation } = readConfig({
      VLLM_BASE_URL: 'http://a:8000/v1, http://b:8000/v1,http://c:8000/v1',
    });
    expect(generation.baseUrls).toEqual(['http://a:8000/v1', 'http://b:8000/v1', 'http://c:8000/v1']);
  });

  it('VLLM_EXTRA_BODY is a JSON object', () => {
    const text = '{"chat_template_kwargs":{"enable_thinking":false},"top_k":20}';
    expect(readConfig({ VLLM_EXTRA_BODY: text }).generation.extraBody).toEqual(JSON.parse(text));
    expect(readConfig({}).generation.extraBody).toEqual({});
  });

  it.each(['{', '[]', '1', 'null', '{"model":"m"}', '{"messages":[]}', '{"top_k":1,"stream":false}'])(
    'VLLM_EXTRA_BODY may not be %s',
    (text) => {
      expect(refusal({ VLLM_EXTRA_BODY: text })).toEqual([expect.stringMatching(/VLLM_EXTRA_BODY/)]);
    },
  );

  it('a flag is 0, 1, true or false', () => {
    const allowed = (value: string) => readConfig({ REDIS_ALLOW_EVICTION: value }).store.allowEviction;
    expect(['0', '1', 'false', 'true'].map(allowed)).toEqual([false, true, false, true]);
    expect(refusal({ REDIS_ALLOW_EVICTION: 'yes' })).toHaveLength(1);
  });

  it('a setting is 0 only where 0 means something', () => {
    expect(readConfig({ PORT: '0' }).port).toBe(0);
    expect(readConfig({ SIMULATOR_TOKENS_PER_SECOND: '0' }).simulator.tokensPerSecond).toBe(0);
    for (const name of ['LEASE_MS', 'SESSION_IDLE_MS', 'FRAME_LOG_MAX', 'QUEUE_MAX', 'GENERATION_TOTAL_MS'])
      expect(refusal({ [name]: '0' })).toEqual([expect.stringContaining(name)]);
  });

  it.each(['PORT', 'LEASE_MS', 'SESSION_IDLE_MS', 'DRAIN_MS'])('%s must be a whole number', (name) => {
    for (const value of ['ten', '1.5', '-1', 'NaN', 'Infinity', '10s'])
      expect(refusal({ [name]: value })).toEqual([expect.stringMatching(new RegExp(`^${name}=`))]);
  });

  it('each variable that cannot be used is named on its own line', () => {
    const lines = refusal({
      PORT: '70000',
      LOG_LEVEL: 'loud',
      OVERLAP_POLICY: 'overwrite',
      INSTANCE_ID: 'a b',
    });
    expect(lines.map((line) => line.split('=')[0]).sort()).toEqual([
      'INSTANCE_ID',
      'LOG_LEVEL',
      'OVERLAP_POLICY',
      'PORT',
    ]);
  });

  it('by default the sessions of a user are limited, and no rate is', () => {
    const { limits, session, proxy } = readConfig({});
    expect(session.sessionsPerUserMax).toBe(100);
    expect(limits).toEqual({
      connectionsPerMinute: 0,
      requestsPerMinute: 0,
      messagesPerMinute: 0,
      guessesPerMinute: 0,
      failedCredentialsPerMinute: 0,
    });
    expect(proxy).toEqual({ trust: { kind: 'hops', hops: 0 }, header: 'x-forwarded-for' });
  });

  it('TRUST_PROXY is a number of proxies, or a list of addresses and networks', () => {
    const trust = (text: string) => readConfig({ TRUST_PROXY: text }).proxy.trust;
    expect(trust('2')).toEqual({ kind: 'hops', hops: 2 });
    expect(trust('10.0.0.0/8, 192.0.2.7,fd00::/8')).toEqual({
      kind: 'networks',
      networks: [
        { address: '10.0.0.0', prefix: 8 },
        { address: '192.0.2.7', prefix: 32 },
        { address: 'fd00::', prefix: 8 },
      ],
    });
    const wrong = [
      'true',
      'all',
      '-1',
      '1.5',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0/8',
      '10.0.0.1,',
      'a,10.0.0.1',
    ];
    for (const text of [...wrong, '10.0.0.0/8/8', '::/129', '10.0.0.1/x', '999'])
      expect(refusal({ TRUST_PROXY: text })).toEqual([expect.stringContaining('TRUST_PROXY')]);
  });

  it('the configuration is frozen', () => {
    expect(Object.isFrozen(readConfig({}))).toBe(true);
  });
});
