/** What is probably a mistake and still lets the service start: one line each. */
import { shown } from './shown.ts';
import { unknownNames } from './unknown-names.ts';

interface Values {
  readonly VLLM_BASE_URL?: string | undefined;
  readonly TRUST_PROXY?: string | undefined;
}

export function warnings(
  values: Values,
  given: ReadonlySet<string>,
  environment: Readonly<Record<string, string | undefined>>,
  known: readonly string[],
): readonly string[] {
  return [
    ...unknownNames(environment, known).map(
      ({ name, meant }) => `${name} is not a variable of this program and is ignored; ${meant} is one`,
    ),
    ...withoutVersion(values.VLLM_BASE_URL ?? ''),
    ...withoutEffect(values, given),
  ];
}

function withoutVersion(urls: string): readonly string[] {
  return urls
    .split(',')
    .map((url) => url.trim())
    .filter((url) => url !== '' && !/\/v\d+\/?$/.test(new URL(url).pathname))
    .map(
      (url) => `${shown('VLLM_BASE_URL', url)} does not end in /v1, as the base URL of a model server does`,
    );
}

function withoutEffect(
  { VLLM_BASE_URL, TRUST_PROXY }: Values,
  given: ReadonlySet<string>,
): readonly string[] {
  const idle = (name: string, needed: string) =>
    given.has(name) ? [`${name} has no effect while ${needed} is not set`] : [];
  return [
    ...(VLLM_BASE_URL === undefined
      ? ['VLLM_MODEL', 'VLLM_API_KEY', 'VLLM_EXTRA_BODY'].flatMap((name) => idle(name, 'VLLM_BASE_URL'))
      : []),
    ...(TRUST_PROXY === undefined ? idle('TRUST_PROXY_HEADER', 'TRUST_PROXY') : []),
  ];
}
