/** The manifests of deploy/kubernetes are valid for the API and fit the service. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Deployment } from 'kubernetes-types/apps/v1.js';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.js';
import type { ConfigMap, Secret, Service } from 'kubernetes-types/core/v1.js';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.js';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.js';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfig } from '../../../src/config/config.ts';
import { environmentSchema } from '../../../src/config/settings.ts';
import { openMetrics } from '../../../src/telemetry/metrics.ts';
import { described } from '../../support/documented.ts';

interface Manifest {
  readonly file: string;
  readonly body: { readonly apiVersion: string; readonly kind: string };
}

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = join(root, 'deploy/kubernetes');
const files = readdirSync(folder).filter((file) => file.endsWith('.yaml'));
const manifests: readonly Manifest[] = files
  .filter((file) => file !== 'kustomization.yaml')
  .flatMap((file) =>
    parseAllDocuments(readFileSync(join(folder, file), 'utf8')).map((document) => {
      if (document.errors.length > 0) throw new Error(`${file}: ${document.errors.join(', ')}`);
      return { file, body: document.toJS() as Manifest['body'] };
    }),
  );

function only<T>(kind: string): T {
  const found = manifests.filter(({ body }) => body.kind === kind);
  if (found.length !== 1) throw new Error(`${found.length} manifests of kind ${kind}`);
  return found[0]?.body as T;
}

const deployment = only<Deployment>('Deployment').spec!;
const pod = deployment.template.spec!;
const [container] = pod.containers;
const config = only<ConfigMap>('ConfigMap').data!;
const secret = only<Secret>('Secret').stringData!;
const labels = deployment.template.metadata!.labels!;

/** TypeScript's errors for each object as a literal of the API's type, which refuses unknown fields too. */
function typeErrors(objects: Readonly<Record<string, Manifest['body']>>): Readonly<Record<string, string>> {
  // Below node_modules, so that TypeScript finds the types.
  const work = join(root, 'node_modules', '.rehydra', `manifests-${process.pid}`);
  folders.push(work);
  mkdirSync(work, { recursive: true });
  const compilerOptions = {
    strict: true,
    exactOptionalPropertyTypes: true,
    noEmit: true,
    module: 'nodenext',
    types: [],
  };
  writeFileSync(join(work, 'tsconfig.json'), JSON.stringify({ compilerOptions, include: ['*.ts'] }));
  for (const [name, body] of Object.entries(objects)) {
    const group = body.apiVersion === 'v1' ? 'core/v1' : body.apiVersion.replace('.k8s.io', '');
    const type = `import('kubernetes-types/${group}.js').${body.kind}`;
    writeFileSync(join(work, `${name}.ts`), `export const it: ${type} = ${JSON.stringify(body)};\n`);
  }
  const tsc = join(root, 'node_modules', '.bin', 'tsc');
  const { stdout, error } = spawnSync(tsc, ['-p', '.', '--pretty', 'false'], { cwd: work, encoding: 'utf8' });
  if (error !== undefined) throw error;
  const errors = new Map<string, string>();
  let current = '';
  for (const line of stdout.split('\n')) {
    current = /^([\w.-]+)\.ts\(/.exec(line)?.[1] ?? current;
    if (line !== '') errors.set(current, `${errors.get(current) ?? ''}${line}\n`);
  }
  return Object.fromEntries(errors);
}

const folders: string[] = [];
afterAll(() => {
  for (const path of folders) rmSync(path, { recursive: true, force: true });
});

function changed<T>(kind: string, change: (copy: T) => void): Manifest['body'] {
  const copy = structuredClone(only<T>(kind));
  change(copy);
  return copy as Manifest['body'];
}

describe('the Kubernetes manifests', () => {
  it('the Kubernetes manifests fit the types of the API, and the check refuses unknown, missing and mistyped fields', () => {
    const real = Object.fromEntries(manifests.map(({ file, body }) => [file.replace('.yaml', ''), body]));
    const wrong = {
      'unknown-field': changed<Deployment>('Deployment', ({ spec }) => {
        Object.assign(spec!.template.spec!.containers[0]!, { livnessProbe: {} });
      }),
      'wrong-type': changed<Deployment>('Deployment', ({ spec }) => {
        Object.assign(spec!.template.spec!, { terminationGracePeriodSeconds: '40' });
      }),
      'missing-field': changed<HorizontalPodAutoscaler>('HorizontalPodAutoscaler', ({ spec }) => {
        Reflect.deleteProperty(spec!, 'maxReplicas');
      }),
      'number-in-config': changed<ConfigMap>('ConfigMap', ({ data }) => {
        Object.assign(data!, { PORT: 8080 });
      }),
    };
    const errors = typeErrors({ ...real, ...wrong });
    expect(Object.keys(errors).sort()).toEqual(Object.keys(wrong).sort());
    expect(errors['unknown-field']).toContain('livnessProbe');
    expect(errors['wrong-type']).toContain('string');
    expect(errors['missing-field']).toContain('maxReplicas');
  });

  it('kustomization.yaml applies every Kubernetes manifest except the example of a Secret', () => {
    const { resources } = parse(readFileSync(join(folder, 'kustomization.yaml'), 'utf8')) as {
      readonly resources: readonly string[];
    };
    const others = files.filter((file) => !['kustomization.yaml', 'secret.example.yaml'].includes(file));
    expect([...resources].sort()).toEqual(others.sort());
  });

  it('the Kubernetes manifests set only variables that the service reads, to values that it accepts', () => {
    const settings = Object.keys(environmentSchema.shape);
    const named = (container!.env ?? []).map(({ name }) => name);
    for (const name of [...Object.keys(config), ...Object.keys(secret), ...named])
      expect(settings).toContain(name);
    const { host, port, drainMs, instance } = readConfig({
      ...config,
      ...secret,
      INSTANCE_ID: 'rehydra-7d9-x2',
    });
    expect({ host, port, instance }).toEqual({ host: '0.0.0.0', port: 8080, instance: 'rehydra-7d9-x2' });
    expect(drainMs).toBeGreaterThan(0);
  });

  it('the Kubernetes Deployment takes each secret from the Secret, and none from the ConfigMap', () => {
    const references = (container!.env ?? []).flatMap(({ name, valueFrom }) => {
      const key = valueFrom?.secretKeyRef;
      return key === undefined ? [] : [{ name, key: key.key, secret: key.name }];
    });
    expect(references.map(({ name }) => name).sort()).toEqual(Object.keys(secret).sort());
    for (const { name, key, secret: from } of references)
      expect({ key, from }).toEqual({ key: name, from: 'rehydra' });
    expect(Object.keys(config).filter((name) => /KEY|_URL$/.test(name))).toEqual([
      'VLLM_BASE_URL',
      // The address of public keys.
      'AUTH_JWT_JWKS_URL',
    ]);
    expect(container!.env).toContainEqual({
      name: 'INSTANCE_ID',
      valueFrom: { fieldRef: { fieldPath: 'metadata.name' } },
    });
  });

  it('the Kubernetes probes and scrapes use paths and ports that the service has', () => {
    const { startupProbe, livenessProbe, readinessProbe } = container!;
    expect(startupProbe!.httpGet!.path).toBe('/healthz');
    expect(livenessProbe!.httpGet!.path).toBe('/healthz');
    expect(readinessProbe!.httpGet!.path).toBe('/readyz');
    const annotations = deployment.template.metadata!.annotations!;
    const paths = described.filter(({ method }) => method === 'GET').map(({ path }) => path);
    for (const path of ['/healthz', '/readyz', annotations['prometheus.io/path']])
      expect(paths).toContain(path);

    const [port, operators] = container!.ports!;
    expect(String(port!.containerPort)).toBe(config.PORT);
    expect(String(operators!.containerPort)).toBe(config.ADMIN_PORT);
    expect(annotations['prometheus.io/port']).toBe(config.ADMIN_PORT);
    for (const probe of [startupProbe, livenessProbe, readinessProbe])
      expect(probe!.httpGet!.port).toBe(port!.name);
    const [front] = only<Service>('Service').spec!.ports!;
    expect(front!.targetPort).toBe(port!.name);
  });

  it('the Kubernetes NetworkPolicy lets the ingress reach conversations only, and the monitoring the port for operators only', () => {
    const [port, operators] = container!.ports!;
    const entries = only<NetworkPolicy>('NetworkPolicy').spec!.ingress!.map(({ from, ports }) => ({
      from: from!.map((one) => one.namespaceSelector!.matchLabels!['kubernetes.io/metadata.name']),
      ports: ports!.map((each) => each.port),
    }));
    expect(entries).toEqual([
      { from: ['ingress-nginx'], ports: [port!.name] },
      { from: ['monitoring'], ports: [operators!.name] },
    ]);
    expect(only<Service>('Service').spec!.ports!.map(({ targetPort }) => targetPort)).toEqual([port!.name]);
  });

  it('the Kubernetes Deployment gives a pod more time to stop than its preStop wait and its drain take', () => {
    const [command, seconds] = container!.lifecycle!.preStop!.exec!.command!;
    expect(command).toBe('sleep');
    const neededMs = Number(seconds) * 1_000 + readConfig({ ...config }).drainMs;
    expect(pod.terminationGracePeriodSeconds! * 1_000).toBeGreaterThan(neededMs + 5_000);
  });

  it('the Kubernetes autoscaler scales on a metric that the service has, below the number at which it refuses sessions', () => {
    const { spec } = only<HorizontalPodAutoscaler>('HorizontalPodAutoscaler');
    const metrics = openMetrics('x');
    metrics.observe({ localSessions: () => 0, connections: () => 0 });
    const known = metrics.registry.getMetricsAsArray().map(({ name }) => name);
    const pods = spec!.metrics!.flatMap((each) => each.pods ?? []);
    expect(pods).toHaveLength(1);
    for (const { metric, target } of pods) {
      expect(known).toContain(metric.name);
      expect(Number(target.averageValue)).toBeLessThan(readConfig({ ...config }).session.sessionsMax);
    }
    expect(spec!.scaleTargetRef).toMatchObject({ kind: 'Deployment', name: 'rehydra' });
    expect(deployment.replicas).toBeUndefined();
    expect(only<PodDisruptionBudget>('PodDisruptionBudget').spec!.maxUnavailable).toBe(1);
    expect(spec!.minReplicas).toBeGreaterThan(1);
  });

  it('a variant of the Kubernetes manifests scales on CPU alone, for clusters without a metrics adapter', () => {
    const variant = parse(
      readFileSync(join(root, 'deploy/kubernetes-cpu-only/kustomization.yaml'), 'utf8'),
    ) as {
      readonly resources: readonly string[];
      readonly patches: readonly { readonly target: object; readonly patch: string }[];
    };
    expect(variant.resources).toEqual(['../kubernetes']);
    const { spec } = only<HorizontalPodAutoscaler>('HorizontalPodAutoscaler');
    expect(spec!.metrics!.map(({ type }) => type)).toEqual(['Pods', 'Resource']);
    expect(variant.patches.map(({ target, patch }) => ({ target, patch: parse(patch) as unknown }))).toEqual([
      {
        target: { kind: 'HorizontalPodAutoscaler', name: 'rehydra' },
        patch: [
          { op: 'test', path: '/spec/metrics/0/type', value: 'Pods' },
          { op: 'remove', path: '/spec/metrics/0' },
        ],
      },
    ]);
  });

  it('every selector of the Kubernetes manifests selects the pods of the Deployment', () => {
    const selectors = [
      deployment.selector.matchLabels,
      only<Service>('Service').spec!.selector,
      only<PodDisruptionBudget>('PodDisruptionBudget').spec!.selector!.matchLabels,
      only<NetworkPolicy>('NetworkPolicy').spec!.podSelector.matchLabels,
      ...pod.topologySpreadConstraints!.map(({ labelSelector }) => labelSelector!.matchLabels),
    ];
    for (const selector of selectors) expect(labels).toMatchObject(selector!);
    for (const { whenUnsatisfiable } of pod.topologySpreadConstraints!)
      expect(['ScheduleAnyway', 'DoNotSchedule']).toContain(whenUnsatisfiable);
  });

  it('the Kubernetes Deployment runs the service as a user without privileges, on a read-only file system', () => {
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true });
    expect(container!.securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
    const dataDir = /DATA_DIR=(\S+)/.exec(dockerfile)?.[1];
    expect(container!.volumeMounts!.map(({ mountPath }) => mountPath)).toEqual([dataDir]);
    expect(pod.enableServiceLinks).toBe(false);
  });
});
