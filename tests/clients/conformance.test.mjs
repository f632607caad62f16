// The list of supabase.md, section 7, by the published clients themselves: the oldest that Node 20 picks, the one whose own
// tests were read, and the newest. They differ in what they send (a key as a token, or not) and in what they make of answers.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createClient as newest } from '@supabase/supabase-js';
import { createClient as oldest } from 'supabase-js-2-109';
import { createClient as middle } from 'supabase-js-2-112';
import { balance, eventually, scene, stack, test, token } from './cauris.mjs';

const clients = { '2.109.0': oldest, '2.112.2': middle, '2.119.0': newest };

/** Where SQL can be asked which role it sees. */
const telling = stack === undefined || stack.tellsRoles;

/** The same test with each client. */
function each(name, body) {
  if (name.startsWith('c03_') && !telling) return;
  for (const [version, createClient] of Object.entries(clients)) test(`${name} (${version})`, () => body(createClient, version));
}

const quiet = { persistSession: false, autoRefreshToken: false };

const client = (createClient, key = stack.anonKey, options = {}) =>
  createClient(stack.url, key, { auth: quiet, ...options });

const signed = (createClient, person, key) => client(createClient, key, { accessToken: async () => token(person) });

const QUOTE = { distanceKm: 3.2, durationMin: 12, lat: 9.5, lng: -13.7 };

/** What a refusal says; only a page of ours can read it if the headers allow that. */
async function told(error) {
  assert.equal(error?.name, 'FunctionsHttpError', String(error));
  const body = await error.context.json();
  for (const field of ['code', 'message', 'details', 'hint', 'request_id']) assert.ok(field in body, field);
  return { status: error.context.status, ...body };
}

each('c03_nobody, a key, a session or a token of ones own is the role it should be', async (createClient) => {
  const { rider } = scene();
  const session = token(rider);
  const authorization = { global: { headers: { Authorization: `Bearer ${session}` } } };
  for (const [what, supabase, role] of [
    ['a publishable key alone', client(createClient, stack.publishableKey), 'anon'],
    ['a legacy anon key alone', client(createClient, stack.anonKey), 'anon'],
    ['a session over a publishable key', signed(createClient, rider, stack.publishableKey), 'authenticated'],
    ['a session over a legacy key', signed(createClient, rider, stack.anonKey), 'authenticated'],
    ['a token of ones own over a publishable key', client(createClient, stack.publishableKey, authorization), 'authenticated'],
    ['a token of ones own over a legacy key', client(createClient, stack.anonKey, authorization), 'authenticated'],
    ['a secret key', client(createClient, stack.secretKey), 'service_role'],
    ['a legacy service key', client(createClient, stack.serviceKey), 'service_role'],
  ]) {
    for (const get of [true, false]) {
      const { data, error } = await supabase.rpc('conformance_role', {}, { get });
      assert.equal(error, null, `${what}: ${JSON.stringify(error)}`);
      assert.deepEqual([data.role, data.sub], [role, role === 'authenticated' ? rider.id : null], what);
    }
  }
});

each('c03_a key that is not ours is nobody at all', async (createClient) => {
  for (const key of ['sb_publishable_of_another_project', 'sb_secret_guessed']) {
    const { data, error, status } = await client(createClient, key).rpc('conformance_role');
    assert.deepEqual([data, status, error.code], [null, 401, 'UNAUTHENTICATED'], JSON.stringify(error));
    assert.match(error.hint, /apikey/);
  }
});

each('c03_a function takes a session whatever the key is, and no key for a person', async (createClient) => {
  const { rider } = scene();
  for (const key of [stack.publishableKey, stack.anonKey]) {
    const { data, error } = await signed(createClient, rider, key).functions.invoke('taxi-quote-fare', { body: QUOTE });
    assert.equal(error, null);
    assert.ok(data.total > 0);
    const nobody = await client(createClient, key).functions.invoke('taxi-quote-fare', { body: QUOTE });
    assert.equal((await told(nobody.error)).status, 401);
  }
});

each('c04_every kind of body arrives as what it is', async (createClient) => {
  const { rider } = scene();
  const invoke = (options) => signed(createClient, rider).functions.invoke('taxi-quote-fare', options);
  const text = JSON.stringify(QUOTE);
  const json = { 'Content-Type': 'application/json' };
  const accepted = [
    { body: QUOTE },
    { body: text },
    { body: text, headers: json },
    { body: text, headers: { 'content-type': 'application/vnd.api+json' } },
    { body: new Blob([text], { type: 'application/json' }), headers: json },
    { body: new TextEncoder().encode(text).buffer, headers: json },
  ];
  for (const options of accepted) {
    const { data, error } = await invoke(options);
    assert.equal(error, null, JSON.stringify(error && (await error.context.text())));
    assert.ok(data.total > 0);
  }
  const form = new FormData();
  form.append('distanceKm', '3.2');
  const refused = [
    [{ body: form }, 415],
    [{ body: new TextEncoder().encode(text).buffer }, 415],
    // A library's own mistake, sent as JSON: {"0":123,"1":34}.
    [{ body: new TextEncoder().encode(text), headers: json }, 400],
    [{ body: undefined }, 400],
    [{ body: '' }, 400],
    [{ body: 'no json' }, 400],
    [{ body: [QUOTE] }, 400],
  ];
  for (const [options, status] of refused) assert.equal((await told((await invoke(options)).error)).status, status);
});

each('c05_a refusal can be read, and is never taken for a failure of the platform', async (createClient) => {
  const { rider } = scene();
  const { data, error, response } = await signed(createClient, rider).functions.invoke('wallet-operations', {
    body: { operation: 'transfer', amount: 100_000_000, recipient_id: randomUUID() },
  });
  assert.equal(data, null);
  const no = await told(error);
  assert.ok(no.status >= 400 && no.status < 500, JSON.stringify(no));
  assert.equal(error.context.headers.get('x-relay-error'), null);
  assert.equal(response.headers.get('x-request-id'), no.request_id);
});

each('c05_a client that gives up gets its own error, and its command is still done once', async (createClient) => {
  const { rider, rival } = scene();
  const before = [await balance(rider), await balance(rival)];
  const headers = { 'idempotency-key': `conformance-${randomUUID()}` };
  const body = { operation: 'transfer', amount: 1_000, recipient_id: rival.id };
  const supabase = signed(createClient, rider);
  const gone = new AbortController();
  setTimeout(() => gone.abort(), 2);
  for (const impatient of [{ timeout: 1 }, { signal: gone.signal }]) {
    const { data, error } = await supabase.functions.invoke('wallet-operations', { body, headers, ...impatient });
    if (error === null) assert.ok(data.success, 'faster than its patience');
    else assert.equal(error.name, 'FunctionsFetchError');
  }
  // In progress is no answer yet, and no second transfer either.
  const ask = () => supabase.functions.invoke('wallet-operations', { body, headers });
  const { data } = await eventually(ask, ({ error }) => error === null, 'the repeat is answered');
  assert.equal(data.new_balance, before[0] - 1_010);
  const again = await ask();
  assert.deepEqual([again.data, again.response.headers.get('idempotent-replayed')], [data, 'true']);
  assert.deepEqual([await balance(rider), await balance(rival)], [before[0] - 1_010, before[1] + 1_000]);
});

each('c05_a limit that is not reached changes nothing', async (createClient) => {
  const { data, error } = await client(createClient).functions.invoke('health', { method: 'GET', timeout: 30_000 });
  assert.equal(error, null);
  assert.equal(data.status, 'ok');
});

each('c06_a token that does not hold is refused by functions and by tables', async (createClient) => {
  const { rider } = scene();
  const now = Math.floor(Date.now() / 1000);
  for (const claims of [{ exp: now - 60 }, { nbf: now + 120 }, { aud: 'x' }, { iss: 'x' }, { sub: 'x' }]) {
    const supabase = client(createClient, stack.publishableKey, { accessToken: async () => token(rider, claims) });
    const { error } = await supabase.functions.invoke('taxi-quote-fare', { body: QUOTE });
    assert.equal((await told(error)).code, 'UNAUTHENTICATED', JSON.stringify(claims));
    const rows = await supabase.from('wallets').select('balance');
    assert.deepEqual([rows.data, rows.status, rows.error.code], [null, 401, 'UNAUTHENTICATED'], JSON.stringify(claims));
  }
});

each('c11_a region, a sub-path and a query change nothing', async (createClient) => {
  const { rider, rival } = scene();
  const supabase = signed(createClient, rider);
  for (const region of ['eu-west-3', 'any']) {
    const { data, error } = await supabase.functions.invoke('taxi-quote-fare', { body: QUOTE, region });
    assert.equal(error, null);
    assert.ok(data.total > 0);
  }
  const body = { amount: 1_000, recipient_id: rival.id };
  const preview = await supabase.functions.invoke(`wallet-operations/preview?${'x'.repeat(8_192)}`, { body });
  assert.equal(preview.error, null);
  assert.equal(preview.data.operation, 'preview');
  for (const name of ['a%2Fb', '../rest/v1/wallets', './health/../../auth/v1/admin/users', '%2e%2e/health']) {
    const { data, error } = await supabase.functions.invoke(name, { body: {} });
    assert.equal(data, null, name);
    assert.ok(error.context.status >= 400 && error.context.status < 500, `${name}: ${error.context.status}`);
  }
});

each('the headers of a call win over those of the client (hello.spec)', async (createClient) => {
  const { rider } = scene();
  const header = (value) => ({ Authorization: `Bearer ${value}` });
  const supabase = client(createClient, stack.publishableKey, { global: { headers: header('not.a.token') } });
  assert.equal((await told((await supabase.functions.invoke('taxi-quote-fare', { body: QUOTE })).error)).status, 401);
  const headers = header(token(rider));
  assert.equal((await supabase.functions.invoke('taxi-quote-fare', { body: QUOTE, headers })).error, null);
  const five = Array.from({ length: 5 }, () => supabase.functions.invoke('health', { method: 'GET' }));
  for (const { data } of await Promise.all(five)) assert.equal(data.status, 'ok');
});

each('an attempt to upgrade a call is an error that is said (hijack.spec)', async (createClient) => {
  const headers = { connection: 'Upgrade', upgrade: 'websocket' };
  const { data, error } = await client(createClient).functions.invoke('no-such-function', { headers });
  assert.equal(data, null);
  assert.notEqual(error, null);
});

each('an unknown function is an error without data', async (createClient) => {
  const { data, error } = await client(createClient).functions.invoke('no-such-function');
  assert.deepEqual([data, (await told(error)).status], [null, 404]);
});
