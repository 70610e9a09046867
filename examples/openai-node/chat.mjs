/**
 * One question to Rehydra through the client of OpenAI. The text appears as the model writes it. If the connection breaks,
 * or the instance dies, the stream goes on after its last event, at the next address.
 *
 *   node examples/openai-node/chat.mjs "My knee hurts."
 *
 * REHYDRA_URL lists the addresses, with commas. REHYDRA_TOKEN is a credential.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import OpenAI, { APIError } from 'openai';

const ATTEMPTS_MAX = 100;
const PAUSE_MS = 200;

const addresses = (process.env.REHYDRA_URL ?? 'http://127.0.0.1:8080').split(',');
const clients = addresses.map((address) => {
  const baseURL = new URL('/v1', address).href;
  return new OpenAI({ baseURL, apiKey: process.env.REHYDRA_TOKEN ?? 'none', maxRetries: 0 });
});
const input = process.argv.slice(2).join(' ') || 'hello';
// The same key makes the request repeatable, at any address.
const headers = { 'Idempotency-Key': randomUUID() };

/** The response so far: its id and the number of its last event. */
const seen = { id: null, number: 0, response: null };

const open = (client) =>
  seen.id === null
    ? client.responses.create({ input, stream: true }, { headers })
    : client.responses.retrieve(seen.id, { stream: true, starting_after: seen.number });

async function follow(client) {
  for await (const event of await open(client)) {
    // An `error` event ends a stream before its response: the loop below resumes it.
    if (event.type === 'error') return;
    seen.number = event.sequence_number;
    if (event.type === 'response.created') seen.id = event.response.id;
    if (event.type === 'response.output_text.delta') process.stdout.write(event.delta);
    if (/^response\.(completed|incomplete|failed)$/.test(event.type)) seen.response = event.response;
  }
}

for (let attempt = 0; seen.response === null; attempt += 1) {
  try {
    await follow(clients[attempt % clients.length]);
  } catch (error) {
    const isFinal = error instanceof APIError && error.status !== undefined && error.status < 500;
    if (isFinal || attempt >= ATTEMPTS_MAX) throw error;
  }
  if (seen.response === null) await sleep(PAUSE_MS);
}

const { id, status, output } = seen.response;
const answer = output
  .flatMap((item) => (item.type === 'message' ? item.content : []))
  .map((part) => (part.type === 'output_text' ? part.text : ''))
  .join('');
process.stdout.write(`\n${JSON.stringify({ id, status, answer })}\n`);
