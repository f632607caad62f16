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
create function pg_temp.pay(who uuid, ride uuid, method text, more jsonb default '{}') returns text language sql as $$
    select pg_temp.code(who, 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', method) || more)
$$;

-- Paid once, whatever is repeated; the amount is the ride's; nothing in the body changes it.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
    price bigint := (select price_total from taxi.trips where id = r);
    asked jsonb := jsonb_build_object('rideId', r, 'paymentMethod', 'wallet', 'amount', 1, 'driver_id', alice, 'idempotencyKey', 'alice-key-1');
    reply jsonb;
begin
    perform pg_temp.fund(alice, 100000);
    reply := pg_temp.ask(alice, 'taxi_payment', asked);
    assert reply -> 'payment' = '{"success": true, "method": "wallet", "status": "completed"}', reply;
    assert (reply -> 'transaction' ->> 'amount')::bigint = price and not reply ? 'duplicate', reply;
    assert pg_temp.ask(alice, 'taxi_payment', asked) = reply, 'the same key';
    assert current_setting('response.headers') like '%Idempotent-Replayed%';
    asked := pg_temp.ask(alice, 'taxi_payment', asked || '{"idempotencyKey": "alice-key-2"}');
    assert asked ->> 'duplicate' = 'true' and asked -> 'transaction' = reply -> 'transaction', asked;
    assert pg_temp.pay(alice, r, 'cash') = 'ALREADY_PAID' and pg_temp.pay(alice, r, 'card') = 'ALREADY_PAID';
    assert pg_temp.pay(alice, r, 'cash', '{"idempotencyKey": "alice-key-1"}') = 'IDEMPOTENCY_MISMATCH', 'another method';
    assert pg_temp.balance(alice) = 100000 - price, 'paid twice';
    assert (select count(*) from taxi.transactions where ride_id = r) = 1;
    assert (select count(*) from taxi.notifications where ride_id = r and user_id = bob and type = 'payment_received') = 1;
end $$;

-- Strangers see no ride; drivers and others cannot pay it; only its driver confirms cash. Nothing moves.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    bob uuid := '00000000-0000-4000-8000-000000000002';
    carol uuid := pg_temp.person(3);
    dan uuid := pg_temp.driver(4, 1);
    eve uuid := pg_temp.person(5);
    r uuid := pg_temp.ride(carol, dan, 'accepted');
    moved bigint := (select count(*) from ledger.transactions);
begin
    perform pg_temp.fund(eve, 100000);
    assert pg_temp.pay(eve, r, 'wallet') = 'NOT_FOUND' and pg_temp.pay(eve, r, 'cash', '{"confirm": true}') = 'NOT_FOUND';
    assert pg_temp.pay(eve, r, 'wallet', jsonb_build_object('customerId', carol)) = 'IDENTITY_MISMATCH';
    assert pg_temp.pay(dan, r, 'wallet') = 'FORBIDDEN' and pg_temp.pay(carol, r, 'cash', '{"confirm": true}') = 'FORBIDDEN';
    assert pg_temp.pay(carol, r, 'wallet') = 'INSUFFICIENT_FUNDS', 'she has nothing';
    assert pg_temp.pay(carol, r, 'bitcoin') = 'VALIDATION_ERROR' and pg_temp.pay(carol, null, 'cash') = 'VALIDATION_ERROR';
    assert pg_temp.code(carol, 'taxi_payment', jsonb_build_object('rideId', r)) = 'VALIDATION_ERROR';
    assert pg_temp.pay(carol, r, 'cash', '{"confirm": "yes"}') = 'VALIDATION_ERROR';
    assert pg_temp.pay(carol, r, 'cash', '{"idempotencyKey": "short"}') = 'VALIDATION_ERROR';
    assert pg_temp.pay(null, r, 'wallet') = 'UNAUTHENTICATED';
    assert (select count(*) from taxi.transactions where ride_id = r) = 0;
    assert (select count(*) from ledger.transactions) = moved + 1, 'something moved beside the gift to eve';
    assert (select payment_status from taxi.trips where id = r) = 'pending';
    -- An admin may settle it from the customer's wallet.
    insert into people.user_roles values (eve, 'admin');
    perform pg_temp.fund(carol, 100000);
    assert pg_temp.pay(eve, r, 'card') = 'FORBIDDEN', 'an admin has no card for others';
    assert pg_temp.pay(eve, r, 'wallet') = 'ok' and pg_temp.balance(eve) = 100000 and pg_temp.balance(carol) < 100000;
    -- The admin's key is his own: the customer's same key is another request.
    assert pg_temp.pay(carol, r, 'wallet', '{"idempotencyKey": "shared-key-1"}') = 'ok';
    assert pg_temp.pay(alice, (select id from taxi.trips where customer_id = alice), 'wallet', '{"idempotencyKey": "shared-key-1"}') = 'ok';
end $$;

-- A key belongs to one ride and method, also after the stored answers are pruned.
do $$
declare
    fay uuid := pg_temp.person(6);
    gus uuid := pg_temp.driver(7, 1);
    one uuid := pg_temp.ride(fay, gus, 'completed');
    two uuid;
begin
    perform pg_temp.fund(fay, 100000);
    assert pg_temp.pay(fay, one, 'wallet', '{"idempotencyKey": "fays-own-key"}') = 'ok';
    two := pg_temp.ride(fay, gus, 'accepted');
    assert pg_temp.pay(fay, two, 'wallet', '{"idempotencyKey": "fays-own-key"}') = 'IDEMPOTENCY_MISMATCH';
    delete from core.idempotency_keys;
    assert pg_temp.pay(fay, two, 'wallet', '{"idempotencyKey": "fays-own-key"}') = 'IDEMPOTENCY_MISMATCH';
    assert pg_temp.pay(fay, one, 'wallet', '{"idempotencyKey": "fays-own-key"}') = 'ok', 'its own ride';
    assert (select count(*) from taxi.transactions where ride_id = two) = 0;
end $$;

-- Cash: pending until the driver confirms it on the completed ride; then his commission is due. No ledger line moves.
do $$
declare
    hal uuid := pg_temp.person(8);
    ida uuid := pg_temp.driver(9, 1);
    r uuid := pg_temp.ride(hal, ida, 'accepted');
    moved bigint := (select count(*) from ledger.transactions);
    reply jsonb;
begin
    assert pg_temp.pay(ida, r, 'cash', '{"confirm": true}') = 'NOT_CASH', 'nobody chose cash yet';
    reply := pg_temp.ask(hal, 'taxi_payment', jsonb_build_object('rideId', r, 'paymentMethod', 'cash'));
    assert reply -> 'payment' = '{"success": true, "method": "cash", "status": "pending"}', reply;
    assert pg_temp.ask(hal, 'taxi_payment', jsonb_build_object('rideId', r, 'paymentMethod', 'cash')) ->> 'duplicate' = 'true';
    assert pg_temp.pay(ida, r, 'cash', '{"confirm": true}') = 'RIDE_NOT_PAYABLE', 'before the end';
    assert pg_temp.pay(ida, r, 'wallet', '{"confirm": true}') = 'NOT_CASH';
    perform pg_temp.ask(ida, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', s))
       from unnest(array['picked_up', 'in_progress', 'completed']) s;
    assert pg_temp.pay('00000000-0000-4000-8000-000000000002', r, 'cash', '{"confirm": true}') = 'NOT_FOUND', 'another driver';
    assert pg_temp.pay(ida, r, 'cash', '{"confirm": true}') = 'ok';
    assert pg_temp.ask(ida, 'taxi_payment', jsonb_build_object('rideId', r, 'confirm', true)) ->> 'duplicate' = 'true';
    assert (select payment_status = 'paid' and payment_method = 'cash' from taxi.trips where id = r);
    assert (select d.amount = t.platform_fee from taxi.driver_dues d join taxi.trips t on t.id = d.ride_id where t.id = r);
    assert (select count(*) from ledger.transactions) = moved, 'cash moved a ledger line';
    assert pg_temp.pay(hal, r, 'wallet') = 'ALREADY_PAID';
end $$;

-- A pending cash attempt may be replaced; a guard's refusal replaces nothing.
do $$
declare
    jon uuid := pg_temp.person(10);
    kim uuid := pg_temp.driver(11, 1);
    r uuid := pg_temp.ride(jon, kim, 'accepted');
begin
    assert pg_temp.pay(jon, r, 'cash') = 'ok' and pg_temp.pay(jon, r, 'wallet') = 'INSUFFICIENT_FUNDS';
    assert (select string_agg(payment_method || ' ' || status, ',') from taxi.transactions where ride_id = r) = 'cash pending';
    perform pg_temp.fund(jon, 100000);
    update ledger.wallets set status = 'blocked' where user_id = jon;
    assert pg_temp.pay(jon, r, 'wallet', '{"idempotencyKey": "jons-first-key"}') = 'WALLET_BLOCKED' and pg_temp.balance(jon) = 100000;
    update ledger.wallets set status = 'active' where user_id = jon;
    assert pg_temp.pay(jon, r, 'wallet', '{"idempotencyKey": "jons-first-key"}') = 'ok', 'a refusal was remembered';
    assert (select string_agg(payment_method || ' ' || status, ',' order by payment_method) from taxi.transactions where ride_id = r)
        = 'cash failed,wallet completed';
    assert pg_temp.pay(kim, r, 'cash', '{"confirm": true}') = 'NOT_CASH';
end $$;

-- Not yet accepted: nothing to pay.
do $$
declare
    lea uuid := pg_temp.person(12);
    r uuid := pg_temp.ride(lea, null, 'requested');
begin
    assert pg_temp.pay(lea, r, 'wallet') = 'RIDE_NOT_PAYABLE' and pg_temp.pay(lea, r, 'cash') = 'RIDE_NOT_PAYABLE';
    assert pg_temp.pay(lea, r, 'card') = 'RIDE_NOT_PAYABLE';
end $$;
rollback;
