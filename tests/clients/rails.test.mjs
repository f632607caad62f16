// The functions around the other providers, refunds and payouts, as frontends, providers and the clock call them.
import assert from 'node:assert/strict';
import { createHmac, randomUUID } from 'node:crypto';
import {
  KIB, actsForPeople, actsForTheClock, answersBrowsers, as, balance, eventually, invoke, padded, refused, scene, stack, succeeds, test,
} from './cauris.mjs';

const INIT = 'moneroo-initialize-payment';
const WEBHOOK = 'payment-webhook';
const REFUND = 'payment-refund';

actsForPeople(REFUND, { payment_id: 7, reason: 'a reason', idempotency_key: 'client-refund-0' });
actsForTheClock('payout-process');
actsForTheClock('ledger-close');
answersBrowsers(WEBHOOK);

async function sandbox(path, body = {}) {
  const answer = await fetch(`${stack.sandboxUrl}/_control/${path}`, { method: 'POST', body: JSON.stringify(body) });
  assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.clone().text()}`);
  return answer.json();
}

const key = () => ({ 'x-internal-api-key': stack.internalKey });
const deposit = (rider, provider, more = {}) =>
  invoke(rider, INIT, { purpose: 'wallet_deposit', amount: 100_000, provider, ...more });

/** A Stripe event, signed over exactly these bytes at this second. */
function notify(body, secret = stack.stripeSecret, at = Math.floor(Date.now() / 1000)) {
  const signature = createHmac('sha256', secret).update(`${at}.${body}`).digest('hex');
  const headers = { 'content-type': 'application/json', 'stripe-signature': `t=${at},v1=${signature}` };
  return invoke(null, `${WEBHOOK}?provider=stripe`, body, { headers });
}

const event = (id, type = 'payment_intent.succeeded') =>
  JSON.stringify({ id: `evt_${randomUUID().replaceAll('-', '')}`, type, data: { object: { id, object: 'payment_intent' } } });

test('moneroo-initialize-payment: a card payment answers the secret of its page, and credits when it is paid', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const data = await succeeds(deposit(rider, 'stripe'), 201);
  assert.ok(data.client_secret && data.payment_id, JSON.stringify(data));
  await sandbox(`payments/${data.payment_id}/pay`, { wait: true });
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
});

test('moneroo-initialize-payment: a phone is asked, and says so without a page', async () => {
  const { rider } = scene();
  const data = await succeeds(deposit(rider, 'mtn_momo', { phone: '224660000001' }), 201);
  assert.equal(data.checkout_url, undefined);
  assert.ok(data.message && data.payment_id);
  await refused(deposit(rider, 'mtn_momo'), 400, 'VALIDATION_ERROR');
  await refused(deposit(rider, 'nobody'), 400, 'VALIDATION_ERROR');
});

test('moneroo-initialize-payment: its legacy names pay an own open payment in another way', async () => {
  const { rider, rival } = scene();
  const before = await balance(rider);
  const { data: made } = await invoke(rider, 'create-payment', { plan_id: 'premium_subscription' });
  assert.ok(made.transaction_id, JSON.stringify(made));
  const ask = { transaction_id: made.transaction_id };
  await refused(invoke(rival, 'card-payment', ask), 404, 'NOT_FOUND');
  const card = await succeeds(invoke(rider, 'card-payment', ask), 201);
  assert.ok(card.client_secret && card.transaction_id, JSON.stringify(card));
  await sandbox(`payments/${card.payment_id}/pay`, { wait: true });
  const bought = () => as(rider).from('paid_entitlements').select('status').eq('plan_code', 'premium_subscription');
  await eventually(bought, ({ data: rows }) => rows?.some((row) => row.status === 'active'), 'the plan is active');
  assert.equal(await balance(rider), before);
});

test('payment-webhook: a signed event is received, and credits what the provider confirms', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const { payment_id: id } = await succeeds(deposit(rider, 'stripe'), 201);
  await sandbox(`payments/${id}/pay`, { quiet: true });
  const body = event(id);
  const data = await succeeds(notify(body));
  assert.deepEqual([data.success, data.received], [true, true]);
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
  await succeeds(notify(body));
  assert.equal(await balance(rider), before + 100_000);
});

test('payment-webhook: a wrong, missing or old signature is refused, signed in or not', async () => {
  const body = event('pi_unknown');
  await refused(notify(body, 'whsec_of_somebody_else'), 403, 'INVALID_SIGNATURE');
  for (const skew of [-400, 400]) {
    await refused(notify(body, stack.stripeSecret, Math.floor(Date.now() / 1000) + skew), 403, 'INVALID_SIGNATURE');
  }
  await refused(invoke(stack.passers[0], `${WEBHOOK}?provider=stripe`, body), 403, 'INVALID_SIGNATURE');
  await refused(invoke(null, `${WEBHOOK}?provider=mtn_momo&t=${stack.passers[0].id}.00`, body), 403, 'INVALID_SIGNATURE');
});

test('payment-webhook: an unknown provider, a malformed body and one that is too large are refused', async () => {
  await refused(invoke(null, `${WEBHOOK}?provider=nobody`, '{}'), 404, 'NOT_FOUND');
  await refused(invoke(null, WEBHOOK, '{}'), 404, 'NOT_FOUND');
  await refused(notify('{"id":'), 400, 'BAD_JSON');
  await refused(notify(padded(64 * KIB + 1)), 413, 'PAYLOAD_TOO_LARGE');
});

test('payment-webhook: its legacy names say the provider themselves', async () => {
  const body = event('pi_unknown');
  for (const name of ['escrow-stripe-webhook', 'paydunya-webhook']) {
    await refused(invoke(null, name, body), 403, 'INVALID_SIGNATURE');
  }
  const at = Math.floor(Date.now() / 1000);
  const signature = createHmac('sha256', stack.stripeSecret).update(`${at}.${body}`).digest('hex');
  const headers = { 'content-type': 'application/json', 'stripe-signature': `t=${at},v1=${signature}` };
  await succeeds(invoke(null, 'escrow-stripe-webhook', body, { headers }));
});

test('payment-refund: an admin refunds a card payment, once, and nobody else may', async () => {
  const { rider } = scene();
  const before = await balance(rider);
  const { payment_id: id } = await succeeds(deposit(rider, 'stripe'), 201);
  await sandbox(`payments/${id}/pay`, { wait: true });
  await eventually(() => balance(rider), (now) => now === before + 100_000, 'the wallet is credited');
  const ask = { payment_id: id, amount: 40_000, reason: 'by mistake', destination: 'original', idempotency_key: randomUUID() };
  await refused(invoke(rider, REFUND, ask), 403, 'FORBIDDEN');
  const { refund } = await succeeds(invoke(stack.admin, REFUND, ask), 201);
  assert.equal(refund.amount, 40_000);
  const again = await succeeds(invoke(stack.admin, REFUND, ask), 201);
  assert.equal(again.refund.id, refund.id);
  assert.equal(await balance(rider), before + 60_000);
  const more = { ...ask, amount: 100_000, idempotency_key: randomUUID() };
  await refused(invoke(stack.admin, REFUND, more), 409, 'REFUND_EXCEEDS_CAPTURED');
  const { idempotency_key: _, ...keyless } = ask;
  await refused(invoke(stack.admin, REFUND, keyless), 400, 'VALIDATION_ERROR');
});

test('payout-process: what no provider can send waits for an admin', async () => {
  const { rider } = scene();
  const ask = { operation: 'withdraw', amount: 20_000, method: 'orange_money', phone: '224620000001' };
  await succeeds(invoke(rider, 'wallet-operations', ask), 202);
  const data = await succeeds(invoke(null, 'payout-process', {}, { headers: key() }));
  for (const count of ['processed', 'successful', 'failed']) assert.ok(Number.isInteger(data[count]), JSON.stringify(data));
  const own = () => as(rider).from('payouts').select('status');
  await eventually(own, ({ data: rows }) => rows?.[0]?.status === 'manual', 'the payout is in the queue');
});

test('ledger-close: the clock seals what is over and compares what has ended', async () => {
  const data = await succeeds(invoke(null, 'ledger-close', {}, { headers: key() }));
  for (const count of ['sealed', 'checked', 'silent', 'differences']) assert.ok(Number.isInteger(data[count]), JSON.stringify(data));
});
