begin;
\ir lib/rides.psql
-- A ride of n's own driver, moved forward to a state.
create function pg_temp.ride(customer uuid, driver uuid, upto text) returns uuid language plpgsql as $$
declare
    made uuid := (pg_temp.ask(customer, 'taxi_request_ride', pg_temp.route()) ->> 'rideId')::uuid;
    step text;
begin
    if upto <> 'requested' then
        perform pg_temp.ask(driver, 'taxi_accept_ride', jsonb_build_object('rideId', made));
    end if;
    foreach step in array array['picked_up', 'in_progress', 'completed'] loop
        exit when upto in ('requested', 'accepted') or (select status from taxi.trips where id = made) = upto;
        perform pg_temp.ask(driver, 'taxi_update_ride_status', jsonb_build_object('rideId', made, 'status', step));
    end loop;
    return made;
end $$;
create function pg_temp.fund(who uuid, amount bigint) returns void language sql as $$
    select ledger.post('deposit', 'GNF', array[row(ledger.platform_account('provider_clearing', 'GNF'), -amount),
        row(ledger.wallet_for(who, 'GNF'), amount)]::ledger.leg[], 'test', gen_random_uuid()::text, amount)
$$;
create function pg_temp.balance(who uuid) returns bigint language sql as $$
    select coalesce((select balance from ledger.wallets where user_id = who and currency = 'GNF'), 0)
$$;
create function pg_temp.held(kind text) returns bigint language sql as $$
    select coalesce(sum(amount), 0)::bigint from ledger.entries where account_id = ledger.platform_account(kind, 'GNF')
$$;
create function pg_temp.pay(who uuid, ride uuid, method text) returns text language sql as $$
    select pg_temp.code(who, 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', method))
$$;
create function pg_temp.step(who uuid, ride uuid, target text) returns text language sql as $$
    select pg_temp.code(who, 'taxi_update_ride_status', jsonb_build_object('rideId', ride, 'status', target, 'reason', 'because'))
$$;
create function pg_temp.price(ride uuid, part text) returns bigint language sql as $$
    select (to_jsonb(t) ->> part)::bigint from taxi.trips t where id = ride
$$;

-- Prepaid: the whole price waits in clearing, and is shared when the ride is completed, once.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
    price bigint := pg_temp.price(r, 'price_total');
    share bigint := pg_temp.price(r, 'driver_share');
begin
    perform pg_temp.fund(alice, 1000000);
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    assert pg_temp.balance(alice) = 1000000 - price and pg_temp.held('ride_clearing') = price and pg_temp.balance(bob) = 0;
    perform pg_temp.step(bob, r, 'picked_up'), pg_temp.step(bob, r, 'in_progress');
    assert pg_temp.step(bob, r, 'completed') = 'ok' and pg_temp.step(bob, r, 'completed') = 'ok';
    assert pg_temp.held('ride_clearing') = 0 and pg_temp.balance(bob) = share;
    assert pg_temp.held('platform_fees') = price - share;
    assert (select distributed_at is not null and payment_status = 'paid' from taxi.trips where id = r);
    assert (select string_agg(type, ',' order by type) from ledger.transactions where reference_id = r::text)
        = 'ride_distribution,ride_payment';
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'payment_due') = 0;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- Paid afterwards: shared at once. Cancelled before pick-up: everything back. After it: the price is shared like a fare.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    bob uuid := '00000000-0000-4000-8000-000000000002';
    r uuid := pg_temp.ride(alice, bob, 'completed');
    hers bigint := pg_temp.balance(alice);
    his bigint := pg_temp.balance(bob);
begin
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    assert pg_temp.balance(bob) = his + pg_temp.price(r, 'driver_share') and pg_temp.held('ride_clearing') = 0;
    hers := hers - pg_temp.price(r, 'price_total');
    his := pg_temp.balance(bob);
    r := pg_temp.ride(alice, bob, 'accepted');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok' and pg_temp.step(alice, r, 'cancelled') = 'ok';
    assert pg_temp.balance(alice) = hers and pg_temp.balance(bob) = his and pg_temp.held('ride_clearing') = 0;
    assert (select payment_status from taxi.trips where id = r) = 'refunded';
    assert (select status = 'refunded' and refunded_amount = amount from taxi.transactions where ride_id = r);
    assert pg_temp.pay(alice, r, 'wallet') = 'RIDE_NOT_PAYABLE', 'a cancelled ride was paid';
    assert pg_temp.step(alice, r, 'cancelled') = 'ok' and pg_temp.balance(alice) = hers, 'a repeat refunds';
    r := pg_temp.ride(alice, bob, 'picked_up');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok' and pg_temp.step(alice, r, 'cancelled') = 'ok';
    assert pg_temp.balance(alice) = hers - pg_temp.price(r, 'price_total') and pg_temp.held('ride_clearing') = 0;
    assert pg_temp.balance(bob) = his + pg_temp.price(r, 'driver_share');
    assert (select payment_status from taxi.trips where id = r) = 'paid';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- A configured fee of 30 %: the rest goes back, the fee is shared 85/15; unpaid, it can be paid afterwards.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    bob uuid := '00000000-0000-4000-8000-000000000002';
    hers bigint := pg_temp.balance(alice);
    his bigint := pg_temp.balance(bob);
    r uuid;
    fee bigint;
begin
    update core.settings set value = 3000 where key = 'taxi.cancel_bps_after_pickup';
    r := pg_temp.ride(alice, bob, 'picked_up');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok' and pg_temp.step(alice, r, 'cancelled') = 'ok';
    fee := core.bps(pg_temp.price(r, 'price_total'), 3000);
    assert pg_temp.price(r, 'cancellation_fee') = fee and pg_temp.balance(alice) = hers - fee;
    assert pg_temp.balance(bob) = his + core.bps(fee, 8500) and pg_temp.held('ride_clearing') = 0;
    assert (select refunded_amount = amount - fee and status = 'completed' from taxi.transactions where ride_id = r);
    r := pg_temp.ride(alice, bob, 'picked_up');
    assert pg_temp.pay(alice, r, 'cash') = 'ok' and pg_temp.step(alice, r, 'cancelled') = 'ok';
    assert (select status from taxi.transactions where ride_id = r) = 'failed', 'a void attempt lives';
    assert pg_temp.pay(alice, r, 'wallet') = 'ok' and pg_temp.balance(alice) = hers - 2 * fee;
    assert pg_temp.balance(bob) = his + 2 * core.bps(fee, 8500);
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- Dues of cash rides come out of the next shares, oldest first, and never more than the share.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    carl uuid := pg_temp.driver(3, 1);
    his uuid := (select id from taxi.drivers where user_id = carl);
    r uuid;
    share bigint;
    fees bigint;
begin
    update taxi.drivers set is_online = false, status = 'offline' where id <> his;
    r := pg_temp.ride(alice, carl, 'completed');
    assert pg_temp.pay(alice, r, 'cash') = 'ok';
    assert pg_temp.code(carl, 'taxi_payment', jsonb_build_object('rideId', r, 'confirm', true)) = 'ok';
    assert (select amount from taxi.driver_dues where ride_id = r) = pg_temp.price(r, 'platform_fee');
    update taxi.driver_dues set amount = 20000, created_at = now() - interval '2 days' where ride_id = r;
    r := pg_temp.ride(alice, carl, 'completed');
    share := pg_temp.price(r, 'driver_share');
    assert share < 20000;
    fees := pg_temp.held('platform_fees');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    assert pg_temp.balance(carl) = 0 and pg_temp.held('platform_fees') = fees + pg_temp.price(r, 'price_total');
    assert taxi.dues_of(his, 'GNF') = 20000 - share;
    r := pg_temp.ride(alice, carl, 'completed');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    assert pg_temp.balance(carl) = 2 * share - 20000 and taxi.dues_of(his, 'GNF') = 0, pg_temp.balance(carl)::text;
    assert (select settled_at is not null from taxi.driver_dues where driver_id = his);
    assert (select amount from ledger.transactions where reference_id = r::text and type = 'dues_settlement') = 20000 - share;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- A blocked wallet keeps no ride from ending: the money waits in suspense, and somebody is told.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    carl uuid := '00000000-0000-4000-8000-000000000003';
    r uuid := pg_temp.ride(alice, carl, 'in_progress');
    his bigint := pg_temp.balance(carl);
    hers bigint;
begin
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    update ledger.wallets set status = 'blocked' where user_id = carl;
    assert pg_temp.step(carl, r, 'completed') = 'ok';
    assert pg_temp.balance(carl) = his and pg_temp.held('suspense') = pg_temp.price(r, 'driver_share');
    assert (select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = 'ride_share_suspended') = 1;
    r := pg_temp.ride(alice, carl, 'accepted');
    assert pg_temp.pay(alice, r, 'wallet') = 'ok';
    hers := pg_temp.balance(alice);
    update ledger.wallets set status = 'blocked' where user_id = alice;
    assert pg_temp.step(carl, r, 'cancelled') = 'ok';
    assert pg_temp.balance(alice) = hers and pg_temp.held('ride_clearing') = 0;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
