/**
 * What the terminal client shows. Answers go to one stream as they come; everything about them, dimly, to another:
 * in a pipe the answers stay clean.
 */
import type { DurableFrame } from '../protocol/server-frames.ts';
import type { ClientEvent, Session, Welcome } from './session.ts';

interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ScreenPorts {
  readonly answers: Sink;
  readonly notes: Sink;
  /** The command that resumes a session from another terminal. */
  readonly resumeCommand: (sessionId: string) => string;
  /** The caller named the session: a new one under that name is not what the caller expects. */
  readonly isResuming: boolean;
  readonly urls: readonly string[];
}

const SIMULATED_MARK = '[SIMULATED] ';
const SIMULATED_SERVER =
  'SIMULATED: this server has no model; its built-in simulator answers, and its answers mean nothing';

export class Screen {
  readonly #ports: ScreenPorts;
  #midLine = false;
  #introduced = false;
  /** Up to here frames tell the past: their states are not news. */
  #pastUntil = 0;
  /** The turn whose answer is marked as simulated on the screen. */
  #marked: string | null = null;

  constructor(ports: ScreenPorts) {
    this.#ports = ports;
  }

  note(text: string): void {
    const { answers, notes } = this.#ports;
    if (this.#midLine && answers.isTTY === true) {
      answers.write('\n');
      this.#midLine = false;
    }
    notes.write(notes.isTTY === true ? `\x1b[2m· ${printable(text)}\x1b[22m\n` : `· ${printable(text)}\n`);
  }

  show(event: ClientEvent, session: Session): void {
    switch (event.type) {
      case 'dialling':
        return;
      case 'welcomed':
        this.#pastUntil = event.welcome.offset;
        return this.#introduce(event.welcome, session);
      case 'frame':
        return this.#frame(event.frame);
      case 'error':
        if (event.error.code === 'duplicate_message') return;
        return this.note(`${event.error.code}: ${event.error.message}`);
      case 'reset':
        return this.#startOver(event.reason, session);
      case 'gap':
        return this.note(`frame ${event.expected} is missing (got ${event.got}), asking for it again`);
      case 'lost':
        return this.note(
          `connection lost: ${event.url} (${spoken(event)}); attempt ${event.attempt} at ${event.nextUrl} in ${event.retryInMs} ms`,
        );
      case 'over':
        this.#endLine();
        return this.#over(event);
    }
  }

  #over(event: Extract<ClientEvent, { type: 'over' }>): void {
    switch (event.why) {
      case 'stopped':
        return;
      case 'refused':
        return this.note(event.reason);
      case 'unreachable':
        return this.note(`gave up: no connection to ${this.#ports.urls.join(', ')} (${spoken(event)})`);
      default:
        return this.note(`session over: ${event.why} (${spoken(event)})`);
    }
  }

  #introduce({ session_id: sessionId, instance, resumed, simulated }: Welcome, session: Session): void {
    if (this.#introduced)
      return this.note(
        `connected again, to ${instance}; going on after offset ${session.conversation.offset}`,
      );
    this.#introduced = true;
    this.note(`${resumed ? 'resumed' : 'new'} session ${sessionId} on ${instance}`);
    if (!resumed && this.#ports.isResuming)
      this.note('there was no session with this id: it never existed, or it ended');
    this.note(`resume it anywhere: ${this.#ports.resumeCommand(sessionId)}`);
    if (simulated === true) this.note(SIMULATED_SERVER);
  }

  #frame(frame: DurableFrame): void {
    switch (frame.type) {
      case 'delta':
        return this.#answerOf(frame.turn_id, frame.text, frame.simulated === true);
      case 'turn.completed':
        this.#endLine();
        if (frame.finish_reason !== 'stop') this.note(`ended by ${frame.finish_reason}`);
        return;
      case 'turn.failed':
        this.#endLine();
        return this.note(`failed: ${frame.error.code}: ${frame.error.message}`);
      case 'turn.cancelled':
        this.#endLine();
        return this.note(`cancelled (${frame.reason})`);
      case 'message.queued':
        return this.note(`queued, number ${frame.position}`);
      case 'expiring':
        return this.note(
          `ends at ${new Date(frame.expires_at).toLocaleTimeString()} (${frame.reason}); /extend stays`,
        );
      case 'state':
        if (frame.offset > this.#pastUntil) this.note(frame.value);
        return;
      case 'turn.started':
        this.#marked = null;
        if (frame.restarts === undefined) return;
        this.#endLine();
        return this.note('the model could not go on with this answer, and starts over');
      case 'expired':
        return;
    }
  }

  #startOver(reason: string, session: Session): void {
    this.#endLine();
    this.note(
      reason === 'fresh'
        ? 'the session had ended; this is a new one'
        : `starting over from the transcript (${reason})`,
    );
    for (const { turnId, question, text, simulated } of session.conversation.turns) {
      if (question !== null) this.note(`you: ${question}`);
      this.#answerOf(turnId, text, simulated);
      this.#endLine();
    }
  }

  /** The mark goes where the answer goes: who keeps only the answers keeps it with them. */
  #answerOf(turnId: string, text: string, simulated: boolean): void {
    if (simulated && text !== '' && this.#marked !== turnId) {
      this.#marked = turnId;
      this.#answer(SIMULATED_MARK);
    }
    this.#answer(text);
  }

  #answer(text: string): void {
    const shown = printable(text);
    if (shown === '') return;
    this.#ports.answers.write(shown);
    this.#midLine = !shown.endsWith('\n');
  }

  #endLine(): void {
    if (this.#midLine) this.#ports.answers.write('\n');
    this.#midLine = false;
  }
}

/** A model's words could steer the terminal with control characters. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === '\n' || character === '\t' ? character : ''));
}

function spoken({ code, reason }: { readonly code: number; readonly reason: string }): string {
  return reason === '' ? String(code) : `${code} ${reason}`;
}
