// The seven functions of a ride, as the rider's and the driver's apps call them.
import assert from 'node:assert/strict';
import { actsForPeople, balance, invoke, refused, scene, succeeds, test } from './cauris.mjs';

const nowhere = '00000000-0000-4000-8000-000000000000';

actsForPeople('taxi-quote-fare', { pickup: { lat: 'north', lng: 1 }, dropoff: 3 });
actsForPeople('taxi-request-ride', { pickup: { lat: 'north', lng: 1 }, dropoff: 3 });
actsForPeople('taxi-driver-heartbeat', { is_online: 'yes', lat: 'north', lng: -13 });
actsForPeople('taxi-accept-ride', { rideId: 'the-first' });
actsForPeople('taxi-refuse-ride', { rideId: 'the-first' });
actsForPeople('taxi-update-ride-status', { rideId: 'the-first', status: 'completed' });
actsForPeople('taxi-payment', { rideId: 'the-first', paymentMethod: 'wallet' });

const online = (driver, at) => succeeds(invoke(driver, 'taxi-driver-heartbeat', { is_online: true, ...at }));
const step = (who, rideId, status, more = {}) => invoke(who, 'taxi-update-ride-status', { rideId, status, ...more });

/** A ride that its rider has asked for, with one driver of the place online. */
async function requested() {
  const here = scene();
  await online(here.driver, here.pickup);
  const ask = { pickup: here.pickup, dropoff: here.dropoff };
  const ride = await succeeds(invoke(here.rider, 'taxi-request-ride', ask), 201);
  return { ...here, ride, rideId: ride.rideId };
}

async function accepted() {
  const here = await requested();
  await succeeds(invoke(here.driver, 'taxi-accept-ride', { rideId: here.rideId }));
  return here;
}

async function driven() {
  const here = await accepted();
  for (const status of ['arriving', 'picked_up', 'in_progress', 'completed']) {
    await succeeds(step(here.driver, here.rideId, status));
  }
  return here;
}

test('taxi-quote-fare: a quote between two points binds, and its parts are the whole', async () => {
  const { rider, driver, pickup, dropoff } = scene();
  await online(driver, pickup);
  const quote = await succeeds(invoke(rider, 'taxi-quote-fare', { pickup, dropoff }));
  assert.equal(quote.binding, true);
  assert.equal(quote.driver_share + quote.platform_fee, quote.total);
  assert.equal(quote.currency, 'GNF');
  assert.ok(quote.total >= 7_000 && quote.quote_id && quote.expires_at.endsWith('Z'), JSON.stringify(quote));
  const legacy = { distanceKm: 3.2, durationMin: 12, ...pickup };
  const estimate = await succeeds(invoke(rider, 'taxi-quote-fare', legacy));
  assert.equal(estimate.binding, false);
  assert.ok(!estimate.quote_id, 'an estimate cannot be held against us');
});

test('taxi-quote-fare: outside the service area there is no price', async () => {
  const { rider, pickup } = scene();
  const ask = { pickup, dropoff: { lat: 48.85, lng: 2.35 } };
  await refused(invoke(rider, 'taxi-quote-fare', ask), 400, 'OUT_OF_AREA');
});

test('taxi-request-ride: a ride costs what its quote said, whatever the app claims', async () => {
  const { rider, driver, pickup, dropoff } = scene();
  await online(driver, pickup);
  const quote = await succeeds(invoke(rider, 'taxi-quote-fare', { pickup, dropoff }));
  const ask = { pickup, dropoff, quoteId: quote.quote_id, estimatedPrice: 1, price_total: 1, customer_id: driver.id };
  const ride = await succeeds(invoke(rider, 'taxi-request-ride', ask), 201);
  assert.deepEqual([ride.success, ride.status, ride.fare.total], [true, 'requested', quote.total]);
  assert.equal(ride.notifiedDrivers, 1);
  assert.ok(ride.rideId && ride.rideCode);
  const again = await refused(invoke(rider, 'taxi-request-ride', { pickup, dropoff }), 409, 'ACTIVE_RIDE_EXISTS');
  assert.equal(again.details.ride_id, ride.rideId);
});

test("taxi-request-ride: another user's quote is no quote", async () => {
  const { rider, rival, pickup, dropoff } = scene();
  const quote = await succeeds(invoke(rival, 'taxi-quote-fare', { pickup, dropoff }));
  const ask = { pickup, dropoff, quoteId: quote.quote_id };
  await refused(invoke(rider, 'taxi-request-ride', ask), 409, 'QUOTE_EXPIRED');
});

test('taxi-driver-heartbeat: a driver comes online; a rider is no driver', async () => {
  const { rider, driver, pickup } = scene();
  const ask = { is_online: true, ...pickup, heading: 359, speed: 20 };
  assert.deepEqual(await succeeds(invoke(driver, 'taxi-driver-heartbeat', ask)), { ok: true, success: true });
  await refused(invoke(rider, 'taxi-driver-heartbeat', ask), 403, 'FORBIDDEN');
});

test('taxi-driver-heartbeat: nobody leaves in the middle of a ride', async () => {
  const { driver, pickup } = await accepted();
  await refused(invoke(driver, 'taxi-driver-heartbeat', { is_online: false, ...pickup }), 409, 'ACTIVE_RIDE_EXISTS');
});

test('taxi-accept-ride: the winner may ask again, and the next driver is too late', async () => {
  const { driver, rival, pickup, rideId } = await requested();
  await online(rival, pickup);
  const won = await succeeds(invoke(driver, 'taxi-accept-ride', { rideId }));
  assert.deepEqual([won.rideId, won.ride.status], [rideId, 'accepted']);
  const again = await succeeds(invoke(driver, 'taxi-accept-ride', { rideId, driverId: driver.driverId }));
  assert.equal(again.ride.status, 'accepted');
  await refused(invoke(rival, 'taxi-accept-ride', { rideId }), 409, 'ALREADY_ASSIGNED');
  await refused(invoke(rival, 'taxi-accept-ride', { rideId: nowhere }), 404, 'NOT_FOUND');
});

test('taxi-accept-ride: a driver acts for himself only, and a rider is no driver', async () => {
  const { rider, driver, rival, rideId } = await requested();
  const ask = { rideId, driverId: driver.driverId };
  await refused(invoke(rival, 'taxi-accept-ride', ask), 403, 'IDENTITY_MISMATCH');
  await refused(invoke(rider, 'taxi-accept-ride', { rideId }), 403, 'FORBIDDEN');
  await succeeds(invoke(driver, 'taxi-accept-ride', ask));
});

test('taxi-refuse-ride: a refusal is kept, and the same driver cannot accept any more', async () => {
  const { driver, rideId } = await requested();
  assert.equal((await succeeds(invoke(driver, 'taxi-refuse-ride', { rideId }))).driversDeclined, 1);
  assert.equal((await succeeds(invoke(driver, 'taxi-refuse-ride', { rideId }))).driversDeclined, 1);
  await refused(invoke(driver, 'taxi-accept-ride', { rideId }), 409, 'DRIVER_DECLINED');
});

test('taxi-refuse-ride: not for another driver, and not when the ride is taken', async () => {
  const { driver, rival, rideId } = await accepted();
  await refused(invoke(rival, 'taxi-refuse-ride', { rideId, driverId: driver.driverId }), 403, 'IDENTITY_MISMATCH');
  await refused(invoke(rival, 'taxi-refuse-ride', { rideId }), 409, 'RIDE_NOT_OPEN');
});

test('taxi-update-ride-status: a ride goes forward step by step, and the same step twice is one', async () => {
  const { rider, driver, rideId } = await accepted();
  const refusal = await refused(step(driver, rideId, 'completed'), 409, 'INVALID_TRANSITION');
  assert.deepEqual([refusal.details.from, refusal.details.to], ['accepted', 'completed']);
  await refused(step(rider, rideId, 'picked_up'), 403, 'FORBIDDEN');
  const first = await succeeds(step(driver, rideId, 'picked_up'));
  const again = await succeeds(step(driver, rideId, 'started'));
  assert.deepEqual([again.ride.status, again.ride.started_at], ['picked_up', first.ride.started_at]);
});

test('taxi-update-ride-status: a stranger does not learn that the ride exists', async () => {
  const { rival, rideId } = await accepted();
  const foreign = await refused(step(rival, rideId, 'picked_up'), 404, 'NOT_FOUND');
  const absent = await refused(step(rival, nowhere, 'picked_up'), 404, 'NOT_FOUND');
  assert.equal(foreign.message, absent.message);
});

test('taxi-update-ride-status: a cancellation needs a reason', async () => {
  const { rider, rideId } = await requested();
  await refused(step(rider, rideId, 'cancelled'), 400, 'VALIDATION_ERROR');
  const { ride } = await succeeds(step(rider, rideId, 'cancelled', { reason: 'the rain stopped' }));
  assert.equal(ride.status, 'cancelled');
});

test('taxi-payment: a finished ride is paid from the wallet, once, and the driver has his share', async () => {
  const { rider, driver, ride, rideId } = await driven();
  const [mine, his] = [await balance(rider), await balance(driver)];
  const paid = await succeeds(invoke(rider, 'taxi-payment', { rideId, paymentMethod: 'wallet', amount: 1 }));
  assert.deepEqual(
    [paid.transaction.amount, paid.transaction.status, paid.payment.method, paid.payment.status],
    [ride.fare.total, 'completed', 'wallet', 'completed'],
  );
  const again = await succeeds(invoke(rider, 'taxi-payment', { rideId, paymentMethod: 'wallet' }));
  assert.deepEqual([again.duplicate, again.transaction.id], [true, paid.transaction.id]);
  assert.deepEqual([await balance(rider), await balance(driver)], [mine - ride.fare.total, his + ride.fare.driver_share]);
});

test('taxi-payment: its old name reads the old field, and checks who is named', async () => {
  const { rider, rival, rideId } = await driven();
  const before = await balance(rider);
  const ask = { tripId: rideId, paymentMethod: 'wallet' };
  await refused(invoke(rider, 'taxi-payment-process', { ...ask, customerId: rival.id }), 403, 'IDENTITY_MISMATCH');
  assert.equal(await balance(rider), before);
  await succeeds(invoke(rider, 'taxi-payment-process', { ...ask, customerId: rider.id }));
});

test('taxi-payment: cash waits until the driver says that he has it', async () => {
  const { rider, driver, rideId } = await driven();
  const waiting = await succeeds(invoke(rider, 'taxi-payment', { rideId, paymentMethod: 'cash' }));
  assert.equal(waiting.payment.status, 'pending');
  await refused(invoke(rider, 'taxi-payment', { rideId, paymentMethod: 'cash', confirm: true }), 403, 'FORBIDDEN');
  const had = await succeeds(invoke(driver, 'taxi-payment', { rideId, paymentMethod: 'cash', confirm: true }));
  assert.equal(had.transaction.status, 'completed');
});

test('taxi-payment: a stranger, a ride without a driver, and an unknown method are refused', async () => {
  const open = await requested();
  await refused(invoke(open.rider, 'taxi-payment', { rideId: open.rideId, paymentMethod: 'wallet' }), 409, 'RIDE_NOT_PAYABLE');
  const { rival, rider, rideId } = await accepted();
  const before = [await balance(rider), await balance(rival)];
  await refused(invoke(rival, 'taxi-payment', { rideId, paymentMethod: 'wallet' }), 404, 'NOT_FOUND');
  await refused(invoke(rider, 'taxi-payment', { rideId, paymentMethod: 'shells' }), 400, 'VALIDATION_ERROR');
  assert.deepEqual([await balance(rider), await balance(rival)], before);
});
