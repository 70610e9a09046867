/** Starts the chat: proves the user if the server asks for it, then opens the page. */

import { ChatPage } from './chat-page.ts';
import { demoStrip } from './demo-strip.ts';
import { askToken, dropToken, keptToken } from './dialogs/token-dialog.ts';
import { byId } from './elements.ts';
import { Service } from './service.ts';
import { readAddress } from './state/address.ts';

const NAME_KEY = 'rehydra.user';

/** `none`: clients name themselves. `token`: the page asks for one. `proxy`: a proxy in front of the server proves the user. */
const proofKind = document.documentElement.dataset.proof;
const address = readAddress(location.href);
let token = proofKind === 'token' ? (keptToken() ?? (await askToken(null))) : null;

const nameField = byId('name', HTMLInputElement);
byId('identity', HTMLFormElement).hidden = proofKind !== 'none';
nameField.value = address.userId ?? localStorage.getItem(NAME_KEY) ?? '';
/** An invitation names its user for this page only. */
const userId = (): string | null => (proofKind === 'none' ? nameField.value.trim() || null : null);

const drawDemo = address.isDemo ? demoStrip(() => page.live) : () => {};
const page: ChatPage = new ChatPage({
  address,
  shelf: proofKind === 'none' ? localStorage : sessionStorage,
  service: new Service(() => ({ token, userId: userId() })),
  proof: () => ({ token, userId: userId() }),
  isProven: proofKind !== 'none',
  onDrawn: drawDemo,
  onRefused: () => {
    if (proofKind !== 'token') return;
    dropToken();
    void askToken('The server did not accept this token, or it has ended.').then((given) => {
      token = given;
      page.open(page.live.session.id);
    });
  },
});

byId('identity', HTMLFormElement).onsubmit = (event) => {
  event.preventDefault();
  nameField.blur();
};
nameField.onchange = () => {
  localStorage.setItem(NAME_KEY, nameField.value.trim());
  page.open(page.live.session.id);
};
