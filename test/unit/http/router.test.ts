import { expect, test } from 'vitest';
import { json } from '../../../src/http/core/answer.ts';
import { answer, type Route } from '../../../src/http/core/router.ts';

const routes: readonly Route[] = [
  { method: 'GET', path: '/thing/:id', answer: ({ params }) => json(200, params) },
  { method: 'DELETE', path: '/thing/:id', answer: () => json(204, null) },
  { method: 'POST', path: '/things', answer: () => json(201, {}) },
];

function ask(method: string, path: string) {
  const nothing = () => {};
  const body = () => Promise.resolve('');
  const given = {
    query: new URLSearchParams(),
    header: () => '',
    lines: () => [],
    body,
    address: '',
    peer: '',
  };
  const rest = { ...given, onGone: nothing };
  return answer(routes, { ...rest, method, path, failed: nothing });
}

test('a GET route answers HEAD like GET', async () => {
  expect(await ask('HEAD', '/thing/a')).toEqual(await ask('GET', '/thing/a'));
});

test('a refused method gets the list of methods that the path allows, HEAD included', async () => {
  expect(await ask('PUT', '/thing/a')).toMatchObject({
    status: 405,
    headers: { allow: 'GET, HEAD, DELETE' },
  });
});

test('a path without a GET route refuses HEAD', async () => {
  expect(await ask('HEAD', '/things')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
});
