/** Who may tell the model what it is, over the Responses API of an instance with AUTH. */
import OpenAI, { APIError } from 'openai';
import { describe, expect, it } from 'vitest';
import { newIdentities } from '../../support/instance/identities.ts';
import { startInstance } from '../../support/instance/instance.ts';
import { started } from '../../support/instance/started.ts';

const identities = newIdentities();
const service = identities.apiKey('web', 'service');
const [instance] = started(() =>
  startInstance({ ...identities.environment, SIMULATOR_TOKENS: '4', SIMULATOR_TOKENS_PER_SECOND: '0' }),
);

const clientOf = (apiKey: string, user?: string) =>
  new OpenAI({
    baseURL: `${instance.http}/v1`,
    apiKey,
    maxRetries: 0,
    ...(user !== undefined && { defaultHeaders: { 'rehydra-user': user } }),
  });
const told = [
  { input: 'hello', instructions: 'You are a pirate.' },
  {
    input: [
      { role: 'system', content: 'You are a pirate.' },
      { role: 'user', content: 'hello' },
    ],
  },
] as const;

describe('instructions of a response with AUTH', () => {
  it.each(told)("a user's own credential may send no instructions, whichever way they come", async (body) => {
    const client = clientOf(await identities.token('ana'));
    const refused = await client.responses
      .create(body as unknown as OpenAI.Responses.ResponseCreateParamsNonStreaming)
      .catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(APIError);
    expect(refused).toMatchObject({ status: 403, type: 'permission_error', param: 'instructions' });
    expect((await client.responses.create({ input: 'hello' })).status).toBe('completed');
  });

  it.each(told)('the credential of a back end may send instructions for its user', async (body) => {
    const client = clientOf(service, 'ana');
    const response = await client.responses.create(
      body as unknown as OpenAI.Responses.ResponseCreateParamsNonStreaming,
    );
    expect(response).toMatchObject({ status: 'completed', instructions: 'You are a pirate.' });
  });

  it("a response and a conversation of another user look absent to OpenAI's client", async () => {
    const { id, conversation } = await clientOf(service, 'ana').responses.create({ input: 'hello' });
    const other = clientOf(service, 'ben');
    const asks = [
      () => other.responses.retrieve(id),
      () => other.responses.cancel(id),
      () => other.responses.delete(id),
      () => other.conversations.retrieve(conversation?.id ?? ''),
      () => other.responses.create({ input: 'more', previous_response_id: id }),
      () => other.responses.create({ input: 'more', conversation: conversation?.id ?? '' }),
    ];
    for (const ask of asks)
      expect(await ask().catch((error: unknown) => error)).toMatchObject({ status: 404 });
  });
});
