// The five functions around payments, as frontends and the provider call them. The provider is the sandbox.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import {
  KIB, actsForPeople, actsForTheClock, answersBrowsers, as, balance, eventually, invoke, padded, refused, scene, stack, succeeds, test,
} from './cauris.mjs';

const INIT = 'moneroo-initialize-payment';
const VERIFY = 'moneroo-verify-payment';
const METHODS = 'moneroo-get-payment-methods';
const WEBHOOK = 'moneroo-webhook';

actsForPeople(INIT, { purpose: 'wallet_deposit', amount: '100000' });
actsForPeople(VERIFY, { payment_id: 7 });
actsForPeople(METHODS, { currency: 7 });
actsForTheClock('retry-failed-transactions');

const deposit = (rider, amount = 100_000) => invoke(rider, INIT, { purpose: 'wallet_deposit', amount });

async function sandbox(path, body = {}) {
  const answer = await fetch(`${stack.sandboxUrl}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const pay = (id) => sandbox(`payments/${id}/pay`, { wait: true });

/** A webhook of ours, signed as the provider signs; as the client cannot know: over exactly these bytes. */
function notify(body, secret = stack.webhookSecret) {
  const signature = createHmac('sha256', secret).update(body).digest('hex');
  const headers = { 'content-type': 'application/json', 'x-moneroo-signature': signature };
  return invoke(null, WEBHOOK, body, { headers });
}

test('moneroo-initialize-payment: a checkout opens, and paying it credits the wallet', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const data = await succeeds(deposit(rider), 201);
  assert.deepEqual(
    [data.success, data.status, data.amount, data.fee, data.total, data.currency],
    [true, 'pending', 100_000, 500, 100_500, 'GNF'],
  );
  const page = await fetch(data.checkout_url);
  assert.match(await page.text(), /100.500/);
  await pay(data.payment_id);
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
  const { data: rows } = await as(rider).from('moneroo_payments').select('status, settlement').eq('payment_id', data.payment_id);
  assert.deepEqual(rows, [{ status: 'success', settlement: 'settled' }]);
});

test('moneroo-initialize-payment: declared refusals open no checkout', async () => {
  const { rider } = scene();
  for (const [ask, status, code] of [
    [{ amount: 100_000 }, 400, 'PURPOSE_REQUIRED'],
    [{ purpose: 'wallet_deposit', amount: 1 }, 400, 'AMOUNT_OUT_OF_RANGE'],
    [{ purpose: 'order', purpose_id: rider.id }, 404, 'NOT_FOUND'],
    [{ purpose: 'wallet_deposit', amount: 100_000, card_number: '4242424242424242' }, 400, 'CARD_DATA_REFUSED'],
    [{ purpose: 'wallet_deposit', amount: 100_000, return_url: 'http://app.cauris.test' }, 400, 'VALIDATION_ERROR'],
  ]) {
    await refused(invoke(rider, INIT, ask), status, code);
  }
  const { data: rows } = await as(rider).from('moneroo_payments').select('id');
  assert.deepEqual(rows, []);
});

test("moneroo-initialize-payment: another user's ride cannot be paid, nor named as the payer's", async () => {
  const { rider, driver, rival, pickup, dropoff } = scene();
  await succeeds(invoke(driver, 'taxi-driver-heartbeat', { is_online: true, ...pickup }));
  const { rideId } = await succeeds(invoke(rider, 'taxi-request-ride', { pickup, dropoff }), 201);
  await refused(invoke(rider, INIT, { purpose: 'ride', purpose_id: rideId }), 409, 'NOT_PAYABLE');
  await succeeds(invoke(driver, 'taxi-accept-ride', { rideId }));
  await refused(invoke(rival, INIT, { purpose: 'ride', purpose_id: rideId }), 404, 'NOT_FOUND');
  const named = { purpose: 'wallet_deposit', amount: 100_000, user_id: rider.id };
  await refused(invoke(rival, INIT, named), 403, 'IDENTITY_MISMATCH');
});

test('moneroo-initialize-payment: its old names answer in the old shapes', async () => {
  const { rider } = scene();
  const plan = await succeeds(invoke(rider, 'create-payment', { plan_id: 'premium_subscription' }), 201);
  assert.equal(plan.amount, 15_000);
  assert.equal(plan.payment_url, plan.checkout_url);
  assert.ok(plan.transaction_id);
  const data = { purpose: 'wallet_deposit', amount: 50_000, customer_email: 'a@b.test', customer_name: 'Awa Ba' };
  const { data: made, error } = await invoke(rider, 'moneroo', { action: 'create_payment', data });
  assert.equal(error, null);
  assert.ok(made.data.checkout_url, JSON.stringify(made));
  const read = { action: 'verify_payment', data: { payment_id: made.data.payment_id } };
  assert.ok((await succeeds(invoke(rider, 'moneroo', read))).data);
  const refund = { action: 'refund_payment', data: { payment_id: made.data.payment_id } };
  await refused(invoke(rider, 'moneroo', refund), 403, 'FORBIDDEN');
});

test('moneroo-verify-payment: a payment of one’s own is told, by body and by query', async () => {
  const { rider } = scene();
  const { payment_id: id } = await succeeds(deposit(rider), 201);
  const { payment } = await succeeds(invoke(rider, VERIFY, { payment_id: id }));
  assert.deepEqual([payment.id, payment.status, payment.amount, payment.settlement], [id, 'pending', 100_000, 'none']);
  await pay(id);
  const ask = () => as(rider).functions.invoke(`${VERIFY}?payment_id=${id}`, { method: 'GET' });
  const done = await eventually(ask, ({ data }) => data?.payment.status === 'success', 'the payment is settled');
  assert.equal(done.data.payment.settlement, 'settled');
});

test("moneroo-verify-payment: another user's payment does not exist", async () => {
  const { rider, rival } = scene();
  const { payment_id: id } = await succeeds(deposit(rider), 201);
  const foreign = await refused(invoke(rival, VERIFY, { payment_id: id }), 404, 'NOT_FOUND');
  const absent = await refused(invoke(rival, VERIFY, { payment_id: 'a1b2c3d4e5f6' }), 404, 'NOT_FOUND');
  assert.equal(foreign.message, absent.message);
});

test('moneroo-get-payment-methods: Guinea pays by Orange and MTN', async () => {
  const { rider } = scene();
  const { methods, all_methods: all } = await succeeds(invoke(rider, METHODS, {}));
  assert.deepEqual(methods.map((one) => one.code).sort(), ['mtn_gn', 'orange_gn']);
  assert.ok(all.length > methods.length);
  for (const one of methods) assert.ok(one.name && one.currency === 'GNF' && Array.isArray(one.countries));
  const byQuery = as(rider).functions.invoke(`${METHODS}?currency=XOF&country=SN`, { method: 'GET' });
  const senegal = await succeeds(byQuery);
  assert.ok(senegal.methods.length > 0 && senegal.methods.every((one) => one.currency === 'XOF'), JSON.stringify(senegal));
});

test('moneroo-webhook: a signed event is received, and credits what the provider confirms', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const { payment_id: id } = await succeeds(deposit(rider), 201);
  await sandbox(`payments/${id}/pay`, { quiet: true });
  const body = JSON.stringify({ event: 'payment.success', data: { id, amount: 1, currency: 'GNF', status: 'success' } });
  const data = await succeeds(notify(body));
  assert.deepEqual([data.success, data.received], [true, true]);
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
  await succeeds(notify(body));
  assert.equal(await balance(rider), before + 100_000);
});

test('moneroo-webhook: without the signature of the provider it is refused, signed in or not', async () => {
  const body = JSON.stringify({ event: 'payment.success', data: { id: 'a1b2c3d4e5f6', status: 'success' } });
  await refused(notify(body, 'whsec_of_somebody_else'), 403, 'INVALID_SIGNATURE');
  await refused(invoke(null, WEBHOOK, body), 403, 'INVALID_SIGNATURE');
  await refused(invoke(stack.passers[0], WEBHOOK, body), 403, 'INVALID_SIGNATURE');
  const past = as(stack.passers[0], { exp: Math.floor(Date.now() / 1000) - 60 });
  await refused(past.functions.invoke(WEBHOOK, { body }), 403, 'INVALID_SIGNATURE');
});

test('moneroo-webhook: a signed body that is malformed or too large is refused', async () => {
  await refused(notify('{"event":'), 400, 'BAD_JSON');
  const { error } = await notify('{"event":"payment.success","data":{"id":null}}');
  assert.equal(error.context.status, 400);
  await refused(notify(padded(64 * KIB + 1)), 413, 'PAYLOAD_TOO_LARGE');
  const last = await notify(padded(64 * KIB));
  assert.equal(last.error.context.status, 400, 'the last size that is read');
});

answersBrowsers(WEBHOOK);

test('retry-failed-transactions: the clock finds money that no webhook told of', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const { payment_id: id } = await succeeds(deposit(rider), 201);
  await sandbox(`payments/${id}/pay`, { quiet: true });
  const data = await succeeds(invoke(null, 'retry-failed-transactions', {}, { headers: { 'x-internal-api-key': stack.internalKey } }));
  for (const count of ['processed', 'successful', 'failed']) assert.ok(Number.isInteger(data[count]), JSON.stringify(data));
  // Five minutes have not passed, so this run may leave it; asking for it does not.
  await succeeds(invoke(rider, VERIFY, { payment_id: id }));
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
});
