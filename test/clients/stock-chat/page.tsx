/** Stock `useChat` with a stock transport, and nothing of ours. The same source is built with each version of the AI SDK. */
import { useChat } from '@ai-sdk/react';
import { WorkflowChatTransport } from '@ai-sdk/workflow/client';
import { DefaultChatTransport } from 'ai';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';

const query = new URLSearchParams(location.search);
const api = `${query.get('server')}/api/chat`;
if (location.hash === '') location.hash = crypto.randomUUID();
const chatId = location.hash.slice(1);
const isWorkflow = query.has('workflow');

const transport = isWorkflow
  ? new WorkflowChatTransport({
      api,
      // By itself it sends no `id` and no type of the body.
      prepareSendMessagesRequest: ({ id, messages, trigger, messageId }) => ({
        headers: { 'content-type': 'application/json' },
        body: { id, messages, trigger, messageId },
      }),
    })
  : new DefaultChatTransport({ api });

function Chat({ earlier }) {
  const [question, setQuestion] = useState('');
  const { messages, sendMessage, resumeStream, status, error } = useChat({
    id: chatId,
    messages: earlier,
    // The workflow transport takes "nothing to resume" for an error.
    resume: !isWorkflow || earlier.at(-1)?.role === 'user',
    transport,
  });
  return (
    <>
      {messages.map(({ id, role, parts }) => (
        <p key={id} className={role}>
          {parts.map((part) => (part.type === 'text' ? part.text : ''))}
        </p>
      ))}
      <p role="status">{status}</p>
      <p role="alert">{error?.message}</p>
      <input value={question} onChange={({ target }) => setQuestion(target.value)} />
      <button type="button" onClick={() => void sendMessage({ text: question })}>
        Send
      </button>
      <button type="button" onClick={() => void fetch(`${api}/${chatId}/stop`, { method: 'POST' })}>
        Stop
      </button>
      <button type="button" onClick={() => void resumeStream()}>
        Resume
      </button>
    </>
  );
}

const earlier = await (await fetch(`${api}/${chatId}`)).json();
createRoot(document.getElementById('root')).render(<Chat earlier={earlier} />);
