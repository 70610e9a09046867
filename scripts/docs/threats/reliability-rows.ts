import type { ThreatRow } from './row.ts';

/** What must hold when processes, stores and networks fail. */
export const reliabilityRows: readonly ThreatRow[] = [
  {
    id: 'R1',
    demand:
      'At most one instance writes a session. The store refuses an owner whose lease another instance has taken.',
    enforcedBy: ['src/store/redis/commands/include/fence.lua', 'src/session/actor/session-writer.ts'],
    shownBy: [
      [
        'test/integration/fence.test.ts',
        'an owner paused past its lease in the middle of a turn is fenced: the new owner has finished the turn and the next one',
      ],
      [
        'test/conformance/store-fencing.ts',
        'a store fences commit, append, renew and release of an owner whose session another instance claimed',
        'test/conformance/store-redis.test.ts',
      ],
    ],
  },
  {
    id: 'R2',
    demand:
      'A commit compares version and token, and writes in one script. Racing commits leave versions without a gap.',
    enforcedBy: ['src/store/redis/commands/session/commit.lua'],
    shownBy: [
      [
        'test/conformance/store-model.ts',
        'of commits that race for one version exactly one applies, and versions have no gap',
        'test/conformance/store-redis.test.ts',
      ],
      [
        'test/conformance/store-model.ts',
        'instances that compete for a session commit versions 1 to n, each once, in the order of their epochs',
        'test/conformance/store-redis.test.ts',
      ],
    ],
  },
  {
    id: 'R3',
    demand: 'A commit that is sent again, because its reply was lost, applies once.',
    enforcedBy: ['src/store/redis/commands/session/commit.lua', 'src/session/actor/session-writer.ts'],
    shownBy: [
      [
        'test/conformance/store-lost-replies.ts',
        'a commit whose reply was lost applies once, and its resend gets the same outcome',
        'test/conformance/store-redis.test.ts',
      ],
      [
        'test/integration/output-gate.test.ts',
        'while an acknowledgement is lost no frame leaves; the instance continues the turn once it knows that the write is stored',
      ],
    ],
  },
  {
    id: 'R4',
    demand: 'No frame and no request to the model leaves before the store has the transition.',
    enforcedBy: ['src/session/actor/session-actor.ts'],
    shownBy: [
      [
        'test/integration/output-gate-outcomes.test.ts',
        'until the store answers a write, no frame reaches the client and no request reaches the model',
      ],
      [
        'test/integration/output-gate-outcomes.test.ts',
        'after a write that the store answers with "%s" no frame leaves, and the sender gets %s',
      ],
      [
        'test/integration/output-gate.test.ts',
        'while Redis is frozen no frame and no request leaves; the message is refused as retryable and later taken once',
      ],
    ],
  },
  {
    id: 'R5',
    demand: 'A session takes one event at a time, in the order of arrival.',
    enforcedBy: ['src/session/actor/event-loop.ts'],
    shownBy: [
      [
        'test/property/actor-races.test.ts',
        'whatever reaches an actor while it waits for the store, its log holds one consistent story',
      ],
      [
        'test/unit/session/mailbox.test.ts',
        'a mailbox returns its commands in the order in which they came, however posts and takes mix',
      ],
    ],
  },
  {
    id: 'R6',
    demand: 'A commit that fails ends the actor. The next one begins from what is stored.',
    enforcedBy: ['src/session/actor/session-actor.ts', 'src/session/actor/load.ts'],
    shownBy: [
      [
        'test/integration/output-gate-outcomes.test.ts',
        'text of a running turn does not reach the client when the store answers "%s"',
      ],
      [
        'test/property/actor-paths.test.ts',
        'a session whose owners each died before the store acknowledged their transition looks undisturbed',
      ],
    ],
  },
  {
    id: 'R7',
    demand: 'An owner whose lease may have ended stops writing and asking the model, by a monotonic clock.',
    enforcedBy: ['src/session/actor/session-writer.ts', 'src/clock.ts'],
    shownBy: [
      [
        'test/unit/session/clock-set-back.test.ts',
        `an owner gives up a write without an answer when its lease ends and the wall clock is set \${direction}`,
      ],
      [
        'test/unit/session/lease.test.ts',
        'a frozen owner does not ask the model when another instance has claimed the session',
      ],
    ],
  },
  {
    id: 'R8',
    demand: 'A transition is pure: the same state and event give the same result.',
    enforcedBy: ['machines/session.ts', 'src/session/machine/step.ts'],
    shownBy: [
      [
        'test/property/step.test.ts',
        'the same step twice gives the same result and leaves its input unchanged',
      ],
      [
        'test/property/step.test.ts',
        'over any life of a session the stepper agrees with XState’s own transition()',
      ],
    ],
  },
  {
    id: 'R9',
    demand: 'A newer version reads what earlier versions stored.',
    enforcedBy: ['machines/versions.ts', 'src/session/machine/snapshot.ts'],
    shownBy: [
      ['test/unit/machine/snapshot-golden.test.ts', 'there is a golden of every version in every state'],
      ['test/unit/machine/snapshot-golden.test.ts', 'the golden session lives on to its end'],
      [
        'test/integration/stored-before.test.ts',
        'replays the frames of an earlier commit byte for byte and in order: %s',
      ],
    ],
  },
  {
    id: 'R10',
    demand: 'Frames have an epoch and an offset. A client that resumes gets exactly what it missed.',
    enforcedBy: ['src/delivery/subscription.ts'],
    shownBy: [
      [
        'test/integration/across-instances.test.ts',
        'a client that resumes after k on another instance gets exactly the frames k + 1 …, and can talk on there and back',
      ],
      [
        'test/unit/transport/subscription.test.ts',
        'a subscription sends the whole log in order, whatever is offered, hinted, lost or failing',
      ],
      [
        'test/fault/flaky-network.test.ts',
        'two hundred clients with a line that fails for 2 s of every 5 get every frame, in order, exactly once',
      ],
    ],
  },
  {
    id: 'R11',
    demand: 'A client whose place in the log is lost gets `reset`, never a silent gap.',
    enforcedBy: ['src/delivery/subscription.ts'],
    shownBy: [
      [
        'test/integration/trimmed-log.test.ts',
        'a client that asks for trimmed frames gets a reset with the transcript, and then the next frames',
      ],
      [
        'test/integration/lost-writes.test.ts',
        'a client without an epoch gets a reset before its socket closes, when the log %s what it saw',
      ],
    ],
  },
  {
    id: 'R12',
    demand: 'A message id starts at most one turn, however often and wherever the client sends it.',
    enforcedBy: ['src/store/redis/commands/session/commit.lua'],
    shownBy: [
      [
        'test/integration/message-id.test.ts',
        'a message that is sent again after a reconnect and on another instance starts one turn',
      ],
      [
        'test/integration/message-id.test.ts',
        'a message that is sent again on its connection starts one turn, be it before, during or after the answer',
      ],
    ],
  },
  {
    id: 'R13',
    demand: 'After a crash another instance continues the answer, and no two answers of one turn run.',
    enforcedBy: ['src/session/turn/turn-runner.ts'],
    shownBy: [
      [
        'test/fault/kill-owner.test.ts',
        'an owner that is killed in mid-answer loses no byte, no offset and no turn ($name)',
      ],
      [
        'test/integration/fence.test.ts',
        'an owner paused past its lease while its session was quiet is fenced: the new owner has answered a message meanwhile',
      ],
    ],
  },
  {
    id: 'R14',
    demand: 'A cancelled answer closes its request to the model server.',
    enforcedBy: ['src/generation/vllm.ts'],
    shownBy: [
      [
        'test/integration/across-instances.test.ts',
        'a cancel that is sent to the other instance ends the turn, stops the model server, and keeps the text so far',
      ],
      [
        'test/conformance/vllm-faults.ts',
        'an abort in mid-answer closes the upstream request',
        'test/conformance/vllm-client.test.ts',
      ],
      [
        'test/conformance/vllm-faults.ts',
        'an abort before the first token closes the upstream request',
        'test/conformance/vllm-client.test.ts',
      ],
    ],
  },
  {
    id: 'R15',
    demand: 'Each stage of an answer has a time limit, and retries are bounded and lose no text.',
    enforcedBy: ['src/generation/upstream/watchdog.ts'],
    shownBy: [
      [
        'test/unit/generation/attempt.test.ts',
        'the first-token limit ends an attempt that waits for the list of models',
      ],
      ['test/unit/generation/attempt.test.ts', 'the watchdog ends a busy stream at the total limit'],
      [
        'test/integration/protocol.test.ts',
        'a request whose answer fails by %s gets %s over HTTP, and so does a message on a socket',
      ],
      [
        'test/fault/upstream.test.ts',
        'a model server that always fails ends the turn after a bounded number of attempts, and the partial answer stays',
      ],
    ],
  },
  {
    id: 'R16',
    demand: 'A slow reader is cut off at a bound and catches up later. Other clients see no delay.',
    enforcedBy: ['src/delivery/subscription.ts', 'src/transport/socket/connection.ts'],
    shownBy: [
      [
        'test/integration/slow-consumer.test.ts',
        'a client that stops reading is disconnected and later catches up; other clients see no delay, and memory is bounded',
      ],
      [
        'test/unit/transport/subscription.test.ts',
        'a subscription ends after the first dropped send, and sends nothing more',
      ],
    ],
  },
  {
    id: 'R17',
    demand:
      'While Redis is away an instance refuses work as retryable, keeps its sockets, and recovers alone.',
    enforcedBy: ['src/store/redis/batch.ts'],
    shownBy: [
      ['test/fault/redis-outage.test.ts', 'a Redis outage loses no acknowledged message and no frame: $name'],
      [
        'test/integration/output-gate.test.ts',
        'while Redis is unreachable no frame leaves; when it is back the instance takes the message without a restart',
      ],
    ],
  },
  {
    id: 'R18',
    demand:
      'No client library repeats a write: calls have a timeout, and nothing queues without a connection.',
    enforcedBy: ['src/store/redis/connection.ts'],
    shownBy: [
      [
        'test/conformance/store-redis-faults.test.ts',
        'a broken connection rejects pending calls immediately, refuses new ones, and recovers without a restart',
      ],
      [
        'test/conformance/store-redis-faults.test.ts',
        'a call to a silent Redis fails after the command timeout, and its connection closes soon after',
      ],
    ],
  },
  {
    id: 'R19',
    demand:
      'The durability of the store is shown, and an acknowledged write survives a crash where Redis syncs always.',
    enforcedBy: ['src/store/redis/server/boot.ts'],
    shownBy: [
      ['test/conformance/store-redis-boot.test.ts', 'the health of the Redis store names its durability'],
      [
        'test/integration/operations.test.ts',
        '/healthz names the store of an instance and how durable it is',
      ],
      ['test/fault/redis-outage.test.ts', 'a Redis outage loses no acknowledged message and no frame: $name'],
    ],
  },
  {
    id: 'R20',
    demand: 'Writes that a failover lost are detected, and every client that saw them gets `reset`.',
    enforcedBy: ['src/delivery/subscription.ts', 'src/store/redis/commands/session/claim.lua'],
    shownBy: [
      [
        'test/fault/stale-replica.test.ts',
        'after the promotion of a stale replica every client that saw a lost frame receives a reset, and none has a silent gap',
      ],
    ],
  },
  {
    id: 'R21',
    demand: 'SIGTERM refuses new work, hands sessions over and exits. A second signal does not wait.',
    enforcedBy: ['src/run.ts', 'src/transport/drain.ts'],
    shownBy: [
      [
        'test/fault/rolling-restart.test.ts',
        'a rolling restart of three instances under five hundred talking clients loses no turn and repeats none',
      ],
      ['test/fault/rolling-restart.test.ts', 'a second SIGTERM ends a drain that waits for a running turn'],
    ],
  },
  {
    id: 'R22',
    demand:
      'Clients reconnect with full jitter, reset their backoff late, and wait as long as the server asks.',
    enforcedBy: ['src/client/backoff.ts'],
    shownBy: [
      ['test/unit/client/backoff.test.ts', 'the backoff draws any delay of its window, from zero up'],
      [
        'test/unit/client/backoff.test.ts',
        'a connection that ends soon after its welcome does not reset the backoff',
      ],
      ['test/unit/client/session.test.ts', 'a client waits as long as the last error frame asked for'],
    ],
  },
  {
    id: 'R23',
    demand: 'An overloaded instance refuses new work and finishes what runs.',
    enforcedBy: ['src/transport/socket/connection.ts', 'src/http/core/long-reads.ts'],
    shownBy: [
      [
        'test/unit/transport/connection.test.ts',
        'a connection to an instance %s is closed with the time to retry elsewhere',
      ],
      [
        'test/integration/sessions-limit.test.ts',
        'a full instance refuses another session with a clear error, and keeps all its sessions',
      ],
      ['test/unit/http/long-reads.test.ts', 'an instance that is %s reads no conversation'],
    ],
  },
  {
    id: 'R24',
    demand:
      'An error inside a session stops only that session. Any other error drains the process and ends it.',
    enforcedBy: ['src/session/actor/session-actor.ts', 'src/run.ts'],
    shownBy: [
      [
        'test/fault/broken-session.test.ts',
        'a session whose transition throws refuses every message and stays unchanged, and other sessions are answered',
      ],
      [
        'test/fault/crash-isolation.test.ts',
        'an unhandled error $name hands the running turns over and ends the process with code 1',
      ],
    ],
  },
];
