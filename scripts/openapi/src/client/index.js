/** A refusal, or the want of an answer: what a call comes to when it does not come to its data. */
export class CaurisError extends Error {
  constructor({ code, status, message, details = null, hint = null, requestId = null, retryAfter = null, cause }) {
    super(message, { cause });
    this.name = 'CaurisError';
    this.code = code;
    this.status = status;
    this.details = details;
    this.hint = hint;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

const FUNCTIONS = {
  // FUNCTIONS
};

/** What supabase-js calls an error, with the refusal read out of its answer. */
async function refusal(error) {
  const answer = typeof error.context?.json === 'function' ? error.context : null;
  const body = answer && (await answer.clone().json().catch(() => null));
  if (typeof body?.code !== 'string') {
    return new CaurisError({ code: 'NO_ANSWER', status: answer?.status ?? 0, message: error.message, cause: error });
  }
  const { code, message, details, hint, request_id: requestId } = body;
  const seconds = Number.parseInt(answer.headers.get('retry-after') ?? '', 10);
  const retryAfter = Number.isNaN(seconds) ? null : seconds;
  return new CaurisError({ code, status: answer.status, message, details, hint, requestId, retryAfter, cause: error });
}

async function call(supabase, name, ask = {}, { idempotencyKey, headers, ...rest } = {}) {
  const sent = idempotencyKey === undefined ? headers : { ...headers, 'idempotency-key': idempotencyKey };
  const options = { ...rest, body: ask, ...(sent === undefined ? {} : { headers: sent }) };
  const { data, error, response } = await supabase.functions.invoke(name, options);
  if (error) return { data: null, error: await refusal(error), response: response ?? null };
  return { data, error: null, response: response ?? null };
}

/** The functions of Cauris as typed methods of a supabase-js client: its session, its URL, its keys. */
export function createCauris(supabase) {
  const methods = Object.entries(FUNCTIONS).map(([method, name]) => [method, (ask, options) => call(supabase, name, ask, options)]);
  return Object.freeze(Object.fromEntries(methods));
}
