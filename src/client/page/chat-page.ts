/**
 * ChatPage puts the parts of the page together: it opens conversations, and shows each change with the next frame of the
 * screen.
 */
import type { RehydraError } from '../package/client.ts';
import { Composer } from './composer.ts';
import { patientDialog } from './dialogs/patient-dialog.ts';
import { shareDialog } from './dialogs/share-dialog.ts';
import { downloads } from './downloads.ts';
import { byId, say } from './elements.ts';
import { LiveConversation } from './live-conversation.ts';
import { drawNotices, StatusLine } from './notices.ts';
import type { Proof, Service } from './service.ts';
import { SessionList } from './session-list.ts';
import { hashFor, type PageAddress } from './state/address.ts';
import type { Shelf } from './state/known-sessions.ts';
import { needsToken, titleOf } from './state/words.ts';
import { TurnList } from './turn-list.ts';

export interface ChatPageOptions {
  readonly address: PageAddress;
  readonly shelf: Shelf;
  readonly service: Service;
  readonly proof: () => Proof;
  /** The server proves users: each conversation has one. */
  readonly isProven: boolean;
  readonly onDrawn: () => void;
  /** The credential has ended. */
  readonly onRefused: () => void;
}

const NEW = 'New conversation';

export class ChatPage {
  readonly #options: ChatPageOptions;
  readonly #composer: Composer;
  readonly #sessions: SessionList;
  readonly #log = byId('log', HTMLElement);
  readonly #status = new StatusLine();
  #live!: LiveConversation;
  #turns!: TurnList;
  #isDrawing = false;
  /** The user whose sessions the server was asked for. */
  #listedFor: string | null | undefined;

  constructor(options: ChatPageOptions) {
    this.#options = options;
    const failed = (error: unknown) =>
      this.#live.note(error instanceof Error ? error.message : String(error));
    this.#composer = new Composer({
      send: (content, policy) => this.#live.send(content, policy),
      stop: () => void this.#live.session.cancel(),
      withdraw: (id) => void this.#live.session.withdraw(id),
      failed,
    });
    this.#sessions = new SessionList(options.shelf, { open: (id) => this.open(id) });
    downloads(options.service, () => this.#live.session.id, failed);
    const patient = patientDialog((data) => this.#live.setPatient(data));
    byId('patient', HTMLButtonElement).onclick = () => patient.open();
    const share = shareDialog(options.service);
    byId('share', HTMLButtonElement).onclick = () => {
      const sessionId = this.#live.session.id;
      if (sessionId !== null) share.open({ sessionId, namesUser: !options.isProven });
    };
    byId('skip', HTMLButtonElement).onclick = () => this.#composer.focus();
    byId('extend', HTMLButtonElement).onclick = () => void this.#live.session.extend();
    byId('notice-close', HTMLButtonElement).onclick = () => this.#live.note(null);
    this.open(options.address.sessionId);
  }

  get live(): LiveConversation {
    return this.#live;
  }

  /** Null: a new conversation. */
  open(sessionId: string | null): void {
    this.#live?.session.leave();
    this.#log.replaceChildren();
    const { address, proof } = this.#options;
    const live = new LiveConversation({
      ...proof(),
      sessionId,
      urls: address.instances.length === 0 ? ['/'] : address.instances,
      onChange: () => this.#drawSoon(),
    });
    this.#live = live;
    this.#turns = new TurnList(this.#log, {
      edit: ({ turnId }, content) => live.answerAgain(turnId, content),
      answerAgain: ({ turnId }) => live.answerAgain(turnId),
      forkAfter: ({ turnId }) => {
        live.session.fork({ after: turnId }).then(
          (id) => this.open(id),
          ({ message }: RehydraError) => live.note(message),
        );
      },
    });
    live.session.on('over', ({ code }) => {
      if (needsToken(code) && this.#live === live) this.#options.onRefused();
    });
    this.#drawSoon();
    this.#composer.focus();
  }

  /** Draws once for all changes of one frame of the screen. */
  #drawSoon(): void {
    if (this.#isDrawing) return;
    this.#isDrawing = true;
    requestAnimationFrame(() => {
      this.#isDrawing = false;
      this.#draw();
    });
  }

  #draw(): void {
    const { session, state, waiting, isRunning, userId, patient } = this.#live;
    const { turns } = session.conversation;
    const scroller = byId('scroller', HTMLElement);
    const isAtEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < 80;
    this.#turns.show(turns, isRunning || !session.connected || state.isReader);
    byId('empty', HTMLElement).hidden = turns.length > 0;
    if (isAtEnd) scroller.scrollTop = scroller.scrollHeight;
    this.#composer.show({
      waiting,
      isRunning,
      isClosed: state.link.kind === 'over' || state.isReader,
      placeholder: state.isReader ? 'You may read this conversation' : 'Write a message',
    });
    say(
      byId('patient-note', HTMLElement),
      patient === null ? null : 'Patient data goes with your next message.',
    );
    byId('share', HTMLButtonElement).disabled = !this.#options.isProven && userId === null;
    drawNotices(state);
    this.#status.show(state.link);
    this.#drawName();
    this.#options.onDrawn();
  }

  /** The name of the conversation, in the heading, the list and the address. */
  #drawName(): void {
    const { session, createdAt, userId } = this.#live;
    const { id } = session;
    const question = session.conversation.turns.find((turn) => turn.question !== null)?.question ?? null;
    const title = question === null ? NEW : titleOf(question);
    say(byId('title', HTMLElement), title);
    document.title = question === null ? 'Rehydra' : `${title} · Rehydra`;
    if (id === null) return this.#sessions.show(null);
    if (!location.hash.startsWith(hashFor(id)))
      history.replaceState(null, '', `${location.pathname}${location.search}${hashFor(id)}`);
    if (question !== null) this.#sessions.remember({ id, title, at: createdAt });
    else this.#sessions.show(id);
    // Once for each user: the list is the server's answer to a name.
    if (session.connected && this.#listedFor !== userId) this.#list(userId);
  }

  #list(userId: string | null): void {
    this.#listedFor = userId;
    if (userId === null && !this.#options.isProven) return;
    // Some roles may not list: then the page shows what this browser has had.
    this.#options.service.sessions(userId).then(
      (listed) => this.#sessions.add(listed),
      () => {},
    );
  }
}
