/**
 * Consistency compares settings with each other. `contradictions` refuse a start, `warnings` do not. A default contradicts
 * nothing: an operator who sets one of two values has not chosen the other.
 */

import { isLoopback } from '../startup/address.ts';
import { identityProblems, identityWarnings } from './identity.ts';
import { knownNames, type Settings } from './settings.ts';
import { unknownNames } from './unknown-names.ts';
import { type Environment, shown } from './variables.ts';

type Duration = Extract<keyof Settings, `${string}_MS`>;

/** A `lower` that is set above its `upper` is never reached. */
const ordered: readonly { readonly lower: Duration; readonly upper: Duration; readonly effect: string }[] = [
  {
    lower: 'SESSION_IDLE_MS',
    upper: 'SESSION_ABSOLUTE_MS',
    effect: 'every session would end before it is idle',
  },
  {
    lower: 'SESSION_WARN_MS',
    upper: 'SESSION_IDLE_MS',
    effect: 'every session would warn before it is idle',
  },
  {
    lower: 'GENERATION_FIRST_TOKEN_MS',
    upper: 'GENERATION_TOTAL_MS',
    effect: 'the model would never have that long to begin',
  },
  {
    lower: 'GENERATION_INTER_TOKEN_MS',
    upper: 'GENERATION_TOTAL_MS',
    effect: 'the model would never have that long between two tokens',
  },
];

export function contradictions(values: Settings, given: ReadonlySet<string>): readonly string[] {
  const reversed = ordered.flatMap(({ lower, upper, effect }) => {
    const isReversed = given.has(lower) && values[lower] > values[upper];
    return isReversed ? [`${lower}=${values[lower]} is above ${upper}=${values[upper]}: ${effect}`] : [];
  });
  return [
    ...reversed,
    ...workerProblems(values),
    ...rolloutProblems(values),
    ...keyProblems(values),
    ...identityProblems(values),
    ...portProblems(values),
    ...auditProblems(values),
  ];
}

/** `auto` is refused even on one core: the same settings must not fail on a larger machine. */
export function workerProblems(values: Settings, platform: string = process.platform): readonly string[] {
  const { WORKERS: workers, REDIS_URL: redis, STORE_ROLLOUT_URL: target } = values;
  if (workers === 1) return [];
  const problem = `WORKERS=${workers}`;
  if (platform !== 'linux')
    return [`${problem} needs Linux, whose kernel shares one port among processes; set WORKERS=1`];
  if (redis === undefined)
    return [`${problem} needs REDIS_URL: the embedded store serves one process; set REDIS_URL, or WORKERS=1`];
  if (target?.startsWith('sqlite:') === true)
    return [`${problem} cannot move sessions to ${target}: the embedded store serves one process`];
  if (values.DATABASE_URL === undefined && values.DATA_DIR.startsWith(':memory:'))
    return [
      `${problem} needs DATABASE_URL or a folder as DATA_DIR: with DATA_DIR=${values.DATA_DIR} each worker would have an archive of its own`,
    ];
  return [];
}

function rolloutProblems(values: Settings): readonly string[] {
  const { STORE_ROLLOUT: percent, STORE_ROLLOUT_URL: target } = values;
  if (target === undefined)
    return percent > 0 ? [`STORE_ROLLOUT=${percent} needs STORE_ROLLOUT_URL, the store to move to`] : [];
  const source = values.REDIS_URL ?? `sqlite:${values.DATA_DIR}`;
  return source === target ? ['STORE_ROLLOUT_URL names the store that is already in use'] : [];
}

function keyProblems(values: Settings): readonly string[] {
  const { DATA_KEYS: keys, DATA_KEYS_FILE: file, DATA_PLAIN: plain } = values;
  if (keys !== undefined && file !== undefined)
    return ['DATA_KEYS and DATA_KEYS_FILE are both set; set one of them'];
  if (keys === undefined && file === undefined && plain === 'refuse')
    return ['DATA_PLAIN=refuse needs DATA_KEYS or DATA_KEYS_FILE: without keys everything is stored plain'];
  return [];
}

function portProblems(values: Settings): readonly string[] {
  const { TLS_CERT: cert, TLS_KEY: key, HOST: host, PORT: port } = values;
  const { ADMIN_HOST: adminHost, ADMIN_PORT: adminPort } = values;
  const [given, missing] = cert === undefined ? ['TLS_KEY', 'TLS_CERT'] : ['TLS_CERT', 'TLS_KEY'];
  const isHalf = (cert === undefined) !== (key === undefined);
  const isOpen = adminPort !== undefined && values.AUTH.length === 0 && !isLoopback(adminHost);
  const isSame = adminPort === port && port !== 0 && adminHost === host;
  return [
    ...(isHalf ? [`${given} is set without ${missing}; TLS needs both, the certificate and its key`] : []),
    ...(isOpen
      ? [`ADMIN_HOST=${adminHost} needs AUTH: set AUTH=jwt, keys or proxy, or ADMIN_HOST=127.0.0.1`]
      : []),
    ...(isSame ? [`ADMIN_PORT=${adminPort} is PORT; set another one, or unset it to share the port`] : []),
    ...plainProblems(values),
  ];
}

/** A bearer over a plain connection belongs to everyone on its way. */
function plainProblems(values: Settings): readonly string[] {
  const { AUTH: auth, TLS_CERT: cert, TLS_KEY: key, TRUST_PROXY: trust, ADMIN_PORT: adminPort } = values;
  const isBehindProxy = trust !== undefined && !(trust.kind === 'hops' && trust.hops === 0);
  if (auth.length === 0 || cert !== undefined || key !== undefined || isBehindProxy) return [];
  const hosts = { HOST: values.HOST, ...(adminPort === undefined ? {} : { ADMIN_HOST: values.ADMIN_HOST }) };
  const [open] = Object.entries(hosts).filter(([, host]) => !isLoopback(host));
  if (open === undefined) return [];
  return [
    `${open.join('=')} would take credentials unencrypted: set TLS_CERT and TLS_KEY, or TRUST_PROXY if a proxy in front ends TLS`,
  ];
}

function auditProblems(values: Settings): readonly string[] {
  const { AUDIT_LOG: log, AUDIT_KEY: key, AUDIT_KEY_FILE: file, AUDIT_STRICT: isStrict } = values;
  return [
    ...(key !== undefined && file !== undefined
      ? ['AUDIT_KEY and AUDIT_KEY_FILE are both set; set one of them']
      : []),
    ...(isStrict && log === undefined ? ['AUDIT_STRICT needs AUDIT_LOG, the log to write'] : []),
  ];
}

/** Probable mistakes that still let the service start, one line each. */
export function warnings(
  values: Settings,
  given: ReadonlySet<string>,
  environment: Environment,
): readonly string[] {
  const misspelt = unknownNames(environment, knownNames).map(
    ({ name, meant }) => `${name} is not a variable of this program and is ignored; ${meant} is one`,
  );
  const withoutVersion = (values.VLLM_BASE_URL ?? [])
    .filter((url) => !/\/v\d+\/?$/.test(new URL(url).pathname))
    .map(
      (url) => `${shown('VLLM_BASE_URL', url)} does not end in /v1, as the base URL of a model server does`,
    );
  const idle = (
    needed: 'VLLM_BASE_URL' | 'TRUST_PROXY' | 'ADMIN_PORT' | 'AUDIT_LOG',
    names: readonly string[],
  ) =>
    names
      .filter((name) => values[needed] === undefined && given.has(name))
      .map((name) => `${name} has no effect while ${needed} is not set`);
  return [
    ...misspelt,
    ...withoutVersion,
    ...idle('VLLM_BASE_URL', ['VLLM_MODEL', 'VLLM_API_KEY', 'VLLM_EXTRA_BODY']),
    ...idle('TRUST_PROXY', ['TRUST_PROXY_HEADER']),
    ...identityWarnings(values, given),
    ...idle('ADMIN_PORT', ['ADMIN_HOST']),
    ...idle('AUDIT_LOG', ['AUDIT_KEY', 'AUDIT_KEY_FILE']),
  ];
}
