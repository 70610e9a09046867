import type { Section } from './section.ts';

export const plan: readonly Section[] = [
  {
    title: 'Phase 1: core repository',
    rows: [
      {
        asks: '1. SessionRepository: CRUD, Redis data structures, TTL management',
        where: ['src/store/contract.ts', 'src/store/redis', 'src/store/sqlite'],
        shownBy: [
          [
            'test/conformance/store-fencing.ts',
            'raises the epoch with every claim and brings the stored session',
          ],
          ['test/conformance/store-log.ts', 'keeps a committed session without a time limit'],
          ['test/conformance/store-log.ts', 'leaves no trace of a session that ended'],
        ],
      },
      {
        asks: '2. Dependencies: Redis client configuration, injection, factory',
        where: ['src/store/redis/connection.ts', 'src/service.ts', 'src/config/config.ts'],
        shownBy: [
          ['test/conformance/store-redis-boot.test.ts', 'read addresses of one server and of a cluster'],
        ],
      },
      {
        asks: '3. Models: compatible with Redis, serialised, validated',
        where: ['src/session/machine/snapshot.ts', 'machines/versions.ts'],
        shownBy: [
          ['test/unit/machine/snapshot-golden.test.ts', 'there is a golden of every version in every state'],
          ['test/unit/machine/snapshot.test.ts', 'names what is wrong with it, for whoever repairs it'],
        ],
      },
    ],
  },
  {
    title: 'Phase 2: service layer',
    rows: [
      {
        asks: '1. SessionService: uses the repository, handles errors of Redis, caches if needed',
        where: [
          'src/session/router/session-router.ts',
          'src/session/actor/session-actor.ts',
          'src/session/actor/write.ts',
        ],
        shownBy: [
          ['test/integration/output-gate.test.ts', 'takes the message when it is back without a restart'],
          ['test/integration/round-trips.test.ts', 'are exactly one per transition'],
        ],
        note: 'The cache is the awake actor: it alone may write, so what it remembers is current.',
      },
      {
        asks: '2. Bridge manager: repository support, backward compatible, Redis storage',
        where: ['src/transport/websocket.ts', 'src/http/turns/join-turn.ts'],
        shownBy: [
          [
            'test/integration/shared-session.test.ts',
            'is told to both in identical frames in identical order',
          ],
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
        ],
      },
      {
        asks: '3. Health: Redis connection monitoring',
        where: ['src/http/operations/operations-routes.ts', 'src/analytics/population.ts'],
        shownBy: [
          [
            'test/integration/operations.test.ts',
            'says that it lives, on which store, and how durable that is',
          ],
          ['test/integration/operations.test.ts', 'is not ready while no write is possible'],
          ['test/integration/metrics.test.ts', 'go on being told while the store is away, and say so'],
        ],
      },
      {
        asks: '3. Health: session cleanup monitoring',
        where: ['src/analytics/measured-store.ts', 'deploy/alerts.yml'],
        shownBy: [
          ['test/integration/metrics.test.ts', 'say how late a sleeping session was taken up'],
          ['test/unit/analytics/metrics.test.ts', 'knows how late a sweep found a session'],
        ],
      },
      {
        asks: '3. Health: error reporting',
        where: ['src/telemetry/meters.ts', 'src/errors.ts'],
        shownBy: [
          [
            'test/unit/analytics/metrics.test.ts',
            'rejects as the store does, and counts the call that had no answer',
          ],
          [
            'test/conformance/store-redis-faults.test.ts',
            'is reported without a word of what was to be written',
          ],
        ],
      },
    ],
  },
  {
    title: 'Phase 3: migration support',
    rows: [
      {
        asks: '1. Session data migration script',
        where: ['src/migration/main.ts', 'src/migration/copy.ts'],
        shownBy: [
          ['test/fault/migrate.test.ts', 'killed twice and resumed, has every session there byte by byte'],
          ['test/integration/migrate.test.ts', 'goes from Redis to the embedded store as well, and back'],
          [
            'test/integration/migrate.test.ts',
            'become idle sessions of ours with their transcript and patient',
          ],
        ],
      },
      {
        asks: '1. Validation tools',
        where: ['src/migration/validate.ts', 'src/migration/equal.ts'],
        shownBy: [
          ['test/fault/migrate.test.ts', 'killed twice and resumed, has every session there byte by byte'],
          [
            'test/integration/migrate.test.ts',
            'overwrites nothing that is there already, and says that it differs',
          ],
        ],
      },
      {
        asks: '1. Rollback capability',
        where: ['src/migration/rollback.ts'],
        shownBy: [['test/integration/migrate.test.ts', 'brings sessions back as they are now']],
      },
      {
        asks: '2. Feature flag: toggle for the Redis backend, gradual rollout',
        where: ['src/store/rollout', 'src/config/config.ts'],
        shownBy: [['test/fault/migrate-rollout.test.ts', 'at 30 %, then 0 %, then 100 %']],
      },
      {
        asks: '2. Feature flag: monitoring hooks',
        where: ['src/analytics/measured-store.ts', 'docs/OPERATIONS.md'],
        shownBy: [
          ['test/integration/metrics.test.ts', 'have everything that an alert or the dashboard asks for'],
        ],
      },
      {
        asks: '3. Tests: Redis fixtures, existing tests, new Redis-specific tests',
        where: ['test/support/redis-server.ts', 'test/conformance/store-suite.ts'],
        shownBy: [
          [
            'test/integration/redis-server.test.ts',
            'keeps what an always-synced log acknowledged across SIGKILL',
          ],
          ['test/conformance/store-redis-faults.test.ts', 'that came back empty fences every owner'],
        ],
      },
    ],
  },
  {
    title: 'Phase 4: deployment and monitoring',
    rows: [
      {
        asks: '1. Configuration: Redis settings, environment variables',
        where: ['src/config/config.ts', 'docs/CONFIGURATION.md'],
        shownBy: [
          ['test/unit/config/config.test.ts', 'names every variable that cannot be used, one line each'],
        ],
      },
      {
        asks: '1. Configuration: monitoring',
        where: ['deploy/alerts.yml', 'deploy/grafana-dashboard.json'],
        shownBy: [
          ['test/integration/metrics.test.ts', 'have everything that an alert or the dashboard asks for'],
        ],
      },
      {
        asks: '2. Metrics: session count',
        where: ['src/analytics/population.ts'],
        shownBy: [['test/integration/metrics.test.ts', 'count the living sessions of all instances alike']],
      },
      {
        asks: '2. Metrics: TTL monitoring',
        where: ['src/analytics/population.ts'],
        shownBy: [['test/integration/metrics.test.ts', 'and know how long they have left']],
      },
      {
        asks: '2. Metrics: error rate',
        where: ['src/telemetry/meters.ts', 'src/telemetry/metrics.ts'],
        shownBy: [['test/unit/analytics/metrics.test.ts', 'counts the call that had no answer']],
      },
      {
        asks: '3. Documentation: API docs',
        where: ['src/http/core/openapi.ts', 'src/http/core/asyncapi.ts', 'docs/HTTP.md', 'docs/PROTOCOL.md'],
        shownBy: [
          ['test/unit/http/openapi.test.ts', 'is valid OpenAPI 3.1'],
          ['test/integration/sessions.test.ts', 'serves the documents of itself'],
        ],
      },
      {
        asks: '3. Documentation: Redis requirements, deployment guides',
        where: ['docs/OPERATIONS.md', 'docker-compose.yml'],
        shownBy: [
          ['test/conformance/store-redis-boot.test.ts', 'refuses a Redis that evicts live sessions'],
          ['test/unit/project/compose.test.ts', 'runs a PostgreSQL that all instances reach'],
        ],
        note: 'What the text requires of Redis is checked at start.',
      },
    ],
  },
  {
    title: 'Testing strategy',
    rows: [
      {
        asks: 'Unit: repository methods, service integration, error handling',
        where: ['test/conformance', 'test/unit'],
        shownBy: [
          ['test/conformance/store-fencing.ts', 'answers a repeated commit and append like the first time'],
          ['test/unit/config/errors.test.ts', 'holds exactly the codes that are promised'],
        ],
      },
      {
        asks: 'Integration: Redis operations, service workflows, migration tools',
        where: ['test/integration', 'test/e2e'],
        shownBy: [
          [
            'test/integration/across-instances.test.ts',
            'lets a cancel that is sent on the other instance reach the turn',
          ],
          ['test/integration/migrate.test.ts', 'goes from Redis to the embedded store as well, and back'],
        ],
      },
      {
        asks: 'Performance: load, concurrency, TTL behaviour',
        where: ['bench', 'docs/BENCHMARKS.md', 'test/fault'],
        shownBy: [
          ['test/fault/rolling-restart.test.ts', 'of three instances under five hundred talking clients'],
          ['test/fault/expiry.test.ts', 'ten thousand sessions that are due at one moment'],
        ],
      },
    ],
  },
  {
    title: 'Rollout strategy',
    rows: [
      {
        asks: 'Development, testing: core, migration validation, performance',
        where: ['.ci/run', 'bench/main.ts'],
        shownBy: [['test/fault/migrate.test.ts', 'killed twice and resumed']],
      },
      {
        asks: 'Staging: feature flag and migration tested, monitoring set up',
        where: ['deploy', 'docs/OPERATIONS.md'],
        shownBy: [['test/fault/migrate-rollout.test.ts', 'at 30 %, then 0 %, then 100 %']],
      },
      {
        asks: 'Production: gradual rollout, monitoring, support readiness',
        where: ['docs/OPERATIONS.md', 'deploy/alerts.yml'],
        shownBy: [['test/integration/metrics.test.ts', '%s leads to what to do']],
      },
    ],
  },
  {
    title: 'Success criteria',
    rows: [
      {
        asks: 'Functionality: all operations work, no data is lost',
        where: ['docs/GUARANTEES.md'],
        shownBy: [
          ['test/fault/chaos.test.ts', 'whatever dies, stalls or is cut'],
          ['test/simulation/simulation.test.ts', 'keeps every promise in'],
        ],
      },
      {
        asks: 'Performance: response times, resource usage, scalability',
        where: ['docs/BENCHMARKS.md', 'bench'],
        shownBy: [
          ['test/integration/round-trips.test.ts', 'are exactly one per transition'],
          ['test/conformance/store-listing-many.test.ts', 'every page is a bounded number of script calls'],
        ],
        note: 'There is no earlier system to be compared with; the numbers stand for themselves.',
      },
      {
        asks: 'Reliability: error rates, failover, consistency',
        where: ['docs/GUARANTEES.md'],
        shownBy: [
          ['test/fault/kill-owner.test.ts', 'costs no byte, no offset and no turn'],
          [
            'test/fault/stale-replica.test.ts',
            'after the promotion of a stale replica nobody is left with a silent gap',
          ],
          ['test/fault/redis-outage.test.ts', 'loses nothing that a client was told'],
          [
            'test/integration/drain-http.test.ts',
            'is told to come back, and the same key gets the one answer at another instance',
          ],
          ['test/fault/broken-session.test.ts', 'refuses the message and stays as it was'],
          ['test/fault/crash-isolation.test.ts', 'hands the running turns over and ends the process'],
        ],
      },
      {
        asks: 'Maintainability: documentation, monitoring, support procedures',
        where: ['docs/OPERATIONS.md', 'CONTRIBUTING.md', 'scripts/floors.ts'],
        shownBy: [['test/integration/metrics.test.ts', '%s leads to what to do']],
      },
    ],
  },
];
