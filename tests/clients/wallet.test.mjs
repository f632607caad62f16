// `wallet-operations`, as a frontend calls it.
import assert from 'node:assert/strict';
import { actsForPeople, as, balance, invoke, refused, scene, stack, succeeds, test } from './cauris.mjs';

const WALLET = 'wallet-operations';
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
