import type { ThreatRow } from './row.ts';

/** What a stranger who reached the port could do before there was identity, and the tests that failed then. */
export const strangerRows: readonly ThreatRow[] = [
  {
    id: 'X1',
    demand: 'A stranger who named no user read a session and wrote into it; a claimed user was believed.',
    enforcedBy: ['src/identity/permissions.ts', 'machines/access.ts'],
    shownBy: [
      [
        'test/security/identity/stranger.test.ts',
        'a stranger reads nothing of a session and writes nothing into it, with or without the name of its user',
      ],
      ['test/security/identity/matrix-frames.test.ts', '$frame gets $word if sent by the caller: $caller'],
      ['test/security/identity/matrix-frames.test.ts', 'looks absent in every byte to the caller: %s'],
      [
        'test/security/identity/matrix-frames.test.ts',
        'a token that names another user than the hello opens nothing',
      ],
      [
        'test/integration/shares.test.ts',
        'a client that leaves out the name may not enter a session that has a user, by socket or over HTTP, on either instance',
      ],
    ],
  },
  {
    id: 'X2',
    demand: 'A guest with read access ended, cancelled or extended the session of its owner.',
    enforcedBy: ['machines/access.ts'],
    shownBy: [
      [
        'test/integration/shares.test.ts',
        'a guest with read access may not send %s, on either instance, and stays connected',
      ],
      [
        'test/unit/machine/access.test.ts',
        `a session in the state \${state} takes %s from a client exactly if the table lets a client like this one send it: \${client}`,
      ],
    ],
  },
  {
    id: 'X3',
    demand: 'Every client could list, export and erase everything, and see how questions begin.',
    enforcedBy: ['src/identity/permissions.ts'],
    shownBy: [
      ['test/security/identity/stranger.test.ts', 'a stranger may not %s %s, and alice keeps her session'],
      ['test/security/identity/matrix.test.ts', '$route answers $status to the caller: $caller'],
      [
        'test/integration/admin-port.test.ts',
        'with AUTH the port for operators refuses %s without a credential of an operator',
      ],
    ],
  },
  {
    id: 'X4',
    demand:
      'A page of any origin opened sockets and sent requests, also under a foreign host name on loopback.',
    enforcedBy: ['src/transport/gate/origins.ts'],
    shownBy: [
      ['test/security/wire/origins.test.ts', 'a page of another origin opens no socket: "%s"'],
      [
        'test/integration/protocol.test.ts',
        'a JSON request is refused with 415 as content type "%s", which a page of any origin may send',
      ],
      [
        'test/security/wire/origins.test.ts',
        'a page that gives its own name the address of this machine gets nothing: "%s"',
      ],
    ],
  },
  {
    id: 'X5',
    demand: 'A stranger used up the sessions of a user, and closed a socket by its client id.',
    enforcedBy: ['src/session/actor/user-quota.ts', 'src/delivery/hub.ts'],
    shownBy: [
      [
        'test/integration/sessions-per-user.test.ts',
        'a stranger who names a user takes none of that user’s sessions, by socket and by HTTP',
      ],
      [
        'test/integration/shares.test.ts',
        'a guest that says the client id of the owner closes no socket of the owner, on either instance',
      ],
      [
        'test/security/identity/operators-only.test.ts',
        'only the owner of a session, and a back end that acts for the owner, see its client_id',
      ],
    ],
  },
  {
    id: 'X6',
    demand:
      'A refused hello restarted its deadline, and sockets with unfinished frames took unbounded memory.',
    enforcedBy: ['src/transport/socket/hello-budget.ts'],
    shownBy: [
      [
        'test/security/wire/before-hello.test.ts',
        'a hello that is refused and sent again does not move the hello deadline',
      ],
      [
        'test/security/wire/before-hello.test.ts',
        'a frame of 16 KiB is read before hello; a larger one, a hello too, closes the socket with 1009',
      ],
      [
        'test/security/wire/unfinished.test.ts',
        'sockets with unfinished frames take the memory of those that may wait, however many come',
      ],
    ],
  },
  {
    id: 'X7',
    demand:
      'A server took too large bodies whole, two lengths as two requests, deep brackets and upgrades without a version.',
    enforcedBy: ['src/transport/request/http.ts', 'src/transport/request/request-body.ts'],
    shownBy: [
      [
        'test/security/wire/http-framing.test.ts',
        'a body that is announced as too large gets 413 before any of it is sent, and the connection ends',
      ],
      [
        'test/security/wire/http-framing.test.ts',
        'a request with %s is refused, and no byte after it counts as a request',
      ],
      [
        'test/security/wire/http-framing.test.ts',
        'JSON that nests too deep is refused by its brackets alone, whatever stands around them',
      ],
      ['test/security/wire/http-framing.test.ts', 'an upgrade %s gets 426 with the version that works'],
    ],
  },
  {
    id: 'X8',
    demand: 'Users whose ids were half characters listed and erased as one.',
    enforcedBy: ['src/identity/names.ts'],
    shownBy: [
      ['test/security/user-ids.test.ts', 'a user id with %s is refused by hello, a turn and a share'],
      ['test/security/user-ids.test.ts', 'a user id in an address is refused if it holds %s'],
    ],
  },
  {
    id: 'X9',
    demand: 'Erasing a user who had nothing rewrote database files each time.',
    enforcedBy: ['src/http/sessions/erasure.ts'],
    shownBy: [
      [
        'test/integration/erasure.test.ts',
        'an erasure that finds nothing rewrites no file of Redis, and one that finds something rewrites it once',
      ],
      [
        'test/integration/erasure.test.ts',
        'an erasure that finds nothing leaves the files of the embedded store and archive as they are',
      ],
    ],
  },
  {
    id: 'X10',
    demand: 'A password of a store or model server showed in the log and on a page.',
    enforcedBy: ['src/telemetry/log.ts'],
    shownBy: [
      [
        'test/security/secrets.test.ts',
        'an instance that cannot start shows no password of any variable, however it is written',
      ],
      [
        'test/security/secrets.test.ts',
        'a running instance shows no password on a page, in a metric, in an answer or in its log, even after its store is gone',
      ],
    ],
  },
  {
    id: 'X11',
    demand: 'An instance was ready with rights of Redis under which no session could open.',
    enforcedBy: ['src/store/redis/server/boot.ts'],
    shownBy: [
      ['test/integration/redis-acl.test.ts', 'an instance whose Redis user may not use %s is not ready'],
      [
        'test/unit/store/redis-acl.test.ts',
        'OPERATIONS documents exactly the rights that the Redis store uses',
      ],
    ],
  },
  {
    id: 'X12',
    demand: 'Reads went on without an audit line, some actions left none, and no check found a changed line.',
    enforcedBy: ['src/audit/chain.ts', 'src/http/core/audit.ts'],
    shownBy: [
      [
        'test/integration/audit-strict.test.ts',
        'with a full disk from the start nothing is served over HTTP or sockets, and probes still answer',
      ],
      [
        'test/integration/audit.test.ts',
        'the audit log has a line for each action of a socket in a session, with the id of its connection',
      ],
      ['test/integration/audit-chain.test.ts', 'it names the first line that was %s, and exits with 1'],
    ],
  },
  {
    id: 'X13',
    demand: 'A few long reads delayed every client, and no overload refused them.',
    enforcedBy: ['src/http/core/long-reads.ts'],
    shownBy: [
      [
        'test/integration/long-reads.test.ts',
        'a long transcript arrives whole in each format, without a length in its head',
      ],
      [
        'test/unit/http/long-reads.test.ts',
        'a long body arrives whole, in pieces of about 64 KiB, and the event loop does other work after each',
      ],
      ['test/unit/http/long-reads.test.ts', 'an instance that is %s reads no conversation'],
    ],
  },
];
