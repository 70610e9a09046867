/** The tables of docs/PROTOCOL.md that follow from the errors: closes, and codes without a close. */
import { type ErrorCode, errors } from '../../../src/errors.ts';
import { FAILURE_CODES } from '../../../src/generation/upstream/failure.ts';
import { table } from '../markdown.ts';

/** What a client does after a close that the error table does not describe. */
const OTHER_CLOSES: readonly (readonly [close: string, reason: string, action: string])[] = [
  ['1000', '`closed`', 'final: the session has ended'],
  ['1006, or any other', '–', 'reconnect'],
];

const FINAL: Readonly<Record<number, string>> = {
  1008: 'final: correct the client',
  1009: 'final: correct the client',
  1012: 'reconnect: another instance takes the session',
  4001: 'final: the credential is not valid',
  4002: 'reconnect with a new credential',
  4003: 'final: this user has no access',
  4009: 'final: another connection has your `client_id`',
  4011: 'final: the session has ended',
};

export function closes(): string {
  const byClose = new Map<number, string[]>();
  for (const [code, { close }] of Object.entries(errors))
    if (close !== null) byClose.set(close, [...(byClose.get(close) ?? []), `\`${code}\``]);
  const [closed, rest] = OTHER_CLOSES;
  const named = [...byClose].sort(([one], [other]) => one - other);
  const rows = named.map(([close, codes]) => [`${close}`, codes.join(', '), FINAL[close] ?? 'reconnect']);
  return [closed, ...rows, rest].map((cells) => `| ${cells?.join(' | ')} |`).join('\n');
}

/** Of `error` frames that leave the connection open. */
const REFUSALS = [
  'bad_frame',
  'hello_required',
  'hello_repeated',
  'forbidden',
  'session_not_found',
  'too_many_sessions',
  'duplicate_message',
  'session_busy',
  'queue_full',
  'too_many_turns',
  'token_budget_spent',
  'unknown_turn',
  'store_unavailable',
  'audit_unavailable',
  'archive_unavailable',
  'internal',
] as const satisfies readonly ErrorCode[];

/** Of `turn.failed`. */
const FAILURES = [...FAILURE_CODES, 'interrupted', 'session_expired'] as const;

const namesOf = (codes: readonly ErrorCode[]): string => codes.map((code) => `\`${code}\``).join(', ');

export function errorCodes(): string {
  const rows = REFUSALS.map((code) => [
    `\`${code}\``,
    errors[code].retryable ? 'yes' : 'no',
    errors[code].text,
  ]);
  const passing = FAILURES.filter((code) => errors[code].retryable);
  const lasting = FAILURES.filter((code) => !errors[code].retryable);
  return `## Error codes

An \`error\` frame has one of these codes, or one of the table of closes. [ERRORS.md](ERRORS.md) has those of HTTP too. Treat a code
that you do not know by its \`retryable\`.

${table(['code', 'retryable', 'text'], rows)}

A failed turn names the reason in \`turn.failed.error.code\`:

| retryable | codes |
| --- | --- |
| yes | ${namesOf(passing)} |
| no | ${namesOf(lasting)} |`;
}
