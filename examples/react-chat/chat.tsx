/** A chat with `useChat`. It streams, stops, and goes on after a reload and after a broken connection. */
import { useChat } from '@ai-sdk/react';
import { DefaultChatTransport, type UIMessage } from 'ai';
import { type FormEvent, StrictMode, useCallback, useEffect } from 'react';
import { createRoot } from 'react-dom/client';

const RETRY_AFTER_MS = 1_000;

const server = new URLSearchParams(location.search).get('server') ?? 'http://127.0.0.1:8080';
const api = `${server}/api/chat`;
// The address of the page names the chat, so a reload finds it again.
if (location.hash === '') location.hash = crypto.randomUUID();
const chatId = location.hash.slice(1);
const chat = `${api}/${encodeURIComponent(chatId)}`;

const transport = new DefaultChatTransport<UIMessage>({
  api,
  // The server has the earlier messages.
  prepareSendMessagesRequest: ({ id, messages, trigger, messageId, body }) => ({
    body: { ...body, id, trigger, messageId, messages: messages.slice(-1) },
  }),
});

/** The messages without the running answer, which `resume` brings. */
async function loadMessages(): Promise<UIMessage[]> {
  for (;;) {
    try {
      const response = await fetch(chat);
      if (response.ok) return await response.json();
    } catch {
      // The server is away. Another attempt follows.
    }
    await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
  }
}

function Chat({ earlier }: { readonly earlier: UIMessage[] }) {
  const { messages, setMessages, sendMessage, status, error } = useChat({
    id: chatId,
    messages: earlier,
    resume: true,
    transport,
  });
  const isBusy = status === 'submitted' || status === 'streaming';
  const isUnanswered = !isBusy && messages.at(-1)?.role === 'user';

  function send(event: FormEvent<HTMLFormElement>): void {
    event.preventDefault();
    const form = event.currentTarget;
    void sendMessage({ text: String(new FormData(form).get('question')) });
    form.reset();
  }

  /** Sends the last question again, under its id: the server starts no second answer, and gives the whole first one. */
  const askAgain = useCallback(() => {
    const index = messages.findLastIndex(({ role }) => role === 'user');
    const question = messages[index];
    if (question === undefined) return;
    setMessages(messages.slice(0, index));
    void sendMessage(question);
  }, [messages, setMessages, sendMessage]);

  // `stop` of the hook only closes the stream. This request stops the answer, also after a reload.
  const stop = () => void fetch(`${chat}/stop`, { method: 'POST' });

  // A broken connection is a TypeError. Other errors say why the question has no answer.
  const isBroken = error instanceof TypeError;
  useEffect(() => {
    if (!isBroken) return;
    const timer = setTimeout(askAgain, RETRY_AFTER_MS);
    return () => clearTimeout(timer);
  }, [isBroken, askAgain]);

  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id} className={role}>
          {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      <p role="status">{isBroken ? 'reconnecting' : status}</p>
      {error !== undefined && !isBroken && <p role="alert">{error.message}</p>}
      {isUnanswered && (
        <button type="button" onClick={askAgain}>
          Try again
        </button>
      )}
      <form onSubmit={send}>
        <input name="question" required autoComplete="off" aria-label="Question" />
        <button type="submit" disabled={isBusy}>
          Send
        </button>
        <button type="button" disabled={!isBusy} onClick={stop}>
          Stop
        </button>
      </form>
    </>
  );
}

const root = document.getElementById('root');
if (root === null) throw new Error('the page has no #root');
createRoot(root).render(
  <StrictMode>
    <Chat earlier={await loadMessages()} />
  </StrictMode>,
);
