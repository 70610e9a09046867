/** A system as src/transport/uws.ts describes it too. */
export interface Host {
  readonly node: string;
  readonly platform: string;
  readonly arch: string;
  readonly glibc: string | undefined;
}

export interface UwsBuild {
  readonly name: string;
  readonly majors: readonly number[];
  readonly glibc: string;
  readonly systems: readonly string[];
}

export declare const uwsBuilds: readonly UwsBuild[];
export declare function buildFor(host: Host): UwsBuild | null;
export declare function refusalOf(host: Host): string | null;
export declare function thisHost(): Host;
