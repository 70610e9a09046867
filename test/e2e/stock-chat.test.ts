/**
 * The AI SDK 5, 6 and 7 as they come, in a real Chromium: `useChat` with `DefaultChatTransport` and with
 * `WorkflowChatTransport`, against two instances behind one address. All six pages do the same at the same time.
 */
import { describe, expect, it, onTestFinished } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { launchChromium } from '../support/instance/chromium.ts';
import { pageWith } from '../support/instance/example-page.ts';
import { type Failover, startFailover } from '../support/instance/failover.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { ASKED, expectPart, expectWhole, LEASE_MS, type OpenPage, openPage } from './page-scene.ts';

const COMMON = {
  '@ai-sdk/workflow': '2.0.43',
  zod: '4.6.7',
  react: '19.3.1',
  'react-dom': '19.3.1',
} as const;
const built = (ai: string, hook: string) => () =>
  pageWith('stock-chat', { ...COMMON, ai, '@ai-sdk/react': hook });

describe('stock chat pages', () => {
  const [redis, simulator, browser, five, six, seven] = started(
    startRedis,
    // An answer of twelve seconds: six pages reload in the middle of it.
    () => startSimulator({ tokens: 360, tokensPerSecond: 30 }),
    launchChromium,
    built('5.0.277', '2.0.280'),
    built('6.0.325', '3.0.328'),
    built('7.0.173', '4.0.177'),
  );
  const startPair = () => startFailover({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS });
  const [pair] = started(startPair);
  const wanted = () => plainAnswer(simulator.url, ASKED);

  interface Client {
    readonly name: string;
    readonly chat: OpenPage;
  }

  async function openAll({ http }: Failover): Promise<readonly Client[]> {
    const pages = [five, six, seven].flatMap((files, index) =>
      ['', '&workflow'].map(async (transport) => ({
        name: `AI SDK ${index + 5}${transport}`,
        chat: await openPage(browser, files.origin, http, transport),
      })),
    );
    return Promise.all(pages);
  }

  /** A failure names its client, and what the page says. */
  const each = (clients: readonly Client[], act: (chat: OpenPage, name: string) => Promise<unknown>) =>
    Promise.all(
      clients.map(async ({ name, chat }) => {
        try {
          await act(chat, name);
        } catch (cause) {
          const alert = await chat.page.getByRole('alert').textContent();
          throw new Error(`${name}: ${String(cause)} (${alert})`, { cause });
        }
      }),
    );

  async function askAll(behind: Failover, whole: string): Promise<readonly Client[]> {
    const clients = await openAll(behind);
    await each(clients, async (chat) => {
      await chat.ask();
      await chat.shows(40);
      await expectPart(chat, whole);
    });
    return clients;
  }

  async function askOwnPair(whole: string) {
    const own = await startPair();
    onTestFinished(() => own.stop());
    return { own, clients: await askAll(own, whole) };
  }

  it('stock chat pages of the AI SDK 5, 6 and 7 show the whole answer once, though they are loaded again in mid-answer', async () => {
    const whole = await wanted();
    const clients = await askAll(pair, whole);
    await each(clients, async (chat) => {
      await chat.page.reload();
      await chat.shows(40);
      await expectPart(chat, whole);
      await chat.shows(whole.length - 1);
      await chat.says('ready');
      await expectWhole(chat, whole);
    });
  });

  it('stock chat pages of the AI SDK 5, 6 and 7 stop an answer that a reload resumed, and do not stay streaming', async () => {
    const whole = await wanted();
    await each(await askAll(pair, whole), async (chat) => {
      await chat.page.reload();
      await chat.shows(40);
      await chat.press('Stop');
      await chat.says('ready');
      await expectPart(chat, whole);
      expect(chat.broken).toEqual([]);
    });
  });

  it('stock chat pages of the AI SDK 5, 6 and 7 show the exact answer once, though a kill ends the instance that writes it', async () => {
    const whole = await wanted();
    const { own, clients } = await askOwnPair(whole);
    await own.kill();
    await each(clients, async (chat, name) => {
      if (!name.endsWith('workflow')) {
        await chat.says('error');
        // The hooks of 5 and 6 would append the answer to the part that the page has.
        await recover(chat, whole, name.includes('7') ? () => resume(chat) : () => chat.page.reload());
      }
      await chat.shows(whole.length - 1);
      await chat.says('ready');
      await expectWhole(chat, whole);
    });
  });

  it('stock chat pages of the AI SDK 5, 6 and 7 that are loaded again after a kill show the exact answer once', async () => {
    const whole = await wanted();
    const { own, clients } = await askOwnPair(whole);
    await own.kill();
    await each(clients, async (chat) => {
      await recover(chat, whole, () => chat.page.reload());
      await chat.says('ready');
      await expectWhole(chat, whole);
    });
  });
});

async function resume(chat: OpenPage): Promise<void> {
  await chat.press('Resume');
  await chat.says('streaming');
}

/** A stream may break off once more while the session moves (UIENC-2): the page tries again, as its user would. */
async function recover(chat: OpenPage, whole: string, attempt: () => Promise<unknown>): Promise<void> {
  const isBroken = `document.querySelector('[role=status]')?.textContent === 'error'`;
  const isWhole = `document.querySelector('.assistant')?.textContent.length >= ${whole.length}`;
  do {
    await attempt();
    await chat.page.waitForFunction(`${isBroken} || ${isWhole}`);
  } while (await chat.page.evaluate(isBroken));
}
