/** A conversation as Markdown, to be read or printed. */
import type { TranscriptEntry } from '../../store/contract.ts';

export function markdownOf(sessionId: string, entries: readonly TranscriptEntry[]): string {
  const parts = entries.map(({ role, content, at, author, simulated }) => {
    const who = role === 'user' ? (author ?? 'Question') : 'Answer';
    const mark = simulated === true ? ' (SIMULATED: it means nothing)' : '';
    return `## ${plain(who)}${mark}\n\n${new Date(at).toISOString()}\n\n${quoted(content)}\n`;
  });
  return `# Conversation ${sessionId}\n\n${parts.join('\n')}`;
}

/** Quoted, so that nothing a person or a model wrote begins a part of the document. */
function quoted(text: string): string {
  return text
    .split(/\r\n|\r|\n/)
    .map((line) => `> ${line}`)
    .join('\n');
}

function plain(name: string): string {
  return name.replace(/\s+/g, ' ').replace(/[\\`*_{}[\]<>()#!|~&]/g, '\\$&');
}
