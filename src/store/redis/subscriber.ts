/**
 * The listening connection: hints of watched sessions, words to this instance.
 *
 *  I1  A bucket's channel is subscribed while at least one of its sessions is watched.
 *  I2  `watch` resolves once the server has confirmed; without a connection it rejects and leaves no trace.
 *  I3  After a lost connection everything is subscribed again and every watched session is hinted once, because
 *      whatever was published meanwhile is gone.
 *  I4  Listeners run outside the driver's reader, which one that throws would tear down.
 */

import { bucketOf, type Hint, type StoredFrame } from '../contract.ts';
import type { Client } from './connection.ts';
import { storeError, storeFailure } from './failure.ts';
import { bucketKeys, instanceChannel } from './keys.ts';

export interface Subscriber {
  watch(sessionId: string): Promise<void>;
  unwatch(sessionId: string): void;
  onHint(listener: (hint: Hint) => void): void;
  onSignal(instance: string, listener: (message: string) => void): Promise<void>;
}

interface Channel {
  readonly sessions: Set<string>;
  standing: Promise<unknown>;
}

export function movedMessage(sessionId: string): string {
  return `m${sessionId}`;
}

export function endedMessage(sessionId: string, frames: readonly StoredFrame[]): string {
  return `e${sessionId}\n${JSON.stringify(frames)}`;
}

/** Null for what is no hint of ours: a word on a channel must not be the end of all who listen. */
function hintOf(message: string): Hint | null {
  if (message.startsWith('m')) return { kind: 'moved', sessionId: message.slice(1) };
  const end = message.indexOf('\n');
  if (!message.startsWith('e') || end < 0) return null;
  const frames = framesOf(message.slice(end + 1));
  return frames === null ? null : { kind: 'ended', sessionId: message.slice(1, end), frames };
}

function framesOf(json: string): readonly StoredFrame[] | null {
  try {
    const frames = JSON.parse(json) as readonly StoredFrame[];
    return frames.every(({ offset, data }) => Number.isSafeInteger(offset) && typeof data === 'string')
      ? frames
      : null;
  } catch {
    return null;
  }
}

export function createSubscriber(client: Client): Subscriber {
  const channels = new Map<string, Channel>();
  const hintListeners: ((hint: Hint) => void)[] = [];
  const signalListeners = new Map<string, ((message: string) => void)[]>();
  let connected = client.status === 'ready';

  const channelOf = (sessionId: string) => bucketKeys(bucketOf(sessionId)).channel;

  function tell(hint: Hint): void {
    for (const listener of hintListeners) queueMicrotask(() => listener(hint));
  }

  function forget(name: string, sessionId: string): boolean {
    const channel = channels.get(name);
    if (channel === undefined) return false;
    channel.sessions.delete(sessionId);
    if (channel.sessions.size > 0) return false;
    return channels.delete(name);
  }

  async function subscribeAgain(): Promise<void> {
    const again = [...channels].map(([name, channel]) => {
      channel.standing = client.ssubscribe(name);
      return channel.standing;
    });
    await Promise.all([...again, ...[...signalListeners.keys()].map((name) => client.ssubscribe(name))]);
    connected = true;
    for (const { sessions } of channels.values()) {
      for (const sessionId of sessions) tell({ kind: 'moved', sessionId });
    }
  }

  client.on('smessage', (name: string, message: string) => {
    for (const listener of signalListeners.get(name) ?? []) queueMicrotask(() => listener(message));
    const channel = channels.get(name);
    if (channel === undefined) return;
    const hint = hintOf(message);
    if (hint !== null && channel.sessions.has(hint.sessionId)) tell(hint);
  });
  client.on('close', () => {
    connected = false;
  });
  client.on('ready', () => {
    // A connection that dies meanwhile rejects this, and its successor's `ready` starts over.
    subscribeAgain().catch(() => {});
  });

  return {
    async watch(sessionId) {
      if (!connected) throw storeError('STORE_UNAVAILABLE', 'no connection to listen on');
      const name = channelOf(sessionId);
      const channel = channels.get(name) ?? { sessions: new Set(), standing: client.ssubscribe(name) };
      channels.set(name, channel);
      channel.sessions.add(sessionId);
      try {
        await channel.standing;
      } catch (cause) {
        forget(name, sessionId);
        throw storeFailure(cause);
      }
    },
    unwatch(sessionId) {
      const name = channelOf(sessionId);
      // Without a connection there is nothing to take back: only what is in `channels` is subscribed again.
      if (forget(name, sessionId) && connected) client.sunsubscribe(name).catch(() => {});
    },
    onHint: (listener) => void hintListeners.push(listener),
    async onSignal(instance, listener) {
      const name = instanceChannel(instance);
      const listeners = signalListeners.get(name) ?? [];
      signalListeners.set(name, [...listeners, listener]);
      try {
        if (listeners.length === 0) await client.ssubscribe(name);
      } catch (cause) {
        throw storeFailure(cause);
      }
    },
  };
}
