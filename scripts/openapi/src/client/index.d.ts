/** What of a supabase-js client is used: any version that has `functions.invoke`. */
export interface Supabase {
  readonly functions: {
    invoke(name: string, options?: any): Promise<{ data: any; error: any; response?: Response }>;
  };
}

/** The functions of Cauris as typed methods of a supabase-js client: its session, its URL, its keys. */
export function createCauris(supabase: Supabase): Cauris;

export interface Options {
  /** One per intention: the same call again with the same key gets the first answer, and moves nothing. */
  idempotencyKey?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Milliseconds. */
  timeout?: number;
}

/** A refusal. Decide by `code`; `message` is for people, and may change. */
export class CaurisError<Code extends string = string, Status extends number = number> extends Error {
  readonly name: 'CaurisError';
  readonly code: Code;
  /** Of HTTP. */
  readonly status: Status;
  /** `VALIDATION_ERROR`: `[{field, message}]`. Others say theirs in the documentation; else null. */
  readonly details: unknown;
  /** What to do instead. */
  readonly hint: string | null;
  /** Names the request in the server's logs. */
  readonly requestId: string | null;
  /** Seconds to wait before the same request. */
  readonly retryAfter: number | null;
}

/** Nothing was answered, or not by us; `status` is 0 when nothing was. Whether the request was carried out is not known: send it again with the same key. */
export type NoAnswer = CaurisError<'NO_ANSWER', number>;

export type Result<Data, Refusal> =
  | { data: Data; error: null; response: Response | null }
  | { data: null; error: Refusal; response: Response | null };

export type Reply<Data, Refusal> = Promise<Result<Data, Refusal>>;

export interface Cauris {
  // METHODS
}
