import { errors } from '../../src/errors.ts';
import { table } from './markdown.ts';

export function errorsDocument(): string {
  const rows = Object.entries(errors).map(([code, row]) => [
    `\`${code}\``,
    row.close === null ? '–' : String(row.close),
    String(row.status),
    row.retryable ? 'yes' : 'no',
    row.text,
  ]);
  return `# Errors

Every error that a client can get, from [src/errors.ts](../src/errors.ts). A code keeps its name and its meaning. *Close* is
the WebSocket close code if the error ends the connection; *retryable* says whether the same request can succeed later.
This page is generated: \`npm run docs\`.

${table(['code', 'close', 'HTTP', 'retryable', 'text'], rows)}
`;
}
