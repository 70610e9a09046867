/** Finds or starts the server under test, probes it, and gives the results to the tests and to the report. */
import type { TestProject } from 'vitest/node';
import { PATIENT } from '../conformance/vllm-listening.ts';
import { type EngineProcess, startEngine } from './engine-process.ts';
import { probe } from './server-features.ts';

const given = (name: string): string | null => {
  const value = process.env[name];
  return value === undefined || value === '' ? null : value;
};

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const started: EngineProcess[] = [];
  const teardown = async (): Promise<void> => {
    await Promise.all(started.map((one) => one.stop()));
  };
  const start = async (kind: string): Promise<EngineProcess> => {
    const one = await startEngine(kind);
    started.push(one);
    return one;
  };
  try {
    const kind = given('ENGINE_START');
    const first = kind === null ? null : await start(kind);
    const second = kind === null ? null : await start(kind);
    const url = first?.url ?? given('ENGINE_URL');
    if (url === null) throw new Error('no server is named: see npm run test:engine -- --help');
    const model = await modelOf(url);
    const features = await probe(url, model);
    process.env.ENGINE_SEEN = JSON.stringify({ url, model, seen: features.seen });
    const pid = first?.pid ?? Number(given('ENGINE_PID') ?? 0);
    project.provide('engine', {
      url,
      secondUrl: second?.url ?? given('ENGINE_SECOND_URL'),
      pid: pid === 0 ? null : pid,
      model,
      question: given('ENGINE_QUESTION') ?? PATIENT.at(-1)?.content ?? '',
      features,
    });
  } catch (error) {
    await teardown();
    throw error;
  }
  return teardown;
}

async function modelOf(url: string): Promise<string> {
  const response = await fetch(`${url.replace(/\/+$/, '')}/models`);
  if (!response.ok) throw new Error(`${url}/models answers ${response.status}`);
  const { data } = (await response.json()) as { readonly data: readonly [{ readonly id: string }] };
  return data[0].id;
}
