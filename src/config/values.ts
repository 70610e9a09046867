/** Values parses and checks each kind of setting. A message completes the sentence "NAME=value …". */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { z } from 'zod';
import { parseKeys, readKeyFile } from '../sealing/keys.ts';
import { parseWorkers } from './supervision.ts';

export type ExtraBody = Readonly<Record<string, unknown>>;

/** The proxies whose header may name a client's address. */
export type TrustProxy =
  | { readonly kind: 'hops'; readonly hops: number }
  | { readonly kind: 'networks'; readonly networks: readonly Network[] };

export interface Network {
  readonly address: string;
  readonly prefix: number;
}

/** `why` completes the sentence "NAME=value …". */
export type Parsed<Value> =
  | { readonly kind: 'parsed'; readonly value: Value }
  | { readonly kind: 'wrong'; readonly why: string };

/** A longer duration has a digit too many. */
const LONGEST_MS = 10 * 365 * 86_400_000;
const LONGEST_DAYS = 100 * 365;

/** Each request sets these: a fixed value would answer another question, or break a continuation. */
const REQUEST_FIELDS: readonly string[] = [
  'model',
  'messages',
  'prompt',
  'stream',
  'stream_options',
  'n',
  'stop',
  'temperature',
  'max_tokens',
  'max_completion_tokens',
  'session_id',
  'return_token_ids',
  'continue_final_message',
  'add_generation_prompt',
  'echo',
];

/** `fetch` refuses to connect to these ports: https://fetch.spec.whatwg.org/#port-blocking */
const BLOCKED_PORTS: ReadonlySet<number> = new Set([
  1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104,
  109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515,
  526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049,
  3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]);

export const milliseconds = (fallback: number, least = 0) =>
  z.coerce.number().int().min(least).max(LONGEST_MS).default(fallback);

export const days = (fallback: number) => z.coerce.number().int().min(1).max(LONGEST_DAYS).default(fallback);

export const count = (fallback: number, least = 0) => z.coerce.number().int().min(least).default(fallback);

/** A limit per minute, whose default depends on other settings. */
export const rate = z.coerce.number().int().min(0).optional();

export const port = (fallback: number) => z.coerce.number().int().min(0).max(65_535).default(fallback);

export const optionalPort = z.coerce.number().int().min(0).max(65_535).optional();

/** An operator who pastes the key itself must not read it back in the log. */
export const pemFile = z
  .string()
  .refine((text) => !text.includes('-----BEGIN'), { error: 'holds PEM itself; it takes the path of a file' });

export const flag = z
  .enum(['0', '1', 'true', 'false'])
  .default('false')
  .transform((value) => value === '1' || value === 'true');

export const redisUrl = z
  .string()
  .refine(isRedisUrl, { error: 'is not a Redis URL, such as redis://127.0.0.1:6379' });

export const postgresUrl = z
  .string()
  .refine((text) => /^postgres(ql)?:\/\//.test(text) && URL.canParse(text), {
    error: 'is not a PostgreSQL URL, such as postgres://user:password@127.0.0.1:5432/database',
  });

export const storeUrl = z.string().refine((text) => /^sqlite:./.test(text) || isRedisUrl(text), {
  error: 'is neither a Redis URL, such as redis://127.0.0.1:6379, nor sqlite:DIR',
});

export const modelUrls = parsed((text): Parsed<readonly string[]> => {
  const urls = text.split(',').flatMap((url) => url.trim() || []);
  const why = urls.map(modelUrlProblem).find((problem) => problem !== null);
  return why == null ? { kind: 'parsed', value: urls } : { kind: 'wrong', why };
});

export const extraBody = parsed((text): Parsed<ExtraBody> => {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { kind: 'wrong', why: 'is not JSON' };
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { kind: 'wrong', why: 'is not a JSON object' };
  const taken = REQUEST_FIELDS.filter((field) => Object.hasOwn(value, field));
  if (taken.length > 0) return { kind: 'wrong', why: `may not set ${taken.join(', ')}` };
  return { kind: 'parsed', value: value as ExtraBody };
});

export const trustProxy = parsed((text): Parsed<TrustProxy> => {
  if (/^\d{1,2}$/.test(text)) return { kind: 'parsed', value: { kind: 'hops', hops: Number(text) } };
  const networks = text.split(',').map((part) => networkIn(part.trim()));
  if (networks.includes(null))
    return { kind: 'wrong', why: 'is neither a number of proxies nor a list of addresses and networks' };
  return { kind: 'parsed', value: { kind: 'networks', networks: networks.filter((one) => one !== null) } };
});

export const workers = parsed(parseWorkers).default(1);

export const dataKeys = parsed(parseKeys);

export const dataKeysFile = parsed((path) => {
  const read = readKeyFile(path);
  if (read.kind === 'parsed') return { kind: 'parsed', value: { path, keys: read.value } };
  return read.why === 'cannot be read' ? { ...read, why: 'names a file that cannot be read' } : read;
});

export const auditKey = parsed(parseAuditKey);

export const auditKeyFile = parsed((path) => {
  try {
    return parseAuditKey(readFileSync(path, 'utf8').trim());
  } catch {
    return { kind: 'wrong', why: 'names a file that cannot be read' };
  }
});

function parseAuditKey(text: string): Parsed<KeyObject> {
  if (!/^[A-Za-z0-9+/_-]{43}=?$/.test(text)) return { kind: 'wrong', why: 'is not base64 of 32 bytes' };
  return { kind: 'parsed', value: createSecretKey(text, 'base64') };
}

export function parsed<Value>(parse: (text: string) => Parsed<Value>) {
  return z.string().transform((text, context) => {
    const result = parse(text);
    if (result.kind === 'parsed') return result.value;
    context.addIssue({ code: 'custom', message: result.why });
    return z.NEVER;
  });
}

function networkIn(text: string): Network | null {
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  const length = prefix === undefined ? bits : Number(prefix);
  const isOne = isIP(address) !== 0 && rest.length === 0 && /^\d{0,3}$/.test(prefix ?? '') && prefix !== '';
  return isOne && length <= bits ? { address, prefix: length } : null;
}

function modelUrlProblem(text: string): string | null {
  if (!/^https?:\/\//.test(text) || !URL.canParse(text))
    return 'is not the URL of a model server, such as http://127.0.0.1:8000/v1';
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return 'holds credentials; VLLM_API_KEY is for the key';
  if (isBlocked(url)) return `names port ${url.port}, to which HTTP clients refuse to connect; 8000 works`;
  return url.search === '' && url.hash === '' ? null : 'continues after its path, which ends in /v1';
}

export function isBlocked({ port }: URL): boolean {
  return port !== '' && BLOCKED_PORTS.has(Number(port));
}

function isRedisUrl(text: string): boolean {
  const cluster = /^rediss?\+cluster:\/\/(?:(.*)@)?([^/?#@]+)\/?$/.exec(text);
  if (cluster === null) return /^rediss?:\/\/./.test(text) && URL.canParse(text) && isDecodable(text);
  return (
    isDecodable(cluster[1] ?? '') &&
    (cluster[2] ?? '').split(',').every((node) => URL.canParse(`redis://${node}`) && node !== '')
  );
}

/** The drivers decode user and password, and throw if a percent sign begins no code. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
