import { readFileSync } from 'node:fs';
import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { vitalsInput } from '../../../src/conversation/patient/vitals.ts';
import { errors } from '../../../src/errors.ts';
import { asyncapiDocument } from '../../../src/http/core/asyncapi.ts';
import { openapiDocument } from '../../../src/http/core/openapi.ts';
import { permissions } from '../../../src/identity/permissions.ts';
import { described } from '../../support/documented.ts';

interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly required: boolean }[];
  readonly security?: readonly object[];
  readonly responses: Readonly<Record<string, { readonly description: string }>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<'schemas' | 'securitySchemes', Readonly<Record<string, unknown>>>>;
}

const document = openapiDocument(described) as unknown as Document;
const operations = Object.entries(document.paths).flatMap(([path, byMethod]) =>
  Object.entries(byMethod).map(([method, operation]) => ({ path, method, operation })),
);

describe('the OpenAPI document', () => {
  test('the OpenAPI document is valid OpenAPI 3.1', async () => {
    const validator = new Validator();
    const outcome = await validator.validate(JSON.parse(JSON.stringify(document)) as Record<string, unknown>);
    expect(outcome).toEqual({ valid: true });
    expect(validator.version).toBe('3.1');
  });

  test('the OpenAPI and AsyncAPI documents name the version of the package', () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string };
    expect(document).toMatchObject({ info: { version } });
    expect(asyncapiDocument()).toMatchObject({ info: { version } });
  });

  test('the OpenAPI document has exactly the served routes, except the files that pages load', () => {
    const named = described.filter((route) => !/^\/(chat|dashboard|docs)\//.test(route.path));
    const served = named.map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`);
    const documented = operations.map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(documented.toSorted()).toEqual(served.toSorted());
    expect(new Set(served).size).toBe(served.length);
  });

  test('every operation of the OpenAPI document has its own name', () => {
    const names = operations.map(({ operation }) => operation.operationId);
    expect(new Set(names).size).toBe(names.length);
  });

  test('the OpenAPI document groups every operation by its door', () => {
    const { tags } = document as unknown as { readonly tags: readonly { readonly name: string }[] };
    const used = operations.flatMap(({ operation }) => operation.tags);
    expect(new Set(used)).toEqual(new Set(tags.map(({ name }) => name)));
    const doorOf = (path: string) => operations.find((one) => one.path === path)?.operation.tags;
    expect(doorOf('/v1/sessions/{id}/fork')).toEqual(['Sessions']);
    expect(doorOf('/v1/conversations/{id}/items')).toEqual(['OpenAI']);
    expect(doorOf('/api/chat/{id}/stop')).toEqual(['AI SDK']);
  });

  test('the OpenAPI document declares every part of a path as a parameter', () => {
    for (const { path, operation } of operations) {
      const declared = (operation.parameters ?? [])
        .filter((one) => one.in === 'path')
        .map(({ name }) => name);
      expect(declared, path).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
    }
  });

  test('the OpenAPI document asks for a credential on exactly the routes that refuse strangers', () => {
    const schemes = Object.keys(document.components.securitySchemes);
    expect(schemes).toEqual(['bearer', 'basic']);
    const asking = operations.filter(({ operation }) => operation.security !== undefined);
    const closed = Object.entries(permissions).filter(
      ([name, { stranger }]) => stranger === 'none' && / /.test(name),
    );
    const names = closed.map(([name]) => name.replace(/:(\w+)/g, '{$1}'));
    const isDocumented = (name: string) => !/\?|dashboard\//.test(name);
    expect(asking.map(({ method, path }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual(
      names.filter(isDocumented).toSorted(),
    );
    for (const { operation } of asking)
      for (const one of operation.security ?? []) expect(schemes).toContain(Object.keys(one)[0]);
  });

  test('the OpenAPI document has the header rehydra-user on exactly the routes where a back end acts for a user', () => {
    const named = operations.flatMap(({ method, path, operation }) => {
      const has = operation.parameters?.some(({ name }) => name === 'rehydra-user');
      return has ? [`${method.toUpperCase()} ${path}`] : [];
    });
    const acting = Object.entries(permissions).filter(
      ([name, { service }]) => service === 'own' && / /.test(name),
    );
    expect(named.toSorted()).toEqual(acting.map(([name]) => name.replace(/:(\w+)/g, '{$1}')).toSorted());
  });

  test('the OpenAPI document contains exactly the schemas that it refers to', () => {
    const text = JSON.stringify(document);
    const referred = new Set(
      [...text.matchAll(/"\$ref":"#\/components\/schemas\/(\w+)"/g)].map(([, name]) => name),
    );
    expect([...referred].toSorted()).toEqual(Object.keys(document.components.schemas).toSorted());
    expect(text).not.toContain('"$schema"');
    expect(text).not.toContain('$defs');
  });

  test('the OpenAPI document lists each error under its own status, with the text of the error table', () => {
    for (const { path, operation } of operations)
      for (const [status, { description }] of Object.entries(operation.responses))
        for (const [, code = ''] of description.matchAll(/^`(\w+)`:/gm)) {
          const row = errors[code as keyof typeof errors];
          expect(String(row.status), `${path} ${code}`).toBe(status);
          expect(description).toContain(row.text);
        }
  });

  test('the OpenAPI document gives the ranges and units of the vitals', () => {
    const request = JSON.stringify(document.components.schemas.ProtocolRequest);
    expect(request).toContain('0 to 350 bpm');
    expect(request).toContain('{systolic, diastolic}');
    expect(request).toContain('"additionalProperties":false');
    expect(request).not.toContain('readOnly');
  });

  test('the service accepts every text example of a vital sign in the OpenAPI document', () => {
    const { properties = {} } = z.toJSONSchema(vitalsInput, { io: 'input' });
    for (const [name, schema] of Object.entries(properties)) {
      const description = typeof schema === 'object' ? (schema.description ?? '') : '';
      const examples = [...description.matchAll(/`([^`]+)`/g)].map(([, text]) => text);
      expect(examples.length > 0).toBe(name !== 'other');
      for (const text of examples) expect(vitalsInput.safeParse({ [name]: text }).success).toBe(true);
    }
  });
});
