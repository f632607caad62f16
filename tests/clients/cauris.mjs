// What the suites share: the stack they talk to, the people they may be, and the promises that every function makes alike.
// The client is the published one; nothing here patches it.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import { test as nodeTest } from 'node:test';
import { createClient } from '@supabase/supabase-js';

const listing = process.env.CAURIS_LIST === '1';

/** Where everything is, and who exists: prepared by the end-to-end tests, because people are made in SQL. */
export const stack = listing ? undefined : JSON.parse(process.env.CAURIS_STACK);

/** `node:test`, or only the name when the tests are listed. */
export const test = (name, body) => (listing ? console.log(name) : nodeTest(name, body));

/** A rider with money, two drivers, and a place on the map that no other test uses. */
export function scene() {
  const next = stack.scenes.shift();
  assert.ok(next, 'no scene is left: raise SCENES in tests/e2e/clients.rs');
  return next;
}

const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');

export function token(person, claims = {}) {
  const now = Math.floor(Date.now() / 1000);
  const all = {
    iss: stack.issuer, aud: 'authenticated', role: 'authenticated', sub: person.id, iat: now, exp: now + 3600,
    session_id: randomUUID(), aal: 'aal1', is_anonymous: false, ...claims,
  };
  const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(all)}`;
  return `${text}.${createHmac('sha256', stack.jwtSecret).update(text).digest('base64url')}`;
}

/** The client as a signed-in person; without one, as somebody who never signed in. */
export function as(person, claims) {
  const signed = person ? { accessToken: async () => token(person, claims) } : {};
  return createClient(stack.url, stack.anonKey, { auth: { persistSession: false, autoRefreshToken: false }, ...signed });
}

export const invoke = (person, name, body, more = {}) => as(person).functions.invoke(name, { body, ...more });

/** The data of a call that must succeed, with the status that its contract names. */
export async function succeeds(call, status = 200) {
  const { data, error, response } = await call;
  if (error) assert.fail(`${error.message}: ${response ? `${response.status} ${await response.text()}` : error.context}`);
  assert.equal(response.status, status);
  assert.ok(response.headers.get('x-request-id'), 'every answer carries its request id');
  return data;
}

/** The refusal of a call that must be refused: its status, its code, and the shape that every refusal has. */
export async function refused(call, status, code) {
  const { data, error } = await call;
  assert.equal(data, null, `expected ${status} ${code}, got ${JSON.stringify(data)}`);
  assert.equal(error.name, 'FunctionsHttpError', String(error.context));
  const body = await error.context.json();
  assert.deepEqual([error.context.status, body.code], [status, code], JSON.stringify(body));
  assert.equal(body.success, false);
  assert.equal(body.error, body.message, 'old clients read `error`');
  assert.ok(typeof body.message === 'string' && body.message.length > 0);
  assert.ok('details' in body && 'hint' in body);
  assert.equal(body.request_id, error.context.headers.get('x-request-id'));
  assert.ok(error.context.headers.get('access-control-allow-origin'), 'a browser could not read this refusal');
  assert.match(error.context.headers.get('content-type'), /^application\/json/);
  return body;
}

const json = { 'content-type': 'application/json' };

/** A JSON object of exactly `bytes` bytes. */
export const padded = (bytes) => JSON.stringify({ pad: 'x'.repeat(bytes - '{"pad":""}'.length) });

export const KIB = 1024;

async function preflight(name) {
  const asked = 'authorization, apikey, content-type, x-client-info, idempotency-key, x-header-of-tomorrow';
  const answer = await fetch(`${stack.url}/functions/v1/${name}`, {
    method: 'OPTIONS',
    headers: {
      origin: 'https://app.cauris.test',
      'access-control-request-method': 'POST',
      'access-control-request-headers': asked,
    },
  });
  assert.equal(answer.status, 204);
  const wanted = asked.split(', ').sort();
  const allowed = answer.headers.get('access-control-allow-headers').split(/,\s*/).sort();
  assert.deepEqual(allowed, wanted, 'requested headers come back, also those that nobody knows yet');
  assert.match(answer.headers.get('access-control-allow-methods'), /POST/);
  assert.ok(answer.headers.get('access-control-allow-origin'));
  assert.match(answer.headers.get('vary') ?? '', /access-control-request-headers/i);
  assert.ok(Number(answer.headers.get('access-control-max-age')) > 0);
}

/** What a page of another origin may read on any answer. */
export function exposes(response) {
  const exposed = response.headers.get('access-control-expose-headers') ?? '';
  for (const header of ['x-request-id', 'retry-after']) assert.match(exposed, new RegExp(header, 'i'));
}

/** The body rules that hold whoever calls: unreadable, too large, and the last size that is not. */
function bodies(name, call, limit) {
  test(`${name}: a body that is no JSON is refused`, async () => {
    await refused(call('{"a":', json), 400, 'BAD_JSON');
    await refused(call('{"a":1,"a":2}', json), 400, 'BAD_JSON');
  });
  test(`${name}: a body of ${limit / KIB} KiB and one byte is refused`, async () => {
    await refused(call(padded(limit + 1), json), 413, 'PAYLOAD_TOO_LARGE');
    const { response, error } = await call(padded(limit), json);
    assert.notEqual((response ?? error.context).status, 413, 'the last size that is allowed');
  });
}

/** Every function that acts for a signed-in person makes these promises. `wrong` is a body with a field of a wrong kind. */
export function actsForPeople(name, wrong) {
  test(`${name}: somebody who is not signed in is refused`, async () => {
    await refused(invoke(null, name, wrong), 401, 'UNAUTHENTICATED');
    const keyOnly = createClient(stack.url, 'sb_publishable_local', { auth: { persistSession: false } });
    await refused(keyOnly.functions.invoke(name, { body: wrong }), 401, 'UNAUTHENTICATED');
  });
  test(`${name}: an expired token is refused`, async () => {
    const past = { exp: Math.floor(Date.now() / 1000) - 60 };
    const client = as(stack.passers[0], past);
    await refused(client.functions.invoke(name, { body: wrong }), 401, 'UNAUTHENTICATED');
  });
  test(`${name}: a field of a wrong kind is refused by its name`, async () => {
    const body = await refused(invoke(stack.passers[0], name, wrong), 400, 'VALIDATION_ERROR');
    assert.ok(Array.isArray(body.details) && body.details.length > 0, JSON.stringify(body));
    for (const fault of body.details) assert.deepEqual(Object.keys(fault).sort(), ['field', 'message']);
  });
  bodies(name, (body, headers) => invoke(stack.passers[1], name, body, { headers }), 256 * KIB);
  answersBrowsers(name);
}

/** Functions that the platform's clock calls: the internal key opens them, nobody's token does. */
export function actsForTheClock(name) {
  const key = () => ({ 'x-internal-api-key': stack.internalKey });
  test(`${name}: without the internal key it is refused`, async () => {
    await refused(invoke(null, name, {}), 401, 'UNAUTHENTICATED');
    const headers = { 'x-internal-api-key': `${stack.internalKey}x` };
    await refused(invoke(null, name, {}, { headers }), 401, 'UNAUTHENTICATED');
  });
  test(`${name}: no person's token opens it, expired or not`, async () => {
    await refused(invoke(stack.passers[0], name, {}), 401, 'UNAUTHENTICATED');
    const past = as(stack.passers[0], { exp: Math.floor(Date.now() / 1000) - 60 });
    await refused(past.functions.invoke(name, { body: {} }), 401, 'UNAUTHENTICATED');
  });
  bodies(name, (body, headers) => invoke(null, name, body, { headers: { ...headers, ...key() } }), 256 * KIB);
  answersBrowsers(name);
}

export function answersBrowsers(name) {
  test(`${name}: a preflight is answered without a token, and reflects what was asked`, () => preflight(name));
  test(`${name}: a method that it does not list is refused, and a browser can read why`, async () => {
    const { error } = await as(stack.passers[0]).functions.invoke(name, { method: 'DELETE' });
    assert.equal(error.context.status, 405);
    exposes(error.context);
    assert.equal((await error.context.json()).code, 'METHOD_NOT_ALLOWED');
  });
}

/** Asks until the answer satisfies `done`; work that continues after an answer is waited for, never slept for. */
export async function eventually(ask, done, what) {
  for (let tries = 0; tries < 100; tries += 1) {
    const answer = await ask();
    if (done(answer)) return answer;
    await new Promise((wake) => setTimeout(wake, 100));
  }
  return assert.fail(`never: ${what}`);
}

/** The caller's own balance, as a frontend reads it. */
export async function balance(person) {
  const { data, error } = await as(person).from('wallets').select('balance').eq('currency', 'GNF');
  assert.equal(error, null, JSON.stringify(error));
  return data.length === 0 ? 0 : data[0].balance;
}
