/** Screen writes answers to one stream and dim notes about them to another, so that a pipe gets clean answers. */
import type { ClientEvent, Session, Welcome } from '../session.ts';
import type { DurableFrame } from '../wire.ts';

interface Sink {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

export interface ScreenPorts {
  readonly answers: Sink;
  readonly notes: Sink;
  /** The command that resumes a session from another terminal. */
  readonly resumeCommand: (sessionId: string) => string;
  /** The user named the session and expects it to exist. */
  readonly isResuming: boolean;
  readonly urls: readonly string[];
}

/** What the screen reads of a session. */
type Shown = Pick<Session, 'conversation'>;

const SIMULATED_MARK = '[SIMULATED] ';
const SIMULATED_SERVER =
  'SIMULATED: this server has no model; its built-in simulator answers, and its answers mean nothing';

/** What a user can do about a close that the chat cannot repair. */
const FATAL: Readonly<Record<number, string>> = {
  4001: 'the server needs a valid token: name its file with --token-file, or set REHYDRA_TOKEN',
  4002: 'the token has ended: set REHYDRA_TOKEN to a new one, or name a file with --token-file, which the chat reads again',
};

export class Screen {
  readonly #ports: ScreenPorts;
  #midLine = false;
  #sessionId: string | null = null;
  /** Offset of the session's first welcome: the user has not seen the questions before it. Null until that welcome. */
  #historyEnd: number | null = null;
  /** Frames up to this offset are history: the screen does not report their states. */
  #pastUntil = 0;
  /** The turn whose answer carries the mark. */
  #markedTurn: string | null = null;

  constructor(ports: ScreenPorts) {
    this.#ports = ports;
  }

  note(text: string): void {
    const { answers, notes } = this.#ports;
    if (answers.isTTY === true) this.#endLine();
    notes.write(notes.isTTY === true ? `\x1b[2m· ${printable(text)}\x1b[22m\n` : `· ${printable(text)}\n`);
  }

  show(event: ClientEvent, session: Shown): void {
    switch (event.type) {
      case 'dialling':
        return;
      case 'welcomed':
        return this.#onWelcome(event.welcome, session);
      case 'frame':
        return this.#onFrame(event.frame);
      case 'error':
        if (event.error.code === 'duplicate_message') return;
        return this.note(`${event.error.code}: ${event.error.message}`);
      case 'extended':
        return this.note(`the session stays open until ${timeOf(event.extended.expires_at)}`);
      case 'reset':
        return this.#startOver(event.reason, session);
      case 'gap':
        return this.note(`frame ${event.expected} is missing (got ${event.got}), asking for it again`);
      case 'lost':
        return this.note(
          `connection lost: ${event.url} (${described(event)}); attempt ${event.attempt} at ${event.nextUrl} in ${event.retryInMs} ms`,
        );
      case 'over':
        this.#endLine();
        return this.#onOver(event);
    }
  }

  #onOver(event: Extract<ClientEvent, { type: 'over' }>): void {
    switch (event.why) {
      case 'stopped':
        return;
      case 'refused':
        return this.note(event.reason);
      case 'fatal':
        return this.note(FATAL[event.code] ?? `session over: fatal (${described(event)})`);
      case 'unreachable':
        return this.note(`gave up: no connection to ${this.#ports.urls.join(', ')} (${described(event)})`);
      default:
        return this.note(`session over: ${event.why} (${described(event)})`);
    }
  }

  #onWelcome({ session_id: id, instance, resumed, simulated, offset }: Welcome, session: Shown): void {
    this.#pastUntil = offset;
    const isFirst = this.#sessionId === null;
    // The server does not know the former session any more: this is a new one.
    const isSame = this.#sessionId === id;
    this.#sessionId = id;
    if (isSame)
      return this.note(
        `connected again, to ${instance}; continuing after offset ${session.conversation.offset}`,
      );
    this.#historyEnd = offset;
    this.note(`${resumed ? 'resumed' : 'new'} session ${id} on ${instance}`);
    if (isFirst && !resumed && this.#ports.isResuming)
      this.note('there was no session with this id: it never existed, or it ended');
    this.note(`resume it anywhere: ${this.#ports.resumeCommand(id)}`);
    if (simulated === true) this.note(SIMULATED_SERVER);
  }

  #onFrame(frame: DurableFrame): void {
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
      case 'turn.retracted':
        return this.note('a turn was taken back');
      case 'forked':
        return this.note(`a copy of the conversation: ${this.#ports.resumeCommand(frame.session_id)}`);
      case 'message.queued':
        return this.note(`queued, number ${frame.position}`);
      case 'expiring':
        return this.note(
          `ends at ${timeOf(frame.expires_at)} (${frame.reason})${frame.reason === 'idle' ? '; /extend keeps it open' : ''}`,
        );
      case 'state':
        if (frame.offset > this.#pastUntil) this.note(frame.value);
        return;
      case 'turn.started':
        this.#markedTurn = null;
        if (frame.restarts === undefined) {
          if (frame.offset <= (this.#historyEnd ?? 0)) this.note(`you: ${frame.content}`);
          return;
        }
        this.#endLine();
        return this.note('the model could not continue this answer and starts it over');
    }
  }

  #startOver(reason: string, session: Shown): void {
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

  /** The mark goes to the stream of answers: a user who keeps only that stream keeps the mark. */
  #answerOf(turnId: string, text: string, simulated: boolean): void {
    if (simulated && text !== '' && this.#markedTurn !== turnId) {
      this.#markedTurn = turnId;
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

function timeOf(at: number): string {
  return new Date(at).toLocaleTimeString();
}

/** Removes control characters: a model's text could steer the terminal with them. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => (character === '\n' || character === '\t' ? character : ''));
}

function described({ code, reason }: { readonly code: number; readonly reason: string }): string {
  return reason === '' ? String(code) : `${code} ${reason}`;
}
