import type { Section } from './section.ts';

export const spec: readonly Section[] = [
  {
    title: 'Redis session storage',
    rows: [
      {
        asks: 'Store all WebSocket session data in Redis, for several instances',
        where: ['src/store/redis/open.ts', 'src/store/redis/keys.ts', 'src/session/actor/session-actor.ts'],
        shownBy: [
          [
            'test/integration/across-instances.test.ts',
            'resumes on the second after k with exactly the frames',
          ],
          ['test/integration/output-gate.test.ts', 'lets nothing out while Redis is frozen'],
        ],
      },
      {
        asks: 'Session creation: a client connects → a record with a unique id and a TTL of 1 hour',
        where: ['src/session/actor/load.ts', 'src/store/redis/commands/commit.lua', 'src/config/config.ts'],
        shownBy: [
          [
            'test/integration/lifecycle.test.ts',
            'is opened under the id that the client names where that is unknown',
          ],
          ['test/unit/config/config.test.ts', 'has a default for everything: the promised ones'],
        ],
        note: 'The hour is SESSION_IDLE_MS, kept by the sweeper and not by a TTL of Redis, so that every end is said and archived (ADR 15).',
      },
      {
        asks: 'Session data persistence: data is updated → stored, with an updated TTL',
        where: ['src/store/redis/commands/commit.lua', 'src/store/redis/commands/append.lua'],
        shownBy: [
          ['test/conformance/store-log.ts', 'keeps a committed session without a time limit'],
          ['test/integration/lifecycle.test.ts', 'lives on when its client says so in time'],
        ],
      },
      {
        asks: 'Session expiration: inactive for more than 1 hour → expires and is removed',
        where: [
          'machines/session.ts',
          'src/session/cluster/sweeper.ts',
          'src/store/redis/commands/sweep.lua',
        ],
        shownBy: [
          ['test/integration/lifecycle.test.ts', 'leaves nothing in Redis when it ends with nobody there'],
          ['test/fault/expiry.test.ts', 'ten thousand sessions that are due at one moment'],
        ],
      },
    ],
  },
  {
    title: 'Session data structure',
    rows: [
      {
        asks: 'Metadata storage: client_id, user_id, diagnosis_id, connected_at, last_activity_at',
        where: ['machines/vocabulary.ts', 'src/http/sessions/session-description.ts'],
        shownBy: [['test/integration/sessions.test.ts', 'is told of with every field of the protocol']],
      },
      {
        asks: 'Metadata retrieval: by session id, all of it, from Redis',
        where: ['src/http/sessions/session-routes.ts', 'src/session/router/session-view.ts'],
        shownBy: [
          ['test/integration/sessions.test.ts', 'is told of with every field of the protocol'],
          [
            'test/integration/shared-session.test.ts',
            'shows its record under the same id on either instance',
          ],
        ],
      },
    ],
  },
  {
    title: 'Multi-instance session sharing',
    rows: [
      {
        asks: 'Cross-instance session access: reconnect to another instance → data is retrieved, the connection resumes',
        where: ['src/delivery/attach-client.ts', 'src/delivery/subscription.ts'],
        shownBy: [
          [
            'test/integration/across-instances.test.ts',
            'resumes on the second after k with exactly the frames',
          ],
          ['test/fault/flaky-network.test.ts', 'get every frame, in order, exactly once'],
        ],
      },
      {
        asks: 'Session lock for updates: several instances update at once → Redis locks prevent races',
        where: [
          'src/store/redis/lock.ts',
          'src/store/redis/commands/fence.lua',
          'docs/adr/0003-redlock-and-the-fence.md',
        ],
        shownBy: [
          ['test/conformance/store-fencing.ts', 'lets one of many simultaneous claims through'],
          ['test/integration/fence.test.ts', 'in the middle of a turn is refused'],
        ],
      },
    ],
  },
  {
    title: 'Session cleanup',
    rows: [
      {
        asks: 'Automatic cleanup: a session expires → its pub/sub channels are unsubscribed',
        where: ['src/delivery/hub.ts', 'src/store/redis/subscriber.ts'],
        shownBy: [
          [
            'test/conformance/store-redis-faults.test.ts',
            'leaves no subscription behind when the last watcher',
          ],
          ['test/integration/lifecycle.test.ts', 'is warned of its idle end once and then ends once'],
        ],
      },
      {
        asks: 'Manual termination: logout or close → the session is deleted at once',
        where: ['machines/session.ts', 'src/http/sessions/session-routes.ts'],
        shownBy: [
          [
            'test/integration/operations.test.ts',
            'ends a session by DELETE, for its client and in the store',
          ],
          ['test/integration/shared-session.test.ts', 'ends for all when a client closes it'],
          ['test/conformance/store-log.ts', 'leaves no trace of a session that ended'],
        ],
        note: 'A connection that breaks is no logout: the session goes on and can be resumed. The frame `close` ends it.',
      },
    ],
  },
];
