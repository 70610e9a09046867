/** Holds a bundle against the structure of FHIR R4; what is wrong with it, or nothing. */
import { readFileSync } from 'node:fs';
import { Ajv, type ErrorObject } from 'ajv';

const schema = new URL('../fixtures/fhir-communications.schema.json', import.meta.url);
const validate = new Ajv({ allErrors: true }).compile(JSON.parse(readFileSync(schema, 'utf8')) as object);

export function fhirProblems(bundle: unknown): readonly ErrorObject[] {
  return validate(JSON.parse(JSON.stringify(bundle))) ? [] : (validate.errors ?? []);
}
