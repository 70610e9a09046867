/** Runs the simulator until a signal ends it. Only the SIMULATOR_* variables set it up. */
import { helpText } from '../config/help.ts';
import { simulatorSchema } from '../config/settings.ts';
import { readVariables } from '../config/variables.ts';
import { answerCall } from '../startup/arguments.ts';
import { reasonOf } from '../startup/start-failure.ts';
import { type Simulator, startSimulator } from './simulator.ts';

const COMMAND = 'npm run simulator';
const PURPOSE = 'A simulator that imitates vLLM. Its answers have no meaning.';
answerCall(process.argv.slice(2), COMMAND, () => helpText(COMMAND, PURPOSE, simulatorSchema));

function refuse(reasons: readonly string[]): never {
  process.stderr.write(`simulator: could not start. ${reasons.join('\n')}\n`);
  process.exit(1);
}

async function start(): Promise<Simulator> {
  const read = readVariables(simulatorSchema, process.env);
  if (read.kind === 'problems') return refuse(['The environment cannot be used.', ...read.problems]);
  const { values } = read;
  try {
    return await startSimulator({
      host: values.SIMULATOR_HOST,
      port: values.SIMULATOR_PORT,
      tokens: values.SIMULATOR_TOKENS,
      tokensPerSecond: values.SIMULATOR_TOKENS_PER_SECOND,
      firstTokenMs: values.SIMULATOR_FIRST_TOKEN_MS,
      maxModelLen: values.SIMULATOR_MAX_MODEL_LEN,
      apiKey: values.SIMULATOR_API_KEY ?? null,
    });
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === null) throw error;
    return refuse([reason]);
  }
}

const simulator = await start();
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
