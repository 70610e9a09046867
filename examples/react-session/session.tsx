/** A conversation with `useSession`. The hook reconnects and resumes, so the page has no code for it. */
import { type FormEvent, StrictMode, useEffect, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useSession } from 'rehydra/react';

const server = new URLSearchParams(location.search).get('server') ?? 'http://127.0.0.1:8080';
// The address of the page names the session, so a reload finds it again.
const known = location.hash.slice(1);

function Conversation() {
  const { session, conversation, connected, send, cancel } = useSession({
    url: server,
    ...(known === '' ? {} : { sessionId: known }),
  });
  const sessionId = session?.id ?? null;
  useEffect(() => {
    if (sessionId !== null) history.replaceState(null, '', `#${sessionId}`);
  }, [sessionId]);

  function ask(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = event.currentTarget;
    // The conversation shows how the turn ends, so its failure needs no second place.
    send(String(new FormData(form).get('question'))).done.catch(() => {});
    form.reset();
  }

  return (
    <>
      {conversation.turns.map(({ turnId, question, text, outcome }) => (
        <section key={turnId}>
          <p className="user">{question}</p>
          <p className="assistant">{text}</p>
          <p className="outcome">{outcome.kind}</p>
        </section>
      ))}
      <p role="status">{connected ? 'connected' : 'connecting'}</p>
      <form onSubmit={ask}>
        <input name="question" required autoComplete="off" aria-label="Question" />
        <button type="submit">Send</button>
        <button type="button" onClick={cancel}>
          Stop
        </button>
      </form>
    </>
  );
}

/** The hook connects while the conversation is on the page. */
function Page() {
  const [isOpen, setOpen] = useState(true);
  return (
    <>
      {isOpen && <Conversation />}
      <button type="button" onClick={() => setOpen(!isOpen)}>
        {isOpen ? 'Leave' : 'Come back'}
      </button>
    </>
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <Page />
  </StrictMode>,
);
