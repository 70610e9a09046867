/**
 * SIGKILL ends the owner of running responses, while the unmodified client of OpenAI reads them in processes of its own. Each
 * client asks another instance for the events after its last one.
 */
import { spawn } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { startSimulator } from '../../src/simulator/simulator.ts';
import { plainAnswer } from '../support/instance/observed.ts';
import { type Printing, resultOf, watch } from '../support/instance/printed.ts';
import { adopt } from '../support/instance/processes.ts';
import { startRedis } from '../support/instance/redis-server.ts';
import { started } from '../support/instance/started.ts';
import { tell, until } from './chaos/figures.ts';
import { startFleet } from './chaos/fleet.ts';

const CLIENT = 'examples/openai-node/chat.mjs';
const KILLS = 5;
const RESPONSES_PER_KILL = 10;
/** In UTF-16 units; less than a quarter of an answer, for a busy machine may kill late. */
const CUT = 150;

describe('killed owner of responses', () => {
  const [redis, simulator] = started(startRedis, () => startSimulator({ tokens: 280, tokensPerSecond: 25 }));
  const [fleet] = started(() =>
    startFleet(2, () => ({ REDIS_URL: redis.url, VLLM_BASE_URL: simulator.url, LEASE_MS: '3000' })),
  );
  let identical = 0;
  const cuts: number[] = [];
  afterAll(() =>
    tell(
      `${identical} of ${KILLS * RESPONSES_PER_KILL} responses went on byte-exact, cut after ${Math.min(...cuts)} to ${Math.max(...cuts)} characters`,
    ),
  );

  function ask(content: string, victim: number): Printing {
    // The client asks the owner, and turns to the other instance when its stream breaks.
    const urls = [fleet.at(victim).http, fleet.at(1 - victim).http];
    const env = { PATH: process.env.PATH ?? '', REHYDRA_URL: urls.join(',') };
    const child = spawn(process.execPath, [CLIENT, content], { env, stdio: ['ignore', 'pipe', 'pipe'] });
    adopt(child);
    return watch(child);
  }

  it.each(Array.from({ length: KILLS }, (_, index) => ({ kill: index + 1 })))(
    "OpenAI's client resumes every response of a killed owner on the other instance, without a byte lost or doubled (kill $kill)",
    async ({ kill }) => {
      const victim = kill % 2;
      const questions = Array.from(
        { length: RESPONSES_PER_KILL },
        (_, index) => `My pain ${kill}.${index} began yesterday.`,
      );
      const clients = questions.map((question) => ask(question, victim));
      const lengths = () => clients.map(({ stdout }) => stdout().length);
      await until(() => Math.min(...lengths()) > 0 && Math.max(...lengths()) >= CUT, 'the moment to kill', {
        everyMs: 5,
      });
      const cutAt = lengths();
      const isOver = clients.map(({ stdout }) => stdout().includes('\n{"id"'));
      await fleet.kill(victim);
      expect(isOver, 'a response had ended before the kill').not.toContain(true);
      cuts.push(...cutAt);
      for (const [index, client] of clients.entries()) {
        expect(await client.ended).toEqual({ code: 0, stderr: '' });
        const answer = await plainAnswer(simulator.url, [{ role: 'user', content: questions[index]! }]);
        expect(resultOf(client.stdout())).toEqual({ printed: answer, answer });
        expect(cutAt[index]).toBeLessThan(answer.length);
        identical += 1;
      }
      await fleet.revive(victim);
    },
  );
});
