// Signing in as supabase.md, section 7 line 10, has it, by each of the published clients: one URL, and nothing of ours in between.
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { createClient as newest } from '@supabase/supabase-js';
import { createClient as oldest } from 'supabase-js-2-109';
import { createClient as middle } from 'supabase-js-2-112';
import { stack, test } from './cauris.mjs';

const clients = { '2.109.0': oldest, '2.112.2': middle, '2.119.0': newest };

function each(name, body) {
  for (const [version, createClient] of Object.entries(clients)) test(`${name} (${version})`, () => body(createClient, version));
}

const PASSWORD = 'correct horse 4 battery';

/** A client with a memory of its own, as a tab has it. */
const tab = (createClient, key = stack.publishableKey) =>
  createClient(stack.url, key, { auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } });

async function person(createClient, key) {
  const supabase = tab(createClient, key);
  const email = `${randomUUID()}@people.test`;
  const { data, error } = await supabase.auth.signUp({ email, password: PASSWORD, options: { data: { first_name: 'Binta' } } });
  assert.equal(error, null, JSON.stringify(error));
  assert.ok(data.session?.access_token && data.session.refresh_token && data.session.expires_in > 0, JSON.stringify(data));
  assert.equal(data.user.email, email);
  return { supabase, email, session: data.session, user: data.user };
}

each('c10_whoever signs up is signed in, and is that person to functions and tables', async (createClient) => {
  for (const key of [stack.publishableKey, stack.anonKey]) {
    const { supabase, user } = await person(createClient, key);
    const quote = { distanceKm: 3.2, durationMin: 12, lat: 9.5, lng: -13.7 };
    const { data, error } = await supabase.functions.invoke('taxi-quote-fare', { body: quote });
    assert.equal(error, null, error && (await error.context.text()));
    assert.ok(data.total > 0);
    assert.deepEqual((await supabase.from('wallets').select('balance')).error, null);
    assert.equal((await supabase.auth.getUser()).data.user.id, user.id);
  }
});

each('c10_a password signs in, and a wrong one says so in a code', async (createClient) => {
  const { email, user } = await person(createClient);
  const { data, error } = await tab(createClient).auth.signInWithPassword({ email, password: PASSWORD });
  assert.equal(error, null, JSON.stringify(error));
  assert.equal(data.user.id, user.id);
  const wrong = await tab(createClient).auth.signInWithPassword({ email, password: `${PASSWORD}!` });
  assert.deepEqual([wrong.data.session, wrong.error.status, wrong.error.code], [null, 400, 'invalid_credentials']);
});

each('c10_a session is refreshed, from two tabs at once as well', async (createClient) => {
  const { supabase, session } = await person(createClient);
  const next = await supabase.auth.refreshSession();
  assert.equal(next.error, null, JSON.stringify(next.error));
  assert.notEqual(next.data.session.refresh_token, session.refresh_token);
  const { refresh_token } = next.data.session;
  const tabs = [tab(createClient), tab(createClient)];
  for (const { data, error } of await Promise.all(tabs.map((one) => one.auth.refreshSession({ refresh_token })))) {
    assert.equal(error, null, JSON.stringify(error));
    assert.ok(data.session.access_token);
  }
});

each('c10_whoever signs out is signed out everywhere he asked for', async (createClient) => {
  const { supabase, email } = await person(createClient);
  const other = tab(createClient);
  const { data, error } = await other.auth.signInWithPassword({ email, password: PASSWORD });
  assert.equal(error, null, JSON.stringify(error));
  assert.equal((await supabase.auth.signOut({ scope: 'local' })).error, null);
  assert.equal((await other.auth.refreshSession()).error, null, 'only the one session ended');
  assert.equal((await other.auth.signOut({ scope: 'global' })).error, null);
  const again = await tab(createClient).auth.refreshSession({ refresh_token: data.session.refresh_token });
  assert.ok(again.error, 'a session outlived its end');
});

each('c10_somebody may be nobody in particular', async (createClient) => {
  const { data, error } = await tab(createClient).auth.signInAnonymously();
  assert.equal(error, null, JSON.stringify(error));
  assert.equal(data.user.is_anonymous, true);
});

test('c10_the address of the keys, and refusals in the shape that a client asked for', async () => {
  const keys = await fetch(`${stack.url}/auth/v1/.well-known/jwks.json`);
  assert.equal(keys.status, 200);
  assert.match(keys.headers.get('cache-control'), /public, max-age=600/);
  assert.ok((await keys.json()).keys.every((key) => key.kty === 'EC' && !('d' in key)));
  const ask = (headers) => fetch(`${stack.url}/auth/v1/token?grant_type=password`, {
    method: 'POST',
    headers: { apikey: stack.publishableKey, 'content-type': 'application/json;charset=UTF-8', ...headers },
    body: JSON.stringify({ email: `${randomUUID()}@people.test`, password: PASSWORD }),
  });
  const dated = await ask({ 'x-supabase-api-version': '2024-01-01' });
  assert.deepEqual([dated.status, (await dated.json()).code], [400, 'invalid_credentials']);
  assert.equal(dated.headers.get('x-supabase-api-version'), '2024-01-01');
  const undated = await ask({});
  const body = await undated.json();
  assert.deepEqual([body.code, body.error_code, typeof body.msg], [400, 'invalid_credentials', 'string']);
});
