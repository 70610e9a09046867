/** Lists the promises, the lines of code that keep them, and the tests that show them. */

/** A file, and words of the line in it. */
type Quote = readonly [path: string, text: string];

export interface Guarantee {
  readonly id: string;
  readonly promise: string;
  readonly enforcedBy: readonly Quote[];
  readonly shownBy: readonly Quote[];
}

export const guarantees: readonly Guarantee[] = [
  {
    id: 'G1',
    promise:
      'One writer. At any moment at most one instance can change a session. An owner that was paused or cut off may have lost the session; the store then refuses its writes and merges nothing.',
    enforcedBy: [
      ['src/store/redis/commands/include/fence.lua', 'local function owns('],
      ['src/store/redis/commands/session/commit.lua', 'if not owns('],
      ['src/store/sqlite/writes.ts', "if (!owns(row, fence)) return { kind: 'fenced' };"],
    ],
    shownBy: [
      [
        'test/integration/fence.test.ts',
        'an owner paused past its lease in the middle of a turn is fenced: the new owner has finished the turn and the next one',
      ],
      [
        'test/conformance/store-fencing.ts',
        'a store fences commit, append, renew and release of an owner whose session another instance claimed',
      ],
    ],
  },
  {
    id: 'G2',
    promise:
      'Output gate. A frame, a call of the model or a timer takes effect only after the store has acknowledged the transition that asked for it.',
    enforcedBy: [['src/session/actor/session-actor.ts', '/** ACTOR-2 */']],
    shownBy: [
      [
        'test/integration/output-gate.test.ts',
        'while Redis is frozen no frame and no request leaves; the message is refused as retryable and later taken once',
      ],
      [
        'test/integration/output-gate-outcomes.test.ts',
        'until the store answers a write, no frame reaches the client and no request reaches the model',
      ],
    ],
  },
  {
    id: 'G3',
    promise: 'Input gate. A session takes one event at a time, in the order of arrival.',
    enforcedBy: [['src/session/actor/event-loop.ts', 'while (!this.#isStopped)']],
    shownBy: [
      [
        'test/property/actor-races.test.ts',
        'whatever reaches an actor while it waits for the store, its log holds one consistent story',
      ],
    ],
  },
  {
    id: 'G4',
    promise: 'Idempotent commits. A lost reply, a resend or a retry applies a commit once.',
    enforcedBy: [
      ['src/store/redis/commands/session/commit.lua', 'if row[3] == ARGV[3] then'],
      ['src/session/actor/session-writer.ts', '/** WRITER-2, WRITER-3 */'],
    ],
    shownBy: [
      [
        'test/conformance/store-lost-replies.ts',
        'a commit whose reply was lost applies once, and its resend gets the same outcome',
      ],
      [
        'test/integration/output-gate.test.ts',
        'while an acknowledgement is lost no frame leaves; the instance continues the turn once it knows that the write is stored',
      ],
    ],
  },
  {
    id: 'G5',
    promise:
      'Complete log. The durable frames of a session have the offsets 1, 2, 3 …; a client that resumes after n gets exactly n + 1 … in order. If frames are missing, the client gets `reset`, never a silent gap.',
    enforcedBy: [
      ['src/store/redis/commands/include/frames.lua', 'return head + added'],
      ['src/delivery/subscription.ts', 'if (frame.offset !== cursor + 1) return false;'],
    ],
    shownBy: [
      [
        'test/integration/across-instances.test.ts',
        'a client that resumes after k on another instance gets exactly the frames k + 1 …, and can talk on there and back',
      ],
      [
        'test/integration/trimmed-log.test.ts',
        'a client that asks for trimmed frames gets a reset with the transcript, and then the next frames',
      ],
      [
        'test/conformance/store-hints.ts',
        'the hint of an end carries the tail of the log if the commit asks for it',
      ],
      ['test/fault/flaky-network.test.ts', 'two hundred clients with a line that fails for 2 s of every 5'],
    ],
  },
  {
    id: 'G6',
    promise:
      'Messages once. A message id starts at most one turn, however often the client sends it and on whichever instance.',
    enforcedBy: [
      ['src/store/redis/commands/session/commit.lua', 'if row[7 + i] then return ARGV[20 + i] end'],
    ],
    shownBy: [
      [
        'test/integration/message-id.test.ts',
        'a message that is sent again after a reconnect and on another instance starts one turn',
      ],
    ],
  },
  {
    id: 'G7',
    promise:
      'Continued answers. An instance may die at any token. Another instance continues from the last stored token, and the text that the client assembles has no gap and no repeat. If the model server cannot continue, the answer starts over, and a frame tells the client to clear its text first.',
    enforcedBy: [
      ['src/session/actor/load.ts', 'async function readTurnText'],
      ['src/session/turn/turn-runner.ts', 'prefix: text.prefix(),'],
      ['machines/turn.ts', 'emitStartedOver: emitFrame('],
    ],
    shownBy: [
      [
        'test/fault/kill-owner.test.ts',
        'an owner that is killed in mid-answer loses no byte, no offset and no turn',
      ],
      [
        'test/fault/unattended-turn.test.ts',
        'a turn whose owner dies with no client connected is finished by another instance, and a later client reads it complete',
      ],
      [
        'test/property/actor-paths.test.ts',
        'a session whose owner died before any transition was stored looks undisturbed',
      ],
      [
        'test/unit/session/restarted-answer.test.ts',
        'an answer that started over continues from the new text alone when the instance dies after some of it',
      ],
    ],
  },
  {
    id: 'G8',
    promise:
      'One end. A session expires exactly once, on one instance, with or without a connected client, and however long no instance ran. Its channels, keys and locks go with it.',
    enforcedBy: [
      ['src/store/redis/commands/index/sweep.lua', 'shown[#shown + 1] = id'],
      ['src/store/redis/commands/include/lease.lua', "redis.call('PERSIST', KEYS[1])"],
      [
        'src/store/redis/commands/session/commit.lua',
        "redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[9], KEYS[10])",
      ],
    ],
    shownBy: [
      [
        'test/fault/expiry.test.ts',
        'ten thousand sessions that are due at one moment with no client connected expire exactly once each',
      ],
      ['test/integration/long-outage.test.ts', 'whose server was off for %s is archived once as ended'],
      [
        'test/conformance/store-log.ts',
        'a committed session has no time limit, whatever the last write was and even if no instance runs',
      ],
    ],
  },
  {
    id: 'G9',
    promise:
      'Honest outages. While Redis is down, or the embedded file is locked or full, an instance refuses work with a retryable error. It never acknowledges what it did not store, and it recovers without a restart.',
    enforcedBy: [
      ['src/store/sqlite/group.ts', 'The first transaction after the lock is served again'],
      ['src/store/redis/batch.ts', 'Without a connection the batch rejects calls immediately'],
      ['src/session/actor/session-actor.ts', "return kind === 'lost' ? 'store_unavailable'"],
    ],
    shownBy: [
      [
        'test/integration/output-gate.test.ts',
        'while Redis is unreachable no frame leaves; when it is back the instance takes the message without a restart',
      ],
      ['test/fault/redis-outage.test.ts', 'a Redis outage loses no acknowledged message and no frame'],
      [
        'test/fault/redis-loading.test.ts',
        'while Redis loads its data, instances refuse work and no acknowledged write is lost',
      ],
      [
        'test/conformance/store-sqlite-faults.test.ts',
        'the embedded store rejects an operation that waits too long for a lock, and the store serves again once the lock is gone',
      ],
      [
        'test/conformance/store-sqlite-faults.test.ts',
        'the embedded store is unhealthy from the first write that finds no space until there is space for a write',
      ],
    ],
  },
  {
    id: 'G10',
    promise:
      'Detected loss. Redis can lose writes that it acknowledged. Rehydra does not prevent that, but it detects the loss and sends `reset`.',
    enforcedBy: [
      ['src/delivery/subscription.ts', "this.#startOver('rolled_back')"],
      ['src/delivery/hub.ts', "this.end(sessionId, 'session_moved')"],
      ['src/store/redis/commands/session/claim.lua', "redis.call('TIME')"],
    ],
    shownBy: [
      [
        'test/fault/stale-replica.test.ts',
        'after the promotion of a stale replica every client that saw a lost frame receives a reset, and none has a silent gap',
      ],
      [
        'test/integration/lost-writes.test.ts',
        'a client without an epoch gets a reset before its socket closes, when the log %s what it saw',
      ],
    ],
  },
  {
    id: 'G11',
    promise:
      'Access. A session that has a user is open to that user and to guests whose share has not expired, and to no client that leaves out the name. One table in the machine has the access that each event needs.',
    enforcedBy: [
      ['machines/access.ts', 'export const neededAccess'],
      ['machines/session.ts', "const forbidden = { guard: 'mayNot'"],
      ['src/delivery/hub.ts', '/** HUB-3 */'],
    ],
    shownBy: [
      ['test/unit/machine/access.test.ts', 'exactly if the table lets a client like this one send it'],
      [
        'test/integration/shares.test.ts',
        'a client that leaves out the name may not enter a session that has a user, by socket or over HTTP, on either instance',
      ],
      [
        'test/integration/shares.test.ts',
        'a guest that says the client id of the owner closes no socket of the owner, on either instance',
      ],
    ],
  },
  {
    id: 'G12',
    promise:
      'Certificates. A new certificate ends no connection and refuses no client. One that cannot be used leaves the former one in service.',
    enforcedBy: [
      ['src/transport/listener.ts', 'parent(acceptor).addChildAppDescriptor(descriptorOf(app))'],
      ['src/transport/served-certificate.ts', '// CERTIFICATE-1'],
    ],
    shownBy: [
      [
        'test/integration/tls.test.ts',
        'after SIGHUP new connections get the new certificate, open sockets go on, and no client is refused meanwhile',
      ],
      [
        'test/integration/tls.test.ts',
        'a certificate that cannot be used leaves the former one in service, and the log says why without its content',
      ],
    ],
  },
  {
    id: 'G13',
    promise:
      'Audit. The operating system has the line of an access before the client has its answer. With `AUDIT_KEY` a check finds the first line that was edited, deleted or moved, also after kill -9. It finds lines that were cut off at the end of a chain up to the last head that is known outside the chain, and its result names that head. With `AUDIT_STRICT=1` nothing is done or shown that could not be recorded.',
    enforcedBy: [
      ['src/audit/line-file.ts', 'done += writeSync('],
      ['src/audit/sealed-line.ts', "createHmac('sha256', key).update(signed, 'utf8')"],
      ['src/http/core/audit.ts', 'const mayBegin ='],
      ['src/transport/socket/connection.ts', "return this.#refuse('audit_unavailable', messageId)"],
    ],
    shownBy: [
      [
        'test/integration/audit-chain.test.ts',
        'kill -9 during writing leaves a chain that verifies, over several restarts, with every answered request',
      ],
      ['test/property/audit-chain.test.ts', 'any changed byte of a log is found at its line'],
      ['test/integration/audit-chain.test.ts', 'it names the first line that was %s, and exits with 1'],
      [
        'test/integration/audit-strict.test.ts',
        'a disk that fills up refuses each action before it takes place, and serves again once there is room',
      ],
    ],
  },
  {
    id: 'G14',
    promise:
      'Tenants. A tenant lists, finds, counts and erases only its own sessions and conversations, although other tenants may use the same user names. A session of another tenant looks like one that never was.',
    enforcedBy: [
      ['machines/access.ts', "if (!isSameTenant(context.tenant, tenant)) return 'none';"],
      ['src/store/tenant-index.ts', 'export const nameIn'],
      ['src/archive/archive.ts', 'of(tenant: string): TenantArchive;'],
      ['src/session/router/session-router.ts', '// ROUTER-3'],
    ],
    shownBy: [
      [
        'test/conformance/store-listing.ts',
        'two tenants with the same user names list and count only their own sessions',
      ],
      [
        'test/conformance/archive-tenants.ts',
        'a tenant of an archive finds and reads its own conversations only',
      ],
      [
        'test/integration/tenants.test.ts',
        'an erasure of a user in one tenant leaves living and ended sessions of their namesakes in other tenants',
      ],
      [
        'test/integration/tenants.test.ts',
        'a user gets the same answer for a session of their namesake in another tenant as for one that never was',
      ],
    ],
  },
];
