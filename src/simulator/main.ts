/** The simulator as a program: `npm run simulator`. Its settings come from SIMULATOR_* and nothing else. */
import { type SimulatorOptions, startSimulator } from './simulator.ts';

const DEFAULT_PORT = 8000;

function whole(name: string): number | null {
  const text = process.env[name]?.trim();
  if (text === undefined || text === '') return null;
  const value = Number(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  process.stderr.write(`${name} must be a whole number, 0 or more; it is "${text}"\n`);
  process.exit(2);
}

function readOptions(): SimulatorOptions {
  const tokensPerSecond = whole('SIMULATOR_TOKENS_PER_SECOND');
  const tokens = whole('SIMULATOR_TOKENS');
  const firstTokenMs = whole('SIMULATOR_FIRST_TOKEN_MS');
  const maxModelLen = whole('SIMULATOR_MAX_MODEL_LEN');
  const apiKey = process.env.SIMULATOR_API_KEY;
  const host = process.env.SIMULATOR_HOST;
  return {
    port: whole('SIMULATOR_PORT') ?? DEFAULT_PORT,
    ...(host === undefined || host === '' ? {} : { host }),
    ...(tokensPerSecond === null ? {} : { tokensPerSecond }),
    ...(tokens === null ? {} : { tokens }),
    ...(firstTokenMs === null ? {} : { firstTokenMs }),
    ...(maxModelLen === null ? {} : { maxModelLen }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

const simulator = await startSimulator(readOptions());
const line = {
  msg: 'listening',
  port: simulator.port,
  url: simulator.url,
  pid: process.pid,
  simulated: true,
};
process.stdout.write(`${JSON.stringify(line)}\n`);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    void simulator.close().then(() => process.exit(0));
  });
}
