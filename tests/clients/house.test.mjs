// What belongs to no domain: the gateway, health, the dispatcher's clock, and the client's own expectations.
import assert from 'node:assert/strict';
import { createClient } from '@supabase/supabase-js';
import {
  actsForTheClock, answersBrowsers, as, exposes, invoke, padded, refused, scene, stack, succeeds, test, token,
} from './cauris.mjs';

const KIB = 1024;

actsForTheClock('taxi-dispatch-tick');
answersBrowsers('health');

test('health: says that all is well, to anybody and by either method', async () => {
  for (const method of ['GET', 'POST']) {
    const data = await succeeds(as(null).functions.invoke('health', { method }));
    assert.equal(data.status, 'ok');
    assert.ok(data.version && data.timestamp.endsWith('Z'), JSON.stringify(data));
  }
});

test('health: a token is not needed, and a bad body does no harm', async () => {
  const past = as(stack.passers[0], { exp: Math.floor(Date.now() / 1000) - 60 });
  assert.equal((await succeeds(past.functions.invoke('health'))).status, 'ok');
  const headers = { 'content-type': 'application/json' };
  await refused(invoke(null, 'health', padded(256 * KIB + 1), { headers }), 413, 'PAYLOAD_TOO_LARGE');
  const malformed = await invoke(null, 'health', '{', { headers });
  assert.ok(malformed.error === null || malformed.error.context.status === 400);
});

test('health: details are not for everybody', async () => {
  const data = await succeeds(as(stack.passers[0]).functions.invoke('health?detailed=1', { method: 'GET' }));
  assert.ok(!JSON.stringify(data).includes('latency_ms'), JSON.stringify(data));
  const headers = { 'x-internal-api-key': stack.internalKey };
  const detailed = await succeeds(as(null).functions.invoke('health?detailed=1', { method: 'GET', headers }));
  assert.ok(JSON.stringify(detailed).includes('latency_ms'), JSON.stringify(detailed));
});

test('taxi-dispatch-tick: the clock counts what it did', async () => {
  const headers = { 'x-internal-api-key': stack.internalKey };
  const data = await succeeds(invoke(null, 'taxi-dispatch-tick', {}, { headers }));
  for (const count of ['widened', 'expired', 'drivers_offline']) assert.ok(Number.isInteger(data[count]), JSON.stringify(data));
});

test('gateway: a name that does not exist is a readable 404', async () => {
  await refused(invoke(stack.passers[0], 'no-such-function', {}), 404, 'NOT_FOUND');
  await refused(invoke(null, 'no-such-function', {}), 404, 'NOT_FOUND');
  await refused(invoke(stack.passers[0], 'generate-unique-id', {}), 404, 'NOT_FOUND');
});

test('gateway: the region that the client may ask for is accepted and ignored', async () => {
  const { rider } = scene();
  const body = { distanceKm: 1, durationMin: 1, lat: 9.5, lng: -13.7 };
  const quote = await succeeds(invoke(rider, 'taxi-quote-fare', body, { region: 'eu-west-3' }));
  assert.ok(quote.total > 0);
});

test('gateway: five calls at once are five answers with five ids', async () => {
  const calls = Array.from({ length: 5 }, () => as(null).functions.invoke('health'));
  const ids = (await Promise.all(calls)).map(({ response }) => response.headers.get('x-request-id'));
  assert.equal(new Set(ids).size, 5);
});

test('gateway: a client that gives up gets its own error', async () => {
  const gone = AbortSignal.abort();
  const { data, error } = await as(null).functions.invoke('health', { signal: gone });
  assert.deepEqual([data, error.name], [null, 'FunctionsFetchError']);
});

test('gateway: tables are read as the caller, and written by nobody', async () => {
  const { rider, rival } = scene();
  const own = await as(rider).from('wallets').select('user_id, balance');
  assert.deepEqual(own.data, [{ user_id: rider.id, balance: 500_000 }]);
  assert.deepEqual((await as(rival).from('wallets').select('id')).data, []);
  const change = await as(rider).from('wallets').update({ balance: 9_000_000 }).eq('user_id', rider.id);
  assert.ok(change.error, 'the wallet was changed');
  const made = await as(rider).from('wallets').insert({ user_id: rider.id, currency: 'USD', balance: 1 });
  assert.ok(made.error, 'a wallet was made');
  const upsert = await as(rider).from('wallets').upsert({ user_id: rider.id, currency: 'GNF', balance: 1 });
  assert.ok(upsert.error, 'a wallet was replaced');
  assert.ok((await as(rider).from('wallets').delete().eq('user_id', rider.id)).error, 'a wallet was deleted');
  const elsewhere = createClient(stack.url, stack.anonKey, {
    db: { schema: 'auth' }, accessToken: async () => token(rider),
  });
  const users = await elsewhere.from('users').select('email');
  assert.ok(users.error, JSON.stringify(users.data));
  const { data } = await as(rider).from('wallets').select('balance').single();
  assert.deepEqual(data, { balance: 500_000 });
});

test('gateway: a command behind a function may be called by its own name, as the caller', async () => {
  const { rider, rival } = scene();
  const ask = { operation: 'transfer', amount: 1_000, recipient_id: rival.id };
  const { data, error } = await as(rider).rpc('wallet_operations', { ask });
  assert.equal(error, null, JSON.stringify(error));
  assert.equal(data.new_balance, 498_990);
  const stranger = await as(null).rpc('wallet_operations', { ask });
  assert.ok(stranger.error, 'somebody who is not signed in moved money');
  const inner = await as(rider).rpc('payment_settle', { ask: {} });
  assert.ok(inner.error, 'a user settled a payment');
});

test('gateway: refusals of every kind can be read by a page of another origin', async () => {
  const calls = [
    invoke(null, 'wallet-operations', {}),
    invoke(stack.passers[0], 'wallet-operations', {}),
    invoke(stack.passers[0], 'no-such-function', {}),
    invoke(null, 'moneroo-webhook', {}),
    invoke(stack.passers[0], 'wallet-operations', padded(256 * KIB + 1), { headers: { 'content-type': 'application/json' } }),
  ];
  for (const { error } of await Promise.all(calls)) {
    assert.ok(error.context.headers.get('access-control-allow-origin'), error.context.status);
    exposes(error.context);
    assert.equal(error.context.headers.get('access-control-allow-credentials'), null);
  }
});
