import type { ThreatRow } from './row.ts';

/** What must hold on the connections of clients. */
export const connectionRows: readonly ThreatRow[] = [
  {
    id: 'S1',
    demand: 'Credentials cross a network only over TLS 1.2 or later. Another configuration refuses to start.',
    enforcedBy: ['src/transport/listener.ts', 'src/config/consistency.ts'],
    shownBy: [
      [
        'test/integration/tls.test.ts',
        'an instance with TLS refuses TLS 1.1, ciphers without forward secrecy, and plain HTTP',
      ],
      [
        'test/unit/config/ports.test.ts',
        'credentials cross a network only over TLS, of the server or of a proxy in front',
      ],
      [
        'test/unit/config/identity.test.ts',
        'a start with HOST=%s and without AUTH is refused in one line that says what to set',
      ],
    ],
  },
  {
    id: 'S2',
    demand:
      'A browser page of a foreign origin gets neither socket nor answer, however its name resembles a listed one.',
    enforcedBy: ['src/transport/gate/origins.ts'],
    shownBy: [
      ['test/security/wire/origins.test.ts', 'a page of another origin opens no socket: "%s"'],
      [
        'test/security/wire/origins.test.ts',
        'a page of another origin can send no request, whatever its method: "%s"',
      ],
      [
        'test/security/wire/origins.test.ts',
        'a page that gives its own name the address of this machine gets nothing: "%s"',
      ],
    ],
  },
  {
    id: 'S3',
    demand:
      'A credential comes in a header, in `hello` or in a sub-protocol. In an address it counts nothing and reaches no log.',
    enforcedBy: ['src/identity/bearer.ts', 'src/transport/socket/websocket.ts'],
    shownBy: [
      [
        'test/security/identity/matrix-frames.test.ts',
        'opens neither a socket nor a route from the address, and stays out of the log',
      ],
      [
        'test/security/identity/matrix-frames.test.ts',
        'opens a socket without a token in hello: as a header or as a sub-protocol, which the server never echoes',
      ],
    ],
  },
  {
    id: 'S4',
    demand:
      'A client without an identity has one deadline, few frames and little memory, and costs the store nothing.',
    enforcedBy: ['src/transport/socket/hello-budget.ts', 'src/transport/socket/connection.ts'],
    shownBy: [
      [
        'test/security/wire/before-hello.test.ts',
        'traffic before hello does not move the hello deadline, at which the socket closes with 4008',
      ],
      [
        'test/security/wire/before-hello.test.ts',
        'a hello that is refused and sent again does not move the hello deadline',
      ],
      ['test/security/wire/before-hello.test.ts', 'a thousand frames before hello cost Redis no command'],
      [
        'test/security/wire/unfinished.test.ts',
        'sockets with unfinished frames take the memory of those that may wait, however many come',
      ],
      [
        'test/security/wire/unfinished.test.ts',
        'unfinished heads of requests take little memory, and clients are served',
      ],
      [
        'test/security/flood.test.ts',
        'five thousand strangers take bounded memory, every honest client is answered, and no stranger stays: %s',
      ],
    ],
  },
  {
    id: 'S5',
    demand:
      'A token counts only with a listed algorithm, issuer, audience, subject and end, signed by a configured key.',
    enforcedBy: ['src/identity/tokens/tokens.ts', 'src/identity/tokens/issuer-keys.ts'],
    shownBy: [
      [
        'test/security/identity/forged-tokens.test.ts',
        'at least 40 different forged or stale tokens are tried',
      ],
      ['test/security/identity/forged-tokens.test.ts', 'a forged or stale token is refused: $name'],
      [
        'test/security/identity/matrix-frames.test.ts',
        '40 forged or stale tokens are refused over HTTP and at hello, each with the same bytes',
      ],
      ['test/unit/identity/issuer-keys.test.ts', 'a redirect of the issuer is not followed'],
    ],
  },
  {
    id: 'S6',
    demand: 'A socket ends with its token, unless the same subject renews it.',
    enforcedBy: ['src/transport/socket/socket-caller.ts'],
    shownBy: [
      [
        'test/integration/identity-ends.test.ts',
        '%s closes its sockets on both instances with 4002 and is refused like junk from then on',
      ],
      [
        'test/integration/identity-ends.test.ts',
        'a renewed token keeps its socket open beyond the end of the former one',
      ],
      [
        'test/security/identity/matrix-frames.test.ts',
        'a socket does not change hands: a token of another user renews nothing',
      ],
      [
        'test/unit/identity/tokens.test.ts',
        'the identity of a token ends half a minute after the token, because clocks differ',
      ],
    ],
  },
  {
    id: 'S7',
    demand: 'A withdrawn key or a disabled user loses all sockets on every instance within five seconds.',
    enforcedBy: ['src/transport/socket/socket-caller.ts', 'src/identity/disabled.ts'],
    shownBy: [
      [
        'test/integration/identity-ends.test.ts',
        '%s closes its sockets on both instances with 4002 and is refused like junk from then on',
      ],
      [
        'test/unit/identity/authenticator.test.ts',
        'an instance looks at its files and its sockets often enough to end a withdrawn credential within 5 seconds',
      ],
      [
        'test/integration/identity-ends.test.ts',
        'a back end cannot act for a disabled user, and goes on for others',
      ],
      [
        'test/integration/audit-identity.test.ts',
        'the audit log has a line when the credential of an open socket is withdrawn',
      ],
      [
        'test/unit/identity/authenticator.test.ts',
        'a disabled subject is refused and its identity holds no longer, in its own tenant and no other',
      ],
    ],
  },
  {
    id: 'S8',
    demand: 'A session ends after a time without input, and at the latest after an absolute time.',
    enforcedBy: ['machines/session.ts'],
    shownBy: [
      [
        'test/integration/lifecycle.test.ts',
        'an idle session warns its clients once and expires once, with the same frames on two instances',
      ],
      [
        'test/integration/lifecycle.test.ts',
        'a busy session expires at its absolute deadline: its clients first get the failed turn',
      ],
    ],
  },
  {
    id: 'S9',
    demand: 'Every route and frame checks the caller. A foreign session cannot be told from an absent one.',
    enforcedBy: ['src/identity/permissions.ts', 'machines/access.ts'],
    shownBy: [
      [
        'test/security/identity/matrix.test.ts',
        'the matrix has a row for every route of the table of permissions, and no other',
      ],
      ['test/security/identity/matrix.test.ts', '$route answers $status to the caller: $caller'],
      [
        'test/security/identity/matrix.test.ts',
        'looks absent in every byte of $route to the caller: $caller',
      ],
      [
        'test/security/identity/matrix-frames.test.ts',
        'the matrix has a row for every frame of the table of permissions, and no other',
      ],
      ['test/security/identity/matrix-frames.test.ts', '$frame gets $word if sent by the caller: $caller'],
      ['test/security/identity/matrix-frames.test.ts', 'looks absent in every byte to the caller: %s'],
      [
        'test/security/identity/operators-only.test.ts',
        'only the owner of a session, and a back end that acts for the owner, see its client_id',
      ],
    ],
  },
  {
    id: 'S10',
    demand: 'Schemas are strict and bound depth and size. Junk changes nothing and pollutes no prototype.',
    enforcedBy: ['src/protocol/codec.ts', 'src/protocol/client-frames.ts'],
    shownBy: [
      [
        'test/security/wire/junk.test.ts',
        'each of ten thousand junk frames gets its typed error, reaches no session, and leaves the process unchanged',
      ],
      ['test/unit/transport/codec.test.ts', 'the codec never throws, whatever the bytes'],
      [
        'test/unit/transport/codec.test.ts',
        'a client frame that names a prototype is refused, or its key is plain data',
      ],
      [
        'test/security/wire/http-framing.test.ts',
        'JSON that nests too deep is refused by its brackets alone, whatever stands around them',
      ],
    ],
  },
  {
    id: 'S11',
    demand: 'A frame has a largest size, a larger one is refused with a reason, and no frame is compressed.',
    enforcedBy: ['src/transport/socket/websocket.ts', 'src/protocol/codec.ts'],
    shownBy: [
      [
        'test/security/wire/junk.test.ts',
        'a frame of the maximum size is read, and one of a byte more is too large',
      ],
      [
        'test/security/wire/before-hello.test.ts',
        'a frame of 16 KiB is read before hello; a larger one, a hello too, closes the socket with 1009',
      ],
      [
        'test/security/wire/before-hello.test.ts',
        'a client that offers compression gets a socket without it',
      ],
    ],
  },
  {
    id: 'S12',
    demand:
      'Connections, messages, guesses, sessions, answers and tokens have limits by address, user and tenant.',
    enforcedBy: ['src/limits/limits.ts', 'src/limits/budgets.ts'],
    shownBy: [
      [
        'test/security/rate-limits.test.ts',
        'connections over the rate of an address are refused before the upgrade; other addresses and open connections are served',
      ],
      [
        'test/security/rate-limits.test.ts',
        'messages over the rate of a user are refused in every session, by socket and by HTTP, and the socket stays open',
      ],
      [
        'test/integration/sessions-per-user.test.ts',
        'a user at the session limit is refused another on every instance, by socket and by HTTP; other users are not',
      ],
      [
        'test/security/identified-limits.test.ts',
        'after too many refused credentials an address is refused before a credential is checked, and no other address is',
      ],
      [
        'test/security/budgets.test.ts',
        'beyond %s a message is refused with too_many_turns on a socket and over HTTP, until an answer ends',
      ],
      [
        'test/security/budgets.test.ts',
        'beyond %s a message is refused with token_budget_spent on every instance, a restarted one included',
      ],
      [
        'test/security/budgets.test.ts',
        'a user that floods with messages in fifty sessions is refused nearly all of them, and every honest user gets every answer',
      ],
    ],
  },
  {
    id: 'S13',
    demand: 'The address and the identity of a client come from headers only if a trusted proxy set them.',
    enforcedBy: ['src/limits/client-address.ts', 'src/identity/proxy-identity.ts'],
    shownBy: [
      [
        'test/security/rate-limits.test.ts',
        'behind a trusted proxy requests count by the address that the proxy adds, not by one that the client invents',
      ],
      [
        'test/security/rate-limits.test.ts',
        'without a trusted proxy an invented X-Forwarded-For evades no limit, and one log line hints at TRUST_PROXY',
      ],
      [
        'test/unit/identity/authenticator.test.ts',
        'identity headers from %s, which is no trusted proxy, do not count',
      ],
    ],
  },
  {
    id: 'S14',
    demand:
      'An error shows a client a stable code and a fixed sentence, and no word of a store, model or stack.',
    enforcedBy: ['src/errors.ts'],
    shownBy: [
      [
        'test/unit/config/errors.test.ts',
        'the text of %s is one sentence without a product name, an address or a secret',
      ],
      [
        'test/unit/config/errors.test.ts',
        'a client gets the code, the text and whether to retry, and nothing else',
      ],
      [
        'test/conformance/vllm-faults.ts',
        'no words of the server reach the session',
        'test/conformance/vllm-client.test.ts',
      ],
      ['test/integration/operations.test.ts', '%s %s answers with %i %s, in the common shape of errors'],
    ],
  },
];
