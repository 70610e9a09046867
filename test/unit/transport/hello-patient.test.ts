import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openStage, type Stage } from '../../support/actor/stage.ts';

const SESSION = '6f1c2a9e-8a4e-4a57-9f0b-0d1f2c3b4a59';
const HOUR_MS = 3_600_000;

describe('patient of a hello', () => {
  let stage: Stage;
  beforeEach(async () => {
    stage = await openStage();
  });
  afterEach(() => stage.close());

  async function hello(fields: Readonly<Record<string, unknown>>): Promise<void> {
    const client = stage.connect();
    client.say({ type: 'hello', session_id: SESSION, ...fields });
    await stage.settle();
    expect(client.frames).toContainEqual(expect.objectContaining({ type: 'welcome' }));
  }

  const patient = async () => (await stage.ports.services.sessions.view(SESSION))?.context.patient;

  async function share(userId: string, access: 'read' | 'write'): Promise<void> {
    const at = stage.clock.now();
    const invitation = { id: userId, userId, access, expiresAt: at + HOUR_MS };
    await stage.ports.services.sessions.send(SESSION, { type: 'share', at, share: invitation }, null);
  }

  it('a session knows the patient of the hello that creates it', async () => {
    await hello({ patient: { age: 60 } });
    expect(await patient()).toEqual({ age: { years: 60, given: 60 } });
  });

  it('the patient of a hello is merged into an existing session, and newer data wins', async () => {
    await hello({ patient: { age: 60, gender: 'female' } });
    await hello({ patient: { age: 61, vitals: { spo2: 97 } } });
    expect(await patient()).toMatchObject({
      age: { years: 61 },
      gender: 'female',
      vitals: { spo2: { value: 97 } },
    });
  });

  it('a repeated hello does not replace newer patient data with older', async () => {
    const said = { patient: { chief_complaint: 'chest pain', vitals: { spo2: 97 } } };
    await hello(said);
    await hello({ patient: { chief_complaint: 'dizzy', vitals: { spo2: 88 } } });
    const known = await patient();
    for (let times = 0; times < 3; times += 1) await hello({ ...said, after: 0 });
    expect(await patient()).toEqual(known);
    expect(known).toMatchObject({
      chief_complaints: ['chest pain', 'dizzy'],
      vitals: { spo2: { value: 88 } },
    });
  });

  it('the patient of a hello is ignored from a guest with read access and merged from one with write access', async () => {
    await hello({ user_id: 'ana', patient: { age: 60 } });
    await share('reader', 'read');
    await share('writer', 'write');
    await hello({ user_id: 'reader', patient: { age: 1, gender: 'male' } });
    expect(await patient()).toEqual({ age: { years: 60, given: 60 } });
    await hello({ user_id: 'writer', patient: { gender: 'male' } });
    expect(await patient()).toEqual({ age: { years: 60, given: 60 }, gender: 'male' });
  });
});
