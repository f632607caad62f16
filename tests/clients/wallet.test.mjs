// `wallet-operations`, `wallet-admin` and `fraud-detection`, as a frontend calls them.
import assert from 'node:assert/strict';
import { actsForPeople, as, balance, invoke, refused, scene, stack, succeeds, test } from './cauris.mjs';

const WALLET = 'wallet-operations';
const ADMIN = 'wallet-admin';
const FRAUD = 'fraud-detection';
const transfer = (to, amount, more = {}) => ({ operation: 'transfer', amount, recipient_id: to.id, ...more });

actsForPeople(WALLET, { operation: 'transfer', amount: '100', recipient_id: 7 });

test('wallet-operations: a preview names the fee and the recipient, and moves nothing', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const ask = { operation: 'preview', amount: 10_050, recipient_id: rival.id };
  const data = await succeeds(invoke(rider, WALLET, ask));
  assert.deepEqual(
    [data.operation, data.amount, data.fee, data.total, data.currency, data.amount_received],
    ['preview', 10_050, 101, 10_151, 'GNF', 10_050],
  );
  assert.deepEqual(Object.keys(data.recipient), ['display_name'], 'a recipient is a name, and nothing else');
  assert.ok(!('new_balance' in data));
  assert.equal(await balance(rider), before);
});

test('wallet-operations: a transfer moves the amount, and the fee is on top', async () => {
  const { rider, rival } = scene();
  const [mine, theirs] = [await balance(rider), await balance(rival)];
  const data = await succeeds(invoke(rider, WALLET, transfer(rival, 10_000, { description: 'for the ride' })));
  assert.deepEqual(
    [data.success, data.operation, data.new_balance, data.amount, data.fee, data.total],
    [true, 'transfer', mine - 10_100, 10_000, 100, 10_100],
  );
  assert.ok(data.transaction_id && data.transfer_code);
  assert.ok(!('recipient_new_balance' in data), 'the balance of a stranger is not ours to show');
  assert.deepEqual([await balance(rider), await balance(rival)], [mine - 10_100, theirs + 10_000]);
});

test('wallet-operations: a key sent twice moves money once and says so', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const headers = { 'idempotency-key': '"rent-november"' };
  const call = () => invoke(rider, WALLET, transfer(rival, 1_000), { headers });
  const first = await call();
  const again = await call();
  assert.deepEqual(await succeeds(Promise.resolve(again)), await succeeds(Promise.resolve(first)));
  assert.equal(again.response.headers.get('idempotent-replayed'), 'true');
  assert.equal(await balance(rider), before - 1_010);
  await refused(invoke(rider, WALLET, transfer(rival, 1_001), { headers }), 422, 'IDEMPOTENCY_MISMATCH');
  assert.equal(await balance(rider), before - 1_010);
});

test('wallet-operations: the same transfer without a key is suspected for a minute', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  await succeeds(invoke(rider, WALLET, transfer(rival, 2_000)));
  await refused(invoke(rider, WALLET, transfer(rival, 2_000)), 409, 'DUPLICATE_SUSPECTED');
  assert.equal(await balance(rider), before - 2_020);
  await succeeds(invoke(rider, WALLET, transfer(rival, 2_000, { confirm_duplicate: true })));
  assert.equal(await balance(rider), before - 4_040);
});

test('wallet-operations: declared refusals are readable, and nothing moves', async () => {
  const { rider, rival } = scene();
  const before = [await balance(rider), await balance(rival)];
  for (const [ask, status, code] of [
    [transfer(rider, 1_000), 409, 'SELF_TRANSFER'],
    [transfer(rival, before[0]), 409, 'INSUFFICIENT_FUNDS'],
    [transfer(rival, 99), 400, 'AMOUNT_OUT_OF_RANGE'],
    [transfer(rival, 50_000_001), 400, 'AMOUNT_OUT_OF_RANGE'],
    [{ operation: 'transfer', amount: 1_000 }, 400, 'RECIPIENT_REQUIRED'],
    [{ operation: 'transfer', amount: 1_000, recipient_id: 'GNX9999' }, 404, 'RECIPIENT_NOT_FOUND'],
    [{ operation: 'deposit', amount: 1_000, method: 'cash' }, 409, 'METHOD_NOT_AVAILABLE'],
    [{ operation: 'gift', amount: 1_000 }, 400, 'VALIDATION_ERROR'],
  ]) {
    await refused(invoke(rider, WALLET, ask), status, code);
  }
  assert.deepEqual([await balance(rider), await balance(rival)], before);
});

test('wallet-operations: only the caller can be the sender', async () => {
  const { rider, rival } = scene();
  const before = [await balance(rider), await balance(rival)];
  await refused(invoke(rival, WALLET, transfer(rival, 1_000, { sender_id: rider.id })), 403, 'IDENTITY_MISMATCH');
  assert.deepEqual([await balance(rider), await balance(rival)], before);
});

test("wallet-operations: another user's payment cannot be claimed", async () => {
  const { rider, rival } = scene();
  const asked = await succeeds(invoke(rider, WALLET, { operation: 'deposit', amount: 10_000 }), 202);
  const claim = { operation: 'deposit', payment_id: asked.payment_id };
  await refused(invoke(rival, WALLET, claim), 404, 'NOT_FOUND');
  assert.equal(await balance(rival), 0);
});

test('wallet-operations: a deposit is a checkout, and credits nothing by itself', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const data = await succeeds(invoke(rider, WALLET, { operation: 'deposit', amount: 100_000 }), 202);
  assert.deepEqual(
    [data.operation, data.status, data.new_balance, data.amount, data.fee, data.total],
    ['deposit', 'pending', before, 100_000, 500, 100_500],
  );
  assert.ok(data.payment_id);
  assert.ok(data.checkout_url.startsWith(stack.sandboxUrl), data.checkout_url);
});

test('wallet-operations: a withdrawal debits amount and fee at once, and waits to be paid out', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const ask = { operation: 'withdraw', amount: 50_000, method: 'orange_money', phone: '+224620000001' };
  const data = await succeeds(invoke(rider, WALLET, ask), 202);
  assert.deepEqual([data.operation, data.status, data.fee, data.new_balance], ['withdraw', 'pending', 750, before - 50_750]);
  assert.ok(data.transaction_id);
  assert.equal(await balance(rider), before - 50_750);
});

test('wallet-operations: its old name is the same door with the old fields', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const ask = { amount: 3_000, receiver_id: rival.id, sender_id: rider.id };
  const data = await succeeds(invoke(rider, 'wallet-transfer', { action: 'transfer', ...ask }));
  assert.equal(data.new_balance, before - 3_030);
  const foreign = { action: 'transfer', amount: 3_000, receiver_id: rival.id, sender_id: rival.id };
  await refused(invoke(rider, 'wallet-transfer', foreign), 403, 'IDENTITY_MISMATCH');
});

test('wallet-operations: JSON sent as text is understood, as old frontends send it', async () => {
  const { rider, rival } = scene();
  const ask = JSON.stringify({ operation: 'preview', amount: 1_000, recipient_id: rival.id });
  assert.equal((await succeeds(invoke(rider, WALLET, ask))).fee, 10);
});

test('the history of a wallet is read page by page with the same client', async () => {
  const { rider, rival } = scene();
  for (const amount of [1_100, 1_200, 1_300]) await succeeds(invoke(rider, WALLET, transfer(rival, amount)));
  const page = (cursor) => {
    const query = as(rider).from('wallet_history').select('*');
    const after = cursor ? query.or(`created_at.lt.${cursor.created_at},and(created_at.eq.${cursor.created_at},id.lt.${cursor.id})`) : query;
    return after.order('created_at', { ascending: false }).order('id', { ascending: false }).limit(2);
  };
  const seen = new Set();
  for (let cursor; ; ) {
    const { data, error } = await page(cursor);
    assert.equal(error, null, JSON.stringify(error));
    for (const row of data) assert.ok(!seen.has(row.id) && seen.add(row.id), 'a row was listed twice');
    if (data.length < 2) break;
    cursor = data.at(-1);
  }
  assert.ok(seen.size >= 3, `${seen.size} rows`);
});

// ------------------------------------------------------------------------------------------------------ wallet-admin

actsForPeople(ADMIN, { action: 'block', user_id: 7, reason: 'because' });

const administer = (action, more = {}) => invoke(stack.admin, ADMIN, { action, reason: 'a client test', ...more });

test('wallet-admin: whoever is no administrator is refused, whatever he asks and whatever he says he is', async () => {
  const { rider, rival } = scene();
  const before = [await balance(rider), await balance(rival)];
  for (const ask of [
    { action: 'block', user_id: rival.id, reason: 'because' },
    { action: 'unblock', user_id: rival.id, reason: 'because' },
    { action: 'set_limits', wallet_id: rider.id, daily_limit: 1, monthly_limit: 1, reason: 'because' },
    { action: 'settle_payout', payout_id: rider.id, result: 'failed', reason: 'because' },
    { action: 'release_suspense', entry_id: rider.id, to_user_id: rider.id, reason: 'because' },
    { action: 'stats' },
    { admin_id: stack.admin.id, role: 'admin' },
    {},
  ]) {
    await refused(invoke(rider, ADMIN, ask), 403, 'FORBIDDEN');
  }
  await refused(as(rider, { user_metadata: { role: 'admin' } }).functions.invoke('financial-stats', { body: {} }), 403, 'FORBIDDEN');
  assert.deepEqual([await balance(rider), await balance(rival)], before);
  for (const queue of ['admin_payouts', 'admin_suspense']) {
    const { data, error } = await as(rider).from(queue).select('*');
    assert.deepEqual([data, error], [[], null], queue);
  }
});

test('wallet-admin: a blocked wallet moves nothing, and works again when it is unblocked', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const { wallet } = await succeeds(administer('block', { user_id: rider.id }));
  assert.deepEqual([wallet.user_id, wallet.currency, wallet.status, wallet.blocked_by], [rider.id, 'GNF', 'blocked', stack.admin.id]);
  assert.ok(!('balance' in wallet), 'what somebody owns is not the answer to a block');
  await refused(invoke(rider, WALLET, transfer(rival, 1_000)), 403, 'WALLET_BLOCKED');
  await refused(invoke(rider, WALLET, { operation: 'deposit', amount: 10_000 }), 409, 'WALLET_BLOCKED');
  assert.equal(await balance(rider), before);
  const unblocked = await succeeds(invoke(stack.admin, `${ADMIN}/unblock`, { wallet_id: wallet.id, reason: 'a client test' }));
  assert.deepEqual([unblocked.wallet.status, unblocked.wallet.blocked_reason], ['active', null]);
  await refused(administer('unblock', { wallet_id: wallet.id }), 409, 'INVALID_STATE');
  assert.equal((await succeeds(invoke(rider, WALLET, transfer(rival, 1_000)))).new_balance, before - 1_010);
});

test('wallet-admin: limits hold from the next operation on', async () => {
  const { rider, rival } = scene();
  const { data } = await as(rider).from('wallets').select('id').eq('currency', 'GNF');
  const limits = (daily_limit, monthly_limit) => administer('set_limits', { wallet_id: data[0].id, daily_limit, monthly_limit });
  const { wallet } = await succeeds(limits(5_000, 6_000));
  assert.deepEqual([wallet.daily_limit, wallet.monthly_limit], [5_000, 6_000]);
  await refused(invoke(rider, WALLET, transfer(rival, 5_001)), 403, 'LIMIT_EXCEEDED');
  await succeeds(invoke(rider, WALLET, transfer(rival, 5_000)));
  for (const [daily, monthly] of [[6, 5], [-1, 5], [1.5, 5], ['5', 5], [5, undefined]]) {
    await refused(limits(daily, monthly), 400, 'VALIDATION_ERROR');
  }
});

test('wallet-admin: its refusals are readable, and nobody decides about his own money', async () => {
  const { rider } = scene();
  const nobody = '00000000-0000-4000-8000-00000000dead';
  for (const [ask, status, code] of [
    [{ action: 'block', user_id: stack.admin.id }, 403, 'FORBIDDEN'],
    [{ action: 'block', user_id: nobody }, 404, 'NOT_FOUND'],
    [{ action: 'block', user_id: rider.id, reason: 'no' }, 400, 'VALIDATION_ERROR'],
    [{ action: 'settle_payout', payout_id: nobody, result: 'failed' }, 404, 'NOT_FOUND'],
    [{ action: 'settle_payout', payout_id: nobody, result: 'completed' }, 400, 'VALIDATION_ERROR'],
    [{ action: 'release_suspense', entry_id: nobody, to_user_id: rider.id }, 404, 'NOT_FOUND'],
    [{ action: 'release_suspense', entry_id: nobody }, 400, 'VALIDATION_ERROR'],
    [{ action: 'set_balance', user_id: rider.id, balance: 1 }, 400, 'VALIDATION_ERROR'],
    [{ action: 'stats', from: '2025-01-01', to: '2026-06-01' }, 400, 'VALIDATION_ERROR'],
    [{}, 400, 'VALIDATION_ERROR'],
  ]) {
    await refused(invoke(stack.admin, ADMIN, { reason: 'a client test', ...ask }), status, code);
  }
  await refused(invoke(stack.admin, `${ADMIN}/stats`, { action: 'block' }), 400, 'VALIDATION_ERROR');
});

test('wallet-admin: the figures have their old shape under every name', async () => {
  for (const name of [`${ADMIN}/stats`, 'financial-stats']) {
    const data = await succeeds(invoke(stack.admin, name, {}));
    assert.ok(!('success' in data), 'the old shape is bare');
    for (const count of ['total_revenue', 'total_commission', 'pending_payments', 'active_wallets', 'transactions_count']) {
      assert.ok(Number.isInteger(data[count]), `${count} in ${JSON.stringify(data)}`);
    }
    for (const service of data.revenue_by_service) {
      assert.deepEqual(Object.keys(service).sort(), ['commission', 'count', 'revenue', 'service_name']);
    }
    assert.ok(data.recent_transactions.length <= 10);
    assert.deepEqual(Object.keys(data.escrow_stats).sort(), ['pending_count', 'total_held', 'total_released']);
    assert.ok(Number.isInteger(data.payouts.manual) && Number.isInteger(data.suspense.open), JSON.stringify(data));
    for (const person of stack.passers) assert.ok(!JSON.stringify(data).includes(person.id), 'figures name nobody');
  }
});

// --------------------------------------------------------------------------------------------------- fraud-detection

const movement = (to, more = {}) => ({ amount: 10_000, recipientId: to.id, method: 'wallet', ...more });

actsForPeople(FRAUD, { amount: '100', recipientId: 7, method: 'wallet' });

test('fraud-detection: a user gets advice about himself, in the old shape, and nothing moves', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const data = await succeeds(invoke(rider, FRAUD, movement(rival, { userId: rider.id, metadata: { currency: 'GNF' } })));
  assert.deepEqual(data, { score: 10, riskLevel: 'low', flags: ['new_recipient'], recommendations: [], requiresMFA: false });
  const most = await succeeds(invoke(rider, FRAUD, movement(rival, { amount: 499_000 })));
  assert.deepEqual([most.score, most.riskLevel, most.flags], [25, 'medium', ['new_recipient', 'balance_drain']]);
  assert.equal(await balance(rider), before);
});

test('fraud-detection: nobody scores somebody else, and a stranger scores nothing', async () => {
  const { rider, rival } = scene();
  await refused(invoke(rider, FRAUD, movement(rival, { userId: rival.id })), 403, 'IDENTITY_MISMATCH');
  await refused(invoke(null, FRAUD, movement(rival, { userId: rider.id })), 401, 'UNAUTHENTICATED');
  const headers = { 'x-internal-api-key': `${stack.internalKey}x` };
  await refused(invoke(null, FRAUD, movement(rival, { userId: rider.id }), { headers }), 401, 'UNAUTHENTICATED');
});

test('fraud-detection: the platform scores anybody, by name', async () => {
  const { rider, rival } = scene();
  const headers = { 'x-internal-api-key': stack.internalKey };
  const data = await succeeds(invoke(null, FRAUD, movement(rival, { userId: rider.id, amount: 5_000_001 }), { headers }));
  assert.deepEqual([data.riskLevel, data.requiresMFA, data.flags], ['high', true, ['high_amount', 'new_recipient', 'balance_drain']]);
  await refused(invoke(null, FRAUD, movement(rival), { headers }), 400, 'VALIDATION_ERROR');
});

test('fraud-detection: what cannot be read or checked is refused, never "low"', async () => {
  const { rider, rival } = scene();
  for (const [more, status, code] of [
    [{ amount: 1_000_000_001 }, 400, 'VALIDATION_ERROR'],
    [{ recipientId: 'USR0001' }, 400, 'VALIDATION_ERROR'],
    [{ method: 'x'.repeat(51) }, 400, 'VALIDATION_ERROR'],
    [{ metadata: { note: 'x'.repeat(2_048) } }, 400, 'VALIDATION_ERROR'],
    [{ metadata: { currency: 'ZZZ' } }, 400, 'VALIDATION_ERROR'],
  ]) {
    await refused(invoke(rider, FRAUD, movement(rival, more)), status, code);
  }
  const { error } = await invoke(rider, FRAUD, movement(rival, { metadata: { currency: 'GBP' } }));
  assert.deepEqual([error.name, error.context.status], ['FunctionsRelayError', 503], 'no rules, no score');
});
