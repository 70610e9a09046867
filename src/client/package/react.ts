/** `rehydra/react`: a session for a component. */
import { useEffect, useRef, useState } from 'react';
import type { ClientConversation } from '../assembler.ts';
import type { SendOptions } from '../session.ts';
import { type ConnectOptions, connect, type RehydraSession, type SentMessage } from './client.ts';

export interface SessionView {
  /** Null before the component is mounted. */
  readonly session: RehydraSession | null;
  readonly conversation: ClientConversation;
  readonly connected: boolean;
  /** The session is over, and the client dials no more. */
  readonly isOver: boolean;
  /** Throws before the component is mounted. */
  readonly send: (content: string, options?: SendOptions) => SentMessage;
  /** Stops the running answer. */
  readonly cancel: () => boolean;
}

const EMPTY = {
  conversation: { offset: 0, state: null, turns: [] },
  connected: false,
  isOver: false,
} as const;

/**
 * Connects while the component is mounted. Another `url`, `sessionId` or `userId` connects again; the other options count
 * when it does.
 */
export function useSession(options: ConnectOptions): SessionView {
  const latest = useRef(options);
  latest.current = options;
  const session = useRef<RehydraSession | null>(null);
  const [view, setView] = useState<Pick<SessionView, 'conversation' | 'connected' | 'isOver'>>(EMPTY);
  const [methods] = useState(() => methodsOf(session));
  const key = JSON.stringify([options.url, options.sessionId, options.userId]);
  // The key stands for the options that choose a session.
  useEffect(() => {
    const opened = connect(latest.current);
    session.current = opened;
    setView(EMPTY);
    const off = opened.on('*', ({ type }) => {
      const { conversation, connected } = opened;
      setView({ conversation, connected, isOver: type === 'over' });
    });
    return () => {
      off();
      opened.leave();
      session.current = null;
    };
  }, [key]);
  return { session: session.current, ...view, ...methods };
}

function methodsOf(session: {
  readonly current: RehydraSession | null;
}): Pick<SessionView, 'send' | 'cancel'> {
  return {
    send(content, options) {
      if (session.current === null) throw new Error('the component is not mounted');
      return session.current.send(content, options);
    },
    cancel: () => session.current?.cancel() === true,
  };
}
