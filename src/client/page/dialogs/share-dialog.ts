/** ShareDialog invites a user into the conversation, lists the invitations and takes them back. */

import { button, byId, element, say, timeOf } from '../elements.ts';
import type { Service, Share } from '../service.ts';
import { hashFor } from '../state/address.ts';

export interface Shared {
  readonly sessionId: string;
  /** The link names its user where the server proves none. */
  readonly namesUser: boolean;
}

export function shareDialog(service: Service): { open(shared: Shared): void } {
  const dialog = byId('share-dialog', HTMLDialogElement);
  const form = byId('share-form', HTMLFormElement);
  const result = byId('share-result', HTMLElement);
  const link = byId('share-link', HTMLInputElement);
  const fault = byId('share-fault', HTMLElement);
  const list = byId('shares', HTMLUListElement);
  let open: Shared | null = null;

  const attempt = (task: () => Promise<void>): void => {
    say(fault, null);
    task().catch((error: unknown) => say(fault, error instanceof Error ? error.message : String(error)));
  };
  const showShares = async ({ sessionId }: Shared): Promise<void> => {
    const shares = await service.shares(sessionId);
    list.replaceChildren(...shares.map((share) => item(sessionId, share)));
  };
  const item = (sessionId: string, { share_id, user_id, access, expires_at }: Share): HTMLLIElement => {
    const words = `${user_id} may ${access === 'write' ? 'write' : 'read'} until ${timeOf(expires_at)}`;
    const revoke = button('Revoke', () =>
      attempt(async () => {
        await service.revoke(sessionId, share_id);
        if (open !== null) await showShares(open);
      }),
    );
    revoke.ariaLabel = `Revoke the share of ${user_id}`;
    return element('li', {}, element('span', {}, words), revoke);
  };

  form.onsubmit = (event) => {
    event.preventDefault();
    const shared = open;
    if (shared === null) return;
    const data = new FormData(form);
    const user = String(data.get('user') ?? '').trim();
    const access = data.get('access') === 'write' ? 'write' : 'read';
    attempt(async () => {
      await service.share(shared.sessionId, user, access, Number(data.get('for')));
      link.value = `${location.origin}/${hashFor(shared.sessionId, shared.namesUser ? user : null)}`;
      result.hidden = false;
      link.select();
      await showShares(shared);
    });
  };
  byId('share-close', HTMLButtonElement).onclick = () => dialog.close();
  return {
    open(shared) {
      open = shared;
      result.hidden = true;
      list.replaceChildren();
      dialog.showModal();
      attempt(() => showShares(shared));
    },
  };
}
