/**
 * LiveConversation is one session of the page, from its opening until the page leaves it.
 *
 *  LIVE-1  A message is kept in the tab's storage until its turn starts: a reload sends it again, under the same id.
 *  LIVE-2  Patient data goes out once, with the next message.
 */
import { newId } from '../new-id.ts';
import { connect, type OverlapPolicy, type RehydraSession, type SendOptions } from '../package/client.ts';
import type { Proof } from './service.ts';
import {
  afterEvent,
  firstState,
  type PageState,
  shownWaiting,
  type Waiting,
  withNotice,
  withWaiting,
} from './state/page-state.ts';
import { keepUnsent, unsentOf } from './state/unsent.ts';

export type PatientData = NonNullable<SendOptions['patient']>;

export interface LiveOptions extends Proof {
  /** Null: a new session. */
  readonly sessionId: string | null;
  readonly urls: readonly string[];
  readonly onChange: () => void;
}

export class LiveConversation {
  readonly session: RehydraSession;
  readonly userId: string | null;
  readonly #onChange: () => void;
  #state: PageState = firstState;
  #kept: readonly Waiting[] = firstState.waiting;
  #patient: PatientData | null = null;
  #socket: WebSocket | null = null;
  #createdAt = 0;

  constructor({ sessionId, urls, token, userId, onChange }: LiveOptions) {
    this.userId = userId;
    this.#onChange = onChange;
    const keep = (socket: WebSocket): void => {
      this.#socket = socket;
    };
    class KeptSocket extends WebSocket {
      constructor(url: string) {
        super(url);
        keep(this);
      }
    }
    this.session = connect({
      url: urls,
      WebSocket: KeptSocket,
      ...(sessionId === null ? {} : { sessionId }),
      ...(token === null ? {} : { token }),
      ...(userId === null || token !== null ? {} : { userId }),
    });
    this.session.on('*', (event) => {
      if (event.type === 'welcomed') this.#createdAt = event.welcome.created_at;
      const { conversation } = this.session;
      this.#take(afterEvent(this.#state, event, { now: Date.now(), userId, conversation }));
    });
    if (sessionId === null) return;
    for (const message of unsentOf(sessionStorage, sessionId)) this.#post(message, {});
  }

  get state(): PageState {
    return this.#state;
  }

  get createdAt(): number {
    return this.#createdAt;
  }

  get waiting(): readonly Waiting[] {
    return shownWaiting(this.#state, this.session.state, this.session.unacknowledged);
  }

  get isRunning(): boolean {
    // Not the last one: a waiting message that was taken back leaves a turn behind the one that runs.
    return this.session.conversation.turns.some(({ outcome }) => outcome.kind === 'running');
  }

  /** Patient data that waits for the next message. */
  get patient(): PatientData | null {
    return this.#patient;
  }

  setPatient(patient: PatientData | null): void {
    this.#patient = patient;
    this.#onChange();
  }

  /** Throws if the message is too long for one frame. */
  send(content: string, policy: OverlapPolicy): void {
    const patient = this.#patient;
    this.#post({ id: newId(), content }, { policy, ...(patient === null ? {} : { patient }) });
    this.#patient = null; // LIVE-2
  }

  #post(message: Waiting, options: SendOptions): void {
    void this.session.send(message.content ?? '', { ...options, id: message.id });
    this.#take(withWaiting(this.#state, message));
  }

  answerAgain(turnId: string, content?: string): void {
    this.#take(withNotice(this.#state, null));
    void this.session.regenerate({ turnId, ...(content === undefined ? {} : { content }) });
  }

  note(notice: string | null): void {
    this.#take(withNotice(this.#state, notice));
  }

  /** Closes the socket as a lost network would; the client resumes. */
  killConnection(): void {
    this.#socket?.close();
  }

  #take(state: PageState): void {
    this.#state = state;
    const { id } = this.session;
    if (id !== null && this.#kept !== state.waiting) {
      keepUnsent(sessionStorage, id, state.waiting); // LIVE-1
      this.#kept = state.waiting;
    }
    this.#onChange();
  }
}
