/** SessionList shows the conversations of this browser, and those that the server lists for its user. */
import { button, byId, element } from './elements.ts';
import type { ListedSession } from './service.ts';
import { forget, type KnownSession, knownSessions, remember, type Shelf } from './state/known-sessions.ts';

export interface SessionListActions {
  readonly open: (sessionId: string | null) => void;
}

const UNTITLED = 'Conversation';

export class SessionList {
  readonly #place = byId('sessions', HTMLUListElement);
  readonly #shelf: Shelf;
  readonly #actions: SessionListActions;
  #openId: string | null = null;
  #openTitle: string | null = null;

  constructor(shelf: Shelf, actions: SessionListActions) {
    this.#shelf = shelf;
    this.#actions = actions;
    const toggle = byId('menu', HTMLButtonElement);
    const setOpen = (isOpen: boolean): void => {
      document.body.classList.toggle('listing', isOpen);
      toggle.ariaExpanded = String(isOpen);
    };
    this.#draw(null);
    toggle.onclick = () => setOpen(!document.body.classList.contains('listing'));
    byId('new', HTMLButtonElement).onclick = () => {
      setOpen(false);
      actions.open(null);
    };
    this.#place.addEventListener('click', () => setOpen(false));
    byId('sidebar', HTMLElement).onkeydown = ({ key }) => {
      if (key !== 'Escape' || !document.body.classList.contains('listing')) return;
      setOpen(false);
      toggle.focus();
    };
  }

  /** The server's sessions that have turns; their words stay there, so they have no title of their own. */
  add(listed: readonly ListedSession[]): void {
    for (const { session_id: id, created_at: at, conversation_count } of listed)
      if (conversation_count > 0) remember(this.#shelf, { id, title: '', at });
    this.#draw(this.#openId);
  }

  /** Called with each drawing of the page: the storage is written only for another title. */
  remember(session: KnownSession): void {
    if (session.id === this.#openId && session.title === this.#openTitle) return;
    this.#openTitle = session.title;
    remember(this.#shelf, session);
    this.#draw(session.id);
  }

  show(openId: string | null): void {
    if (openId === this.#openId) return;
    this.#openTitle = null;
    this.#draw(openId);
  }

  #draw(openId: string | null): void {
    const known = knownSessions(this.#shelf).toSorted((a, b) => b.at - a.at);
    this.#openId = openId;
    this.#place.replaceChildren(...known.map((one) => this.#item(one, one.id === openId)));
  }

  #item({ id, title, at }: KnownSession, isOpen: boolean): HTMLLIElement {
    const name = title || UNTITLED;
    const open = button('', () => this.#actions.open(id), 'session');
    open.append(element('span', { className: 'title' }, name), element('small', {}, whenOf(at)));
    if (isOpen) open.ariaCurrent = 'page';
    const remove = button('×', () => {
      forget(this.#shelf, id);
      this.#draw(this.#openId);
    });
    remove.ariaLabel = `Remove from this list: ${name}`;
    return element('li', {}, open, remove);
  }
}

function whenOf(at: number): string {
  const date = new Date(at);
  const isToday = date.toDateString() === new Date().toDateString();
  return isToday
    ? date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })
    : date.toLocaleDateString([], { day: 'numeric', month: 'short' });
}
