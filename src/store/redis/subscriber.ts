/**
 * Listens for hints of watched sessions and for messages to this instance.
 *
 *  LISTEN-1  A bucket's channel is subscribed while at least one of its sessions is watched.
 *  LISTEN-2  `watch` resolves once the server has confirmed; without a connection it rejects and changes nothing.
 *  LISTEN-3  After a reconnect the subscriber subscribes to every channel again and hints every watched session once,
 *            because messages of the outage are lost.
 *  LISTEN-4  Listeners run outside the driver's reader: an exception in one would break the connection.
 */

import { bucketOf, type Hint, type Store, type StoredFrame } from '../contract.ts';
import { storedFrame, tailOf } from '../log.ts';
import type { Client } from './connection.ts';
import { redisError, redisFailure } from './failure.ts';
import { bucketKeys, instanceChannel } from './keys.ts';
import { framesOf, isWhole } from './texts/log-element.ts';

export type Subscriber = Pick<Store, 'watch' | 'unwatch' | 'onHint' | 'onSignal'>;

interface Channel {
  readonly sessions: Set<string>;
  subscribed: Promise<unknown>;
}

export function movedMessage(sessionId: string): string {
  return `m${sessionId}`;
}

export function endedMessage(sessionId: string, frames: readonly StoredFrame[]): string {
  const sent = frames.map(({ offset, data, aux }) => ({ offset, data, aux }));
  return `e${sessionId}\n${JSON.stringify(sent)}`;
}

/** Null for a foreign message, which must not end the subscriber. */
function hintOf(message: string): Hint | null {
  if (message.startsWith('m')) return { kind: 'moved', sessionId: message.slice(1) };
  const end = message.indexOf('\n');
  if (!message.startsWith('e') || end < 0) return null;
  const frames = endingOf(message.slice(end + 1));
  return frames === null ? null : { kind: 'ended', sessionId: message.slice(1, end), frames };
}

interface EndWithTail {
  readonly from: number;
  readonly tail: readonly string[];
  readonly frames: readonly StoredFrame[];
}

/** The frames of an ending, or the log's tail as `commit.lua` found it and then these frames. */
function endingOf(json: string): readonly StoredFrame[] | null {
  try {
    const sent = JSON.parse(json) as readonly StoredFrame[] | EndWithTail;
    if (Array.isArray(sent)) return checked(sent);
    const { from, tail, frames } = sent as EndWithTail;
    const ending = checked(frames);
    const whole = tail.findIndex(isWhole);
    if (ending === null || whole < 0) return ending;
    return [...tailOf(framesOf(from + whole, tail.slice(whole))), ...ending];
  } catch {
    return null;
  }
}

function checked(frames: readonly StoredFrame[]): readonly StoredFrame[] | null {
  return frames.every(({ offset, data }) => Number.isSafeInteger(offset) && typeof data === 'string')
    ? frames.map(({ offset, data, aux }) => storedFrame(offset, data, aux))
    : null;
}

export function createSubscriber(client: Client): Subscriber {
  const channels = new Map<string, Channel>();
  const hintListeners: ((hint: Hint) => void)[] = [];
  const signalListeners = new Map<string, ((message: string) => void)[]>();
  let connected = client.status === 'ready';

  const channelOf = (sessionId: string) => bucketKeys(bucketOf(sessionId)).channel;

  function emit(hint: Hint): void {
    for (const listener of hintListeners) queueMicrotask(() => listener(hint));
  }

  function forget(name: string, sessionId: string): boolean {
    const channel = channels.get(name);
    if (channel === undefined) return false;
    channel.sessions.delete(sessionId);
    if (channel.sessions.size > 0) return false;
    return channels.delete(name);
  }

  async function resubscribe(): Promise<void> {
    const again = [...channels].map(([name, channel]) => {
      channel.subscribed = client.ssubscribe(name);
      return channel.subscribed;
    });
    await Promise.all([...again, ...[...signalListeners.keys()].map((name) => client.ssubscribe(name))]);
    connected = true;
    for (const { sessions } of channels.values()) {
      for (const sessionId of sessions) emit({ kind: 'moved', sessionId });
    }
  }

  client.on('smessage', (name: string, message: string) => {
    for (const listener of signalListeners.get(name) ?? []) queueMicrotask(() => listener(message));
    const channel = channels.get(name);
    if (channel === undefined) return;
    const hint = hintOf(message);
    if (hint !== null && channel.sessions.has(hint.sessionId)) emit(hint);
  });
  client.on('close', () => {
    connected = false;
  });
  client.on('ready', () => {
    // If the connection dies first, the `ready` of the next one starts over.
    resubscribe().catch(() => {});
  });

  return {
    async watch(sessionId) {
      if (!connected) throw redisError('STORE_UNAVAILABLE', 'no connection to listen on');
      const name = channelOf(sessionId);
      const channel = channels.get(name) ?? { sessions: new Set(), subscribed: client.ssubscribe(name) };
      channels.set(name, channel);
      channel.sessions.add(sessionId);
      try {
        await channel.subscribed;
      } catch (cause) {
        forget(name, sessionId);
        throw redisFailure(cause);
      }
    },
    unwatch(sessionId) {
      const name = channelOf(sessionId);
      // Without a connection there is nothing to unsubscribe, and the next one subscribes only to `channels`.
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
        throw redisFailure(cause);
      }
    },
  };
}
