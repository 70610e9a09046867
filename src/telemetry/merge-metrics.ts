/**
 * mergeMetrics joins answers of several instances in the Prometheus text format. The samples differ by the label `instance`
 * and stay as they are; each metric gets its HELP and TYPE once, because a scraper refuses a second one.
 */

interface Family {
  readonly head: string[];
  readonly samples: string[];
}

export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    let family: Family = { head: [], samples: [] };
    let isKnown = false;
    for (const line of text.split('\n')) {
      const [, kind, name] = /^# (HELP|TYPE) (\S+)/.exec(line) ?? [];
      if (name === undefined) {
        if (line !== '') family.samples.push(line);
        continue;
      }
      if (kind === 'HELP') {
        const known = families.get(name);
        isKnown = known !== undefined;
        family = known ?? { head: [], samples: [] };
        families.set(name, family);
      }
      if (!isKnown) family.head.push(line);
    }
  }
  const blocks = [...families.values()].map(({ head, samples }) => [...head, ...samples].join('\n'));
  return `${blocks.join('\n\n')}\n`;
}
