/** Reads a client program that prints an answer as it comes, and at its end one line of JSON with the whole answer. */
import type { ChildProcess } from 'node:child_process';

export interface Printing {
  readonly stdout: () => string;
  readonly ended: Promise<{ readonly code: number | null; readonly stderr: string }>;
}

export function watch(child: ChildProcess): Printing {
  const said = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (text: string) => {
      said[name] += text;
    });
  const ended = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.once('close', (code) => resolve({ code, stderr: said.stderr }));
  });
  return { stdout: () => said.stdout, ended };
}

export function resultOf(stdout: string): { readonly printed: string; readonly answer: string } {
  const end = stdout.lastIndexOf('\n{');
  const { answer } = JSON.parse(stdout.slice(end)) as { readonly answer: string };
  return { printed: stdout.slice(0, end), answer };
}
