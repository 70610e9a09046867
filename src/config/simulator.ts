/** The variables of the simulator. The service reads three of them, `npm run simulator` reads all. */
import { z } from 'zod';
import { count, milliseconds, port } from './values.ts';

/** Of the simulator in either place. */
export const simulatedAnswers = {
  SIMULATOR_TOKENS: count(64).describe('least tokens of a simulated answer; it ends with the next sentence'),
  SIMULATOR_TOKENS_PER_SECOND: count(50).describe('speed of the simulator; 0: as fast as it can'),
  SIMULATOR_FIRST_TOKEN_MS: milliseconds(0).describe('delay of its first token'),
};

/** Of the simulator as a program of its own. */
export const simulatorSchema = z.object({
  SIMULATOR_HOST: z.string().default('127.0.0.1').describe('address to listen on'),
  SIMULATOR_PORT: port(8000).describe('port to listen on; 0 takes a free one'),
  ...simulatedAnswers,
  SIMULATOR_MAX_MODEL_LEN: count(32_768, 1).describe('tokens that the simulated model can read'),
  SIMULATOR_API_KEY: z.string().optional().describe('bearer token that it asks for; unset: none'),
});
