/**
 * Lists the Redis commands, keys and channels that this store uses. The probe asks Redis whether the user of the
 * connection may use each of them, so an instance that lacks one is not ready; OPERATIONS.md documents the same list.
 */
import { bucketKeys, INSTANCES_KEY, instanceChannel, PURGE_KEY, tallyKey } from '../keys.ts';
import { type Script, scripts } from '../scripts.ts';

/** Commands that the store sends itself: scripts, hints, signals, and a look at the server. */
const SENT = ['EVAL', 'EVALSHA', 'SSUBSCRIBE', 'SUNSUBSCRIBE', 'SPUBLISH', 'INFO'] as const;

/** A managed Redis may forbid the first three: the store then warns and goes on. Only a cluster needs the last two. */
export const OPTIONAL_COMMANDS = [
  'CONFIG|GET',
  'BGREWRITEAOF',
  'BGSAVE',
  'CLIENT|SETNAME',
  'CLUSTER|INFO',
  'CLUSTER|SLOTS',
] as const;

/** Beside the hash of its script, the commands that redlock runs in scripts of its own. */
const REDLOCK = ['EXISTS', 'SET', 'GET', 'DEL'] as const;

const CALL = /redis\.p?call\('([A-Z]+)'/g;

/** All commands without which a session cannot run, in the order of the alphabet. */
export const REQUIRED_COMMANDS: readonly string[] = [
  ...new Set([...SENT, ...REDLOCK, ...Object.values(scripts).flatMap(commandsOf)]),
].toSorted();

export function commandsOf({ text }: Script): readonly string[] {
  return [...text.matchAll(CALL)].map(([, command = '']) => command);
}

/** The rights of the user, as ACL SETUSER, `user` in redis.conf and OPERATIONS.md take them. */
export function aclRule(): string {
  const commands = [...REQUIRED_COMMANDS, ...OPTIONAL_COMMANDS].map((name) => `+${name.toLowerCase()}`);
  return ['resetkeys', '~rehydra:*', 'resetchannels', '&rehydra:*', '-@all', ...commands].join(' ');
}

const PROBED = 'probe';

/** Calls that the probe does not run but asks about: a command, then arguments without spaces. */
export const PROBED_CALLS: readonly string[] = [
  ...REQUIRED_COMMANDS.map((command) => [command, ...argumentsOf(command)].join(' ')),
  ...probedKeys().map((key) => `SET ${key} 1`),
  ...probedChannels().flatMap((channel) => [`SSUBSCRIBE ${channel}`, `SPUBLISH ${channel} 1`]),
];

function argumentsOf(command: string): readonly string[] {
  const [key = ''] = probedKeys();
  const [channel = ''] = probedChannels();
  if (command === 'EVAL' || command === 'EVALSHA') return ['1', '1', key];
  if (command === 'SPUBLISH') return [channel, '1'];
  if (command === 'SSUBSCRIBE' || command === 'SUNSUBSCRIBE') return [channel];
  if (command === 'TIME' || command === 'INFO') return [];
  return command === 'RENAME' ? [key, key] : [key];
}

/** One key of each kind. */
function probedKeys(): readonly string[] {
  const { due, listing, channel: _, ...prefixes } = bucketKeys(0);
  return [
    ...Object.values(prefixes).map((prefix) => prefix + PROBED),
    due,
    listing,
    INSTANCES_KEY,
    PURGE_KEY,
    tallyKey(PROBED),
  ];
}

function probedChannels(): readonly string[] {
  return [bucketKeys(0).channel, instanceChannel(PROBED)];
}

/** A line for an operator that names what the probe found forbidden. */
export function deniedText(calls: readonly string[]): string {
  const named = new Set(calls.map((call) => call.split(' ').slice(0, 2).join(' ')));
  return `the Redis user may not run ${[...named].join(', ')}; OPERATIONS.md has the whole ACL line`;
}
