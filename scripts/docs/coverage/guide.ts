import type { Section } from './section.ts';

export const guide: readonly Section[] = [
  {
    title: 'Benefits',
    rows: [
      {
        asks: 'Follow-up questions; the model remembers previous exchanges',
        where: ['src/conversation/conversation.ts', 'src/session/turn/turn-runner.ts'],
        shownBy: [['test/e2e/guide.test.ts', 'test 3: the second answer of a conversation has seen both']],
      },
      {
        asks: 'Analytics: track conversation patterns and outcomes',
        where: ['src/http/operations/analytics-route.ts', 'src/archive/figures.ts'],
        shownBy: [['test/integration/analytics.test.ts', 'counts living sessions by state']],
      },
      {
        asks: 'Audit trail: keep the conversation history for compliance',
        where: ['src/session/actor/archiver.ts', 'src/archive/archive.ts'],
        shownBy: [
          ['test/integration/archive.test.ts', 'has what was said in a session that was closed'],
          ['test/integration/archive.test.ts', 'archives once what ended meanwhile: only then its keys go'],
        ],
      },
      {
        asks: 'Better UX: natural, conversational interactions',
        where: ['examples/conversation.ts', 'src/client/chat.ts'],
        shownBy: [
          [
            'test/e2e/examples.test.ts',
            'is a conversation in which each later answer has seen the earlier words',
          ],
        ],
      },
    ],
  },
  {
    title: 'Session id structure',
    rows: [
      {
        asks: 'Option A, recommended: UUID4, random, hard to guess',
        where: ['src/http/turns/protocol-request.ts', 'src/delivery/attach-client.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
          ['test/integration/protocol.test.ts', 'with an id that is no UUID'],
        ],
      },
      {
        asks: 'Options B (timestamp + random) and C (short hash)',
        where: ['src/http/turns/derived-id.ts'],
        shownBy: [
          [
            'test/integration/protocol.test.ts',
            'of two clients that say different things does not bring them',
          ],
        ],
        note: 'Not taken, as the guide recommends. A request with an Idempotency-Key but no session gets a UUID that follows from both.',
      },
    ],
  },
  {
    title: 'Implementation points',
    rows: [
      {
        asks: '1.1 `session_id` is optional in the request; age, gender, chief_complaint, vitals, past_medical_history are validated',
        where: [
          'src/http/turns/protocol-request.ts',
          'src/conversation/patient/patient.ts',
          'src/conversation/patient/vitals.ts',
        ],
        shownBy: [
          ['test/integration/protocol.test.ts', 'with a heart that races too much'],
          ['test/unit/conversation/patient.test.ts', 'a blood pressure comes as a text or in its parts'],
          ['test/unit/conversation/patient.test.ts', 'the values of a patient who is dying are accepted'],
        ],
      },
      {
        asks: '1.2 The response: protocol, patient_summary, metadata, timestamp, `session_id` always',
        where: ['src/http/turns/protocol-answer.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
        ],
      },
      {
        asks: '2.1–2.2 Session storage; get or create',
        where: ['src/session/actor/load.ts', 'src/session/router/session-router.ts'],
        shownBy: [
          [
            'test/e2e/guide.test.ts',
            'test 2: a session is used again by its id, and counts its conversations',
          ],
        ],
      },
      {
        asks: '2.2 `_cleanup_expired_sessions`',
        where: ['src/session/cluster/sweeper.ts'],
        shownBy: [['test/fault/expiry.test.ts', 'ten thousand sessions that are due at one moment']],
      },
      {
        asks: '2.3 Metadata: inference_time_ms, model, temperature, max_tokens, conversation_count',
        where: ['machines/turn.ts', 'src/http/turns/protocol-answer.ts'],
        shownBy: [
          [
            'test/e2e/guide.test.ts',
            'test 2: a session is used again by its id, and counts its conversations',
          ],
          ['test/integration/protocol.test.ts', 'may ask for a shorter answer, and is told what it got'],
        ],
      },
      {
        asks: '2.3 patient_summary',
        where: ['src/conversation/patient/patient-text.ts'],
        shownBy: [
          ['test/unit/conversation/patient.test.ts', 'the summary of one turn is what that turn sent'],
          ['test/e2e/guide.test.ts', 'what is new of the patient is added to what was known'],
        ],
      },
      {
        asks: '3. System prompt; the history goes into the messages',
        where: ['src/conversation/system-prompt.md', 'src/conversation/window/window.ts'],
        shownBy: [
          ['test/unit/conversation/strategy.test.ts', 'is the operator’s file where there is one'],
          ['test/conformance/window.test.ts', 'a patient is told once, in the system message'],
        ],
      },
      {
        asks: '4. vLLM stays stateless',
        where: ['src/generation/port.ts', 'src/generation/vllm.ts'],
        shownBy: [
          [
            'test/fault/upstream.test.ts',
            'that is killed in mid-answer leaves the rest to the other replica',
          ],
        ],
      },
    ],
  },
  {
    title: 'Session storage strategies',
    rows: [
      {
        asks: 'A. In memory, for development: no external dependency',
        where: ['src/store/sqlite/database.ts'],
        shownBy: [
          ['test/integration/operations.test.ts', 'says that an embedded store in memory keeps nothing'],
        ],
        note: 'Without REDIS_URL an embedded store in a file; DATA_DIR=:memory: keeps nothing.',
      },
      {
        asks: 'B. Redis, for production: survives restarts, several servers, TTL, atomic',
        where: ['src/store/redis'],
        shownBy: [
          ['test/integration/chat.test.ts', 'resumes a session by its id after the server was restarted'],
          ['test/fault/rolling-restart.test.ts', 'of three instances under five hundred talking clients'],
        ],
        note: 'The guide’s `allkeys-lru` deletes living sessions and is refused at start.',
      },
      {
        asks: 'C. Database: long-term storage, queryable, analytics, audit, schema management',
        where: ['src/archive', 'docs/adr/0008-archive-in-sql.md'],
        shownBy: [
          ['test/conformance/archive-suite.ts', 'reads back what was stored, to the last field'],
          [
            'test/conformance/archive-suite.ts',
            'can be opened by several at the same moment, the first time too',
          ],
        ],
      },
      {
        asks: 'Recommended: in memory → Redis → database, step by step',
        where: ['src/migration', 'src/store/rollout'],
        shownBy: [
          ['test/fault/migrate.test.ts', 'killed twice and resumed, has every session there byte by byte'],
        ],
      },
    ],
  },
  {
    title: 'Session lifecycle',
    rows: [
      {
        asks: '1. Creation, approach A: the client generates the id, the server validates it',
        where: ['src/http/turns/protocol-request.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'a client may choose the id of its session itself, in either case'],
        ],
      },
      {
        asks: '1. Creation, approach B: the server generates it',
        where: ['src/http/turns/protocol-route.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
        ],
      },
      {
        asks: '2A. Idle timeout',
        where: ['machines/session.ts', 'machines/deadlines.ts'],
        shownBy: [['test/unit/machine/deadlines.test.ts', 'holds for a session that nobody is attached to']],
      },
      {
        asks: '2B. Absolute timeout',
        where: ['machines/session.ts', 'machines/deadlines.ts'],
        shownBy: [['test/integration/lifecycle.test.ts', 'ends at its absolute deadline however busy it is']],
      },
      {
        asks: '2C. Both together; longer for medicine by configuration',
        where: ['machines/deadlines.ts', 'src/config/config.ts'],
        shownBy: [
          ['test/integration/lifecycle.test.ts', 'the idle deadline moves, the absolute one does not'],
        ],
      },
      {
        asks: '2. Warn users before expiration',
        where: ['machines/session.ts', 'machines/deadlines.ts'],
        shownBy: [
          ['test/integration/lifecycle.test.ts', 'is warned of its idle end once and then ends once'],
        ],
      },
      {
        asks: '3. Retrieval: exists and valid → history is loaded, continue',
        where: ['src/session/actor/load.ts'],
        shownBy: [
          ['test/integration/restart.test.ts', 'holds no lock and no memory, keeps its socket, and wakes'],
        ],
      },
      {
        asks: '3. Retrieval: expired → new session under the same id; unknown → new session',
        where: ['src/session/actor/load.ts', 'src/session/actor/session-actor.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'an expired id starts afresh under the same id'],
          ['test/e2e/guide.test.ts', 'an id that expired while no instance was there starts afresh'],
        ],
      },
      {
        asks: '4. Background cleanup that goes on after errors',
        where: ['src/session/cluster/sweeper.ts'],
        shownBy: [['test/unit/session/sweeper.test.ts', 'goes on after a store that did not answer']],
      },
    ],
  },
  {
    title: 'Endpoints and data flow',
    rows: [
      {
        asks: '`POST /api/protocol`, with and without session_id (backward compatible)',
        where: ['src/http/turns/protocol-route.ts', 'docs/adr/0009-turns-over-http.md'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
          ['test/integration/protocol.test.ts', 'that goes away leaves its turn running'],
          ['test/integration/protocol-stream.test.ts', 'begins with welcome, says the durable frames'],
        ],
      },
      {
        asks: '`GET /api/session/{id}`; 404 where there is none',
        where: ['src/http/sessions/session-routes.ts'],
        shownBy: [
          [
            'test/e2e/guide.test.ts',
            'the endpoints of the guide tell of a session, list it, and delete it at once',
          ],
          ['test/integration/sessions.test.ts', 'whose id is written in capitals is the same session'],
        ],
      },
      {
        asks: '`DELETE /api/session/{id}`',
        where: ['src/http/sessions/session-routes.ts', 'src/http/sessions/erase-routes.ts'],
        shownBy: [
          ['test/integration/sessions.test.ts', 'is gone for everybody when its deletion is answered'],
          ['test/integration/erasure.test.ts', 'leaves no byte of a session that lives'],
          ['test/integration/erasure.test.ts', 'stays erased where its owner was frozen'],
        ],
      },
      {
        asks: '`GET /api/sessions`: count and sessions',
        where: ['src/http/sessions/list-route.ts', 'src/store/redis/commands/listing.lua'],
        shownBy: [
          ['test/integration/sessions.test.ts', 'has each session of a user on exactly one page'],
          ['test/conformance/store-listing-many.test.ts', 'every page is a bounded number of script calls'],
        ],
      },
      {
        asks: 'Data flow with sessions: history in, answer saved, metadata updated, state preserved',
        where: ['src/session/actor/session-actor.ts', 'src/session/actor/frames.ts'],
        shownBy: [['test/property/actor-races.test.ts', 'one story is told']],
      },
    ],
  },
  {
    title: 'Use cases',
    rows: [
      {
        asks: '1. Follow-up questions',
        where: ['examples/follow-up.ts'],
        shownBy: [
          [
            'test/e2e/examples.test.ts',
            'is a conversation in which each later answer has seen the earlier words',
          ],
        ],
      },
      {
        asks: '2. Iterative diagnosis',
        where: ['examples/iterative-diagnosis.ts'],
        shownBy: [
          [
            'test/e2e/examples.test.ts',
            'is a conversation in which each later answer has seen the earlier words',
          ],
          ['test/e2e/guide.test.ts', 'what is new of the patient is added to what was known'],
        ],
      },
      {
        asks: '3. Protocol refinement',
        where: ['examples/refinement.ts'],
        shownBy: [
          [
            'test/e2e/examples.test.ts',
            'is a conversation in which each later answer has seen the earlier words',
          ],
        ],
      },
      {
        asks: '4. Analytics: average turns per session',
        where: ['src/archive/figures.ts'],
        shownBy: [['test/integration/analytics.test.ts', 'of ended ones turns, abandonment, revisions']],
      },
      {
        asks: '4. Analytics: common follow-up questions',
        where: ['src/archive/figures.ts', 'src/http/dashboard'],
        shownBy: [
          ['test/conformance/archive-figures.ts', 'are those that a person would count'],
          ['test/e2e/dashboard.test.ts', 'shows what users wrote as text'],
        ],
      },
      {
        asks: '4. Analytics: abandonment after one turn',
        where: ['src/archive/figures.ts'],
        shownBy: [['test/integration/analytics.test.ts', 'of ended ones turns, abandonment, revisions']],
      },
      {
        asks: '4. Analytics: peak usage times',
        where: ['src/archive/figures.ts'],
        shownBy: [
          ['test/conformance/archive-figures.ts', 'are those that a person would count'],
          ['test/e2e/dashboard.test.ts', 'draws figures and charts, in a %s room'],
        ],
      },
      {
        asks: '4. Analytics: protocol revision rate',
        where: ['src/archive/rows/rows.ts', 'src/archive/figures.ts'],
        shownBy: [['test/conformance/archive-figures.ts', 'are those that a person would count']],
        note: 'A conversation counts as revised where a later answer differs from the first; nobody judges by how much.',
      },
    ],
  },
  {
    title: 'Challenge 1: context window',
    rows: [
      {
        asks: 'A long conversation never exceeds 8,192 tokens',
        where: ['src/conversation/window', 'docs/adr/0007-context-window.md'],
        shownBy: [['test/conformance/window.test.ts', '%s never gets a context-length error']],
      },
      {
        asks: 'A. Sliding window',
        where: ['src/conversation/window/strategy.ts'],
        shownBy: [['test/unit/conversation/window.test.ts', 'keeps the last N turns before the current one']],
      },
      {
        asks: 'B. Summarisation',
        where: ['src/conversation/summary.ts', 'src/session/turn/summary.ts'],
        shownBy: [['test/unit/conversation/window.test.ts', 'asks for one before anything is lost']],
      },
      {
        asks: 'C. Adaptive window: system prompt always, recent turns, medical terms, verbose ones out first',
        where: ['src/conversation/window/rank.ts', 'src/conversation/window/findings.ts'],
        shownBy: [
          ['test/unit/conversation/window.test.ts', 'keeps an old allergy and drops what is old and long'],
        ],
      },
      {
        asks: 'Monitor token usage',
        where: ['src/conversation/tokens/token-counter.ts', 'src/analytics/measured-generator.ts'],
        shownBy: [
          ['test/unit/conversation/tokens.test.ts', 'what its messages cost, and what every prompt costs'],
          ['test/integration/metrics.test.ts', 'and what they read and wrote'],
        ],
      },
    ],
  },
  {
    title: 'Challenge 2: privacy',
    rows: [
      {
        asks: '1. Encryption of session data at rest, and in transit',
        where: ['src/sealing', 'src/store/sealed', 'src/archive/field-cipher.ts', 'docs/adr/0012-sealing.md'],
        shownBy: [
          ['test/integration/sealing.test.ts', 'Redis and PostgreSQL hold no word of a conversation'],
          ['test/integration/sealing.test.ts', 'goes on after a restart with a new key before the old one'],
          ['test/property/sealing.test.ts', 'opens in no other session and no other place'],
          ['test/conformance/archive-sealed.test.ts', 'has no word of a conversation in its files'],
        ],
        note: 'At rest: once DATA_KEYS is set. In transit: rediss://, TLS of PostgreSQL’s URL, TLS in front.',
      },
      {
        asks: '2. No patient data in session ids',
        where: ['src/http/turns/protocol-request.ts', 'src/http/turns/derived-id.ts'],
        shownBy: [['test/integration/protocol.test.ts', 'with an id that is no UUID']],
      },
      {
        asks: '3. Auto-delete after retention',
        where: ['src/archive/retention.ts'],
        shownBy: [
          ['test/conformance/archive-erasure.ts', 'retires what ended before a date, over several batches'],
        ],
      },
      {
        asks: 'Erasure of one session or one user, everywhere',
        where: ['src/http/sessions/erase-routes.ts', 'docs/adr/0010-erasure-and-figures.md'],
        shownBy: [
          [
            'test/integration/erasure.test.ts',
            'leaves no byte of a session that lives, nor of its earlier lives',
          ],
          ['test/integration/erasure.test.ts', 'leaves no byte of a user: their sessions that live'],
          ['test/conformance/archive-postgres.test.ts', 'leaves no byte in the write-ahead log either'],
        ],
      },
      {
        asks: '4. Audit log of all access (action, session, user, address)',
        where: ['src/audit', 'src/http/core/audit.ts', 'docs/adr/0013-audit-log.md'],
        shownBy: [
          ['test/integration/audit.test.ts', 'has a line for each thing that a socket does in a session'],
          ['test/integration/audit.test.ts', 'has a line for each thing that is done over HTTP'],
          ['test/integration/audit.test.ts', 'has a line for what was forbidden'],
          ['test/integration/audit.test.ts', 'has in all that no word of a conversation'],
          ['test/integration/audit.test.ts', 'has every access that was answered'],
        ],
        note: 'The user is who the client says; that it is them is for the layer in front.',
      },
      {
        asks: 'Nothing of a conversation in logs or errors',
        where: ['src/telemetry/log.ts', 'src/errors.ts'],
        shownBy: [
          ['test/integration/erasure.test.ts', 'leaves no byte of a user: their sessions that live'],
          [
            'test/conformance/store-redis-faults.test.ts',
            'is reported without a word of what was to be written',
          ],
        ],
      },
      {
        asks: 'Patient consent, breach notification, legal review',
        where: ['docs/OPERATIONS.md'],
        shownBy: [],
        note: 'Not software.',
      },
    ],
  },
  {
    title: 'Challenge 3: hijacking',
    rows: [
      {
        asks: '1. Strong UUIDs',
        where: ['src/http/turns/protocol-route.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
        ],
      },
      {
        asks: '2. Validate session ownership',
        where: ['machines/access.ts'],
        shownBy: [
          ['test/unit/machine/sharing.test.ts', 'lets no stranger in, and is not kept alive by one'],
          ['test/integration/shares.test.ts', 'may not enter, by socket or over HTTP, on either instance'],
        ],
        note: 'By the user id that the client says; that it is theirs is for the layer in front. Addresses are not compared: phones change them.',
      },
      {
        asks: '3. Short expiration',
        where: ['src/config/config.ts'],
        shownBy: [['test/unit/config/config.test.ts', 'has a default for everything: the promised ones']],
      },
      {
        asks: '4. Rate limiting',
        where: [
          'src/limits/limits.ts',
          'src/http/core/limits.ts',
          'docs/adr/0011-limits.md',
          'docs/OPERATIONS.md',
        ],
        shownBy: [
          [
            'test/security/rate-limits.test.ts',
            'of one address are answered with 429 and when to come back, on every route',
          ],
          [
            'test/security/rate-limits.test.ts',
            'of one user are refused over all sessions, by socket and by HTTP',
          ],
          [
            'test/security/rate-limits.test.ts',
            'ends after so many that were wrong, for every way of naming one and also for ids that exist',
          ],
          ['test/unit/transport/client-address.test.ts', 'what a client wrote itself is not reached'],
          ['test/security/junk.test.ts', 'five times in a row closes the connection with 1008'],
        ],
        note: 'Per instance, by address, user and session. Failed guesses are limited by default; volume where the operator sets it, such as the guide’s ten a minute.',
      },
      {
        asks: '5. HTTPS only, secure cookies',
        where: ['docs/OPERATIONS.md'],
        shownBy: [],
        note: 'TLS ends in front; there are no cookies.',
      },
    ],
  },
  {
    title: 'Challenge 4: races',
    rows: [
      {
        asks: 'Requests A and B at once: neither overwrites the other',
        where: ['src/session/actor/session-actor.ts', 'src/store/redis/commands/commit.lua'],
        shownBy: [
          ['test/property/actor-races.test.ts', 'one story is told'],
          [
            'test/conformance/store-fencing.ts',
            'refuses another version and another head, and changes nothing',
          ],
        ],
      },
      {
        asks: 'A. Queuing: one request per session at a time',
        where: ['machines/session.ts', 'machines/queue.ts'],
        shownBy: [['test/integration/protocol.test.ts', 'lets others wait in line, in order']],
      },
      {
        asks: 'B. 429 if busy',
        where: ['machines/session.ts', 'src/http/core/router.ts'],
        shownBy: [['test/integration/protocol.test.ts', 'is busy under the policy reject, on %s']],
      },
      {
        asks: 'C. Redis locks for several servers, with timeouts',
        where: [
          'src/store/redis/lock.ts',
          'src/store/redis/commands/claim.lua',
          'src/session/actor/lease.ts',
        ],
        shownBy: [
          ['test/conformance/store-fencing.ts', 'lets one of many simultaneous claims through'],
          ['test/integration/fence.test.ts', 'in the middle of a turn is refused'],
          ['test/unit/session/lease.test.ts', 'asks the model nothing where another has taken the session'],
        ],
      },
    ],
  },
  {
    title: 'Performance',
    rows: [
      {
        asks: 'Memory per session (8–10 KB)',
        where: ['bench/memory.ts', 'docs/BENCHMARKS.md'],
        shownBy: [
          ['test/integration/restart.test.ts', 'holds no lock and no memory, keeps its socket, and wakes'],
        ],
      },
      {
        asks: 'A limit of active sessions',
        where: [
          'src/session/router/local-sessions.ts',
          'src/session/actor/user-quota.ts',
          'docs/adr/0011-limits.md',
        ],
        shownBy: [
          [
            'test/integration/sessions-limit.test.ts',
            'an instance that is full refuses another session clearly',
          ],
          [
            'test/integration/sessions-per-user.test.ts',
            'is refused another on every instance, clearly, by socket and by HTTP',
          ],
          [
            'test/integration/sessions-per-user.test.ts',
            'goes on with each that there is, from any instance',
          ],
        ],
        note: 'Beyond SESSIONS_MAX of an instance or SESSIONS_PER_USER_MAX new ones are refused; the guide’s eviction of the oldest would end living conversations.',
      },
      {
        asks: 'Latency (5–10 ms with Redis) and throughput',
        where: ['bench/step.ts', 'bench/turns.ts', 'docs/BENCHMARKS.md'],
        shownBy: [['test/integration/round-trips.test.ts', 'are exactly one per transition']],
      },
    ],
  },
  {
    title: 'Implementation plan',
    rows: [
      {
        asks: 'Phase 1, test 1: new session generation',
        where: ['src/http/turns/protocol-route.ts'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'test 1: a request without a session begins one and says its id'],
        ],
      },
      {
        asks: 'Phase 1, test 2: session reuse, conversation_count 2',
        where: ['src/http/turns/protocol-answer.ts'],
        shownBy: [
          [
            'test/e2e/guide.test.ts',
            'test 2: a session is used again by its id, and counts its conversations',
          ],
        ],
      },
      {
        asks: 'Phase 2, test: the second answer considers chest pain and diabetes',
        where: ['src/conversation/conversation.ts'],
        shownBy: [['test/e2e/guide.test.ts', 'test 3: the second answer of a conversation has seen both']],
      },
      {
        asks: 'Phase 2: persistence across restarts, cleanup, session endpoints',
        where: ['src/store/redis', 'src/session/cluster/sweeper.ts', 'src/http/sessions/session-routes.ts'],
        shownBy: [
          ['test/integration/chat.test.ts', 'resumes a session by its id after the server was restarted'],
          ['test/e2e/guide.test.ts', 'an id that expired while no instance was there starts afresh'],
        ],
      },
      {
        asks: 'Phase 3: analytics dashboard',
        where: ['src/http/operations/dashboard-routes.ts', 'src/http/dashboard'],
        shownBy: [
          ['test/e2e/dashboard.test.ts', 'draws figures and charts, in a %s room'],
          [
            'test/e2e/dashboard.test.ts',
            'loads everything from here, under a policy that allows nothing else',
          ],
        ],
      },
      {
        asks: 'Phase 3: export and download',
        where: [
          'src/http/sessions/transcript-route.ts',
          'src/http/archive/fhir.ts',
          'src/http/archive/archive-routes.ts',
        ],
        shownBy: [
          ['test/integration/transcript.test.ts', 'is FHIR R4'],
          ['test/integration/archive.test.ts', 'found, read, downloaded, exported'],
        ],
      },
      {
        asks: 'Phase 3: session search',
        where: ['src/archive/search/search.ts', 'src/http/archive/archive-routes.ts'],
        shownBy: [
          ['test/conformance/archive-search.ts', 'finds conversations in which all words occur'],
          ['test/integration/archive.test.ts', 'is paged by a cursor, each conversation on one page'],
        ],
      },
      {
        asks: 'Phase 3: session sharing for consultations',
        where: ['src/http/sessions/share-routes.ts', 'machines/access.ts'],
        shownBy: [
          [
            'test/integration/shares.test.ts',
            'see the same durable frames, byte for byte and offset for offset',
          ],
          ['test/integration/shares.test.ts', 'closes every socket of the guest on %s'],
        ],
      },
      {
        asks: 'Phase 3: audit logging, HIPAA compliance review',
        where: ['src/audit', 'docs/adr/0013-audit-log.md', 'docs/OPERATIONS.md'],
        shownBy: [
          ['test/unit/http/audit.test.ts', 'knows of each route that tells of sessions or changes one'],
          ['test/integration/audit.test.ts', 'can be moved away while it is written'],
        ],
        note: 'A review is not software.',
      },
      {
        asks: 'Phase 3: load testing',
        where: ['bench', 'docs/BENCHMARKS.md'],
        shownBy: [
          ['test/fault/rolling-restart.test.ts', 'of three instances under five hundred talking clients'],
        ],
      },
      {
        asks: 'Phase 3: monitoring and alerting',
        where: ['deploy/alerts.yml', 'deploy/grafana-dashboard.json', 'docs/OPERATIONS.md'],
        shownBy: [
          ['test/integration/metrics.test.ts', 'have everything that an alert or the dashboard asks for'],
          ['test/integration/metrics.test.ts', '%s leads to what to do'],
        ],
      },
    ],
  },
  {
    title: 'Code structure, recommendation, checklist',
    rows: [
      {
        asks: 'Session manager and storage behind one interface: memory, Redis',
        where: ['src/store/contract.ts', 'src/store/sqlite/open.ts', 'src/store/redis/open.ts'],
        shownBy: [['test/conformance/store-suite.ts', 'describeFencing(() => fixture)']],
        note: 'One suite, run against each store.',
      },
      {
        asks: 'Key success factors: UUID4, optional id, incremental, expiration, privacy, observability, tests',
        where: ['docs/GUARANTEES.md', 'docs/OPERATIONS.md'],
        shownBy: [
          ['test/e2e/guide.test.ts', 'a client may choose the id of its session itself, in either case'],
          ['test/integration/erasure.test.ts', 'leaves no byte of a user: their sessions that live'],
        ],
      },
      {
        asks: 'Quick start checklist: fields, endpoint, cleanup, tests, backward compatibility, documented API changes',
        where: ['docs/HTTP.md', 'CHANGELOG.md'],
        shownBy: [
          [
            'test/e2e/guide.test.ts',
            'test 2: a session is used again by its id, and counts its conversations',
          ],
          ['test/integration/sessions.test.ts', 'answers every route of its document'],
        ],
      },
    ],
  },
];
