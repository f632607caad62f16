begin;
-- The code of a refusal, or the SQLSTATE of any other error; 'ok' when there is none.
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.person(n integer) returns uuid language sql as $$
    insert into auth.users (id, email, raw_user_meta_data) values (('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
        'p' || n || '@refunds.test', '{"first_name": "Awa", "last_name": "Diallo"}') on conflict do nothing;
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.ask(door text, who uuid, fn text, ask jsonb) returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('sub', who, 'role', door, 'aal', 'aal2'))::text, true);
    perform set_config('role', door, true);
    execute format('select api.%I($1)', fn) into answer using ask;
    perform set_config('role', 'none', true);
    return answer;
end $$;
create function pg_temp.service(fn text, ask jsonb) returns jsonb language sql as $$ select pg_temp.ask('service_role', null, fn, ask) $$;
-- A settled payment of person n: a deposit of 100 000 GNF and 500 of fee by stripe, unless said otherwise.
create function pg_temp.paid(n integer, more jsonb default '{}', verified bigint default null) returns payments.payments language plpgsql as $$
declare
    made uuid := (pg_temp.ask('authenticated', pg_temp.person(n), 'payment_begin', '{"provider": "stripe", "purpose": "wallet_deposit",
        "amount": 100000}' || more) -> 'payment' ->> 'id')::uuid;
    p payments.payments;
begin
    select * into p from payments.payments x where x.id = made;
    perform pg_temp.service('payment_attach', jsonb_build_object('payment_id', made, 'provider_payment_id', coalesce(p.provider_payment_id, 'py_' || made),
        'checkout_url', 'https://checkout.test', 'environment', 'live'));
    perform pg_temp.says(made, jsonb_build_object('amount', coalesce(verified, p.amount_due)));
    return x from payments.payments x where x.id = made;
end $$;
create function pg_temp.says(payment uuid, more jsonb default '{}') returns text language sql as $$
    select pg_temp.service('payment_settle', jsonb_build_object('provider', p.provider, 'provider_payment_id', p.provider_payment_id, 'status', 'success',
        'amount', coalesce(p.verified_amount, p.amount_due), 'currency', p.currency, 'environment', 'live', 'expected_environment', 'live', 'intent', null, 'as_of', now() + interval '1 second') || more)
        ->> 'outcome' from payments.payments p where p.id = payment
$$;
create sequence pg_temp.keys;
-- Person 99 is the admin; each refund has a key of its own, to the original unless said otherwise.
create function pg_temp.refund(p payments.payments, more jsonb default '{}', who integer default 99) returns jsonb language plpgsql as $$
begin
    insert into people.user_roles values (pg_temp.person(99), 'admin') on conflict do nothing;
    perform set_config('response.status', '', true);
    return pg_temp.ask('authenticated', pg_temp.person(who), 'payment_refund', jsonb_build_object('payment_id', p.id, 'reason', 'not delivered',
        'destination', 'original', 'idempotency_key', 'refund-' || lpad(nextval('pg_temp.keys')::text, 6, '0')) || more);
end $$;
create function pg_temp.refused(p payments.payments, more jsonb default '{}', who integer default 99) returns text language plpgsql as $$
begin
    return coalesce(pg_temp.refund(p, more, who) ->> 'code', 'ok');
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
end $$;
create function pg_temp.now(p payments.payments) returns text language sql
    return (select status || ' ' || settlement from payments.payments x where x.id = p.id);
create function pg_temp.left_of(p payments.payments) returns bigint language sql
    return (select payments.total(payments.left_of(x)) from payments.payments x where x.id = p.id);
create function pg_temp.refunds(p payments.payments) returns text language sql as $$
    select string_agg(r.destination || ' ' || r.amount || ' ' || r.status || case when r.excess > 0 then ' +' || r.excess else '' end, ', ' order by r.destination, r.amount)
      from payments.payment_refunds r where r.payment_id = p.id
$$;
create function pg_temp.payout(r jsonb) returns payments.payouts language sql as $$
    select o from payments.payouts o where o.payment_refund_id = (r -> 'refund' ->> 'id')::uuid
$$;
-- The refund's payout is sent and ends.
create function pg_temp.finish(r jsonb, result text) returns text language plpgsql as $$
declare
    o payments.payouts := pg_temp.payout(r);
begin
    return payments.finish_payout(o, result, null);
end $$;
-- A ride of person n that he paid by card, in a state.
create function pg_temp.ride(n integer, state text) returns payments.payments language plpgsql as $$
declare
    ride uuid;
    driver uuid := pg_temp.person(n + 1);
    p payments.payments;
begin
    insert into taxi.drivers (user_id) values (driver);
    insert into taxi.trips (customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
        surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, status, search_radius_m)
    select pg_temp.person(n), d.id, 'moto', 9.5, -13.7, 9.6, -13.7, 1000, 100, false, 100, 7000, 0, 0, 7000, 5950, 1050, 8500, 'GNF', state, 5000
      from taxi.drivers d where d.user_id = driver returning id into ride;
    perform pg_temp.ask('authenticated', pg_temp.person(n), 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', 'card'));
    return pg_temp.paid(n, jsonb_build_object('purpose', 'ride', 'purpose_id', ride, 'amount', null));
end $$;
create function pg_temp.balance(n integer, cur text default 'GNF') returns bigint language sql
    return coalesce((select balance from ledger.wallets where user_id = pg_temp.person(n) and currency = cur), 0);
create function pg_temp.platform(kind text, cur text default 'GNF') returns bigint language sql
    return (select coalesce(sum(e.amount), 0)::bigint from ledger.entries e where e.account_id = ledger.platform_account(kind, cur));
create function pg_temp.alerts(kind text, target text) returns bigint language sql
    return (select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = kind and payload ->> 'target' like target);
create function pg_temp.stands() returns void language plpgsql as $$
begin
    assert (ledger.check_books() ->> 'ok')::boolean, 'the books do not balance: ' || ledger.check_books();
end $$;

create function pg_temp.disputed(p payments.payments, state text, amount bigint default null, id text default 'dp_1') returns text language sql as $$
    select pg_temp.says(p.id, jsonb_build_object('dispute', jsonb_build_object('id', id || p.id, 'state', state, 'amount', coalesce(amount, p.verified_amount))))
$$;
create function pg_temp.state(p payments.payments) returns text language sql as $$
    select string_agg(d.state || case when d.booked then ' booked' else '' end, ',') || case when x.disputed_at is not null then ' frozen' else '' end
      from payments.disputes d join payments.payments x on x.id = d.payment_id where x.id = p.id group by x.disputed_at
$$;

-- What was refunded in the provider's dashboard is written down once, as far as the wallet reaches, the rest to losses; then the API refuses.
do $$
declare
    p payments.payments := pg_temp.paid(1);
begin
    assert pg_temp.says(p.id, '{"refunded": 0}') = 'already' and pg_temp.refunds(p) is null;
    assert pg_temp.says(p.id, '{"refunded": 40000}') = 'already' and pg_temp.says(p.id, '{"refunded": 40000}') = 'already';
    assert pg_temp.refunds(p) = 'provider 40000 succeeded' and pg_temp.balance(1) = 60000 and pg_temp.platform('provider_clearing') = -60500;
    assert pg_temp.refused(p, '{"amount": 60501}') = 'REFUND_EXCEEDS_CAPTURED' and pg_temp.alerts('refunded_at_provider', '%') = 1;
    perform pg_temp.ask('authenticated', pg_temp.person(1), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 50000, 'recipient_id', pg_temp.person(2)));
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.now(p) = 'refunded settled';
    assert pg_temp.balance(1) = 0 and pg_temp.platform('losses') = -50500 and pg_temp.platform('provider_clearing') = 0, 'the wallet held 9 500, the fee 500';
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED' and pg_temp.platform('losses') = -50500;
    assert pg_temp.says(p.id, '{"refunded": 101500}') = 'already' and pg_temp.refunds(p) = 'provider 0 succeeded +1000, provider 40000 succeeded, provider 60500 succeeded',
        'more than was captured is the platform''s, and said';
    perform pg_temp.stands();
end $$;

-- Our own refunds show at the provider too, and are not booked twice, in whichever order they are seen.
do $$
declare
    p payments.payments := pg_temp.paid(3);
    r jsonb := pg_temp.refund(p, '{"amount": 30000}');
    losses bigint := pg_temp.platform('losses');
begin
    assert pg_temp.says(p.id, '{"refunded": 30000}') = 'already' and pg_temp.refunds(p) = 'original 30000 pending', 'seen before its payout said so';
    perform pg_temp.finish(r, 'completed');
    assert pg_temp.says(p.id, '{"refunded": 30000}') = 'already' and pg_temp.refunds(p) = 'original 30000 succeeded';
    assert pg_temp.says(p.id, '{"refunded": 50000}') = 'already' and pg_temp.refunds(p) = 'original 30000 succeeded, provider 20000 succeeded';
    r := pg_temp.refund(p, '{"amount": 10000}');
    perform pg_temp.finish(r, 'failed');
    assert pg_temp.balance(3) = 50000;
    assert pg_temp.says(p.id, '{"refunded": 60000}') = 'already' and pg_temp.balance(3) = 40000, 'given up by us, done there: booked as the dashboard''s';
    assert pg_temp.finish(r, 'completed') = 'late_completion' and pg_temp.platform('losses') = losses and pg_temp.balance(3) = 40000, 'and not once more';
    assert pg_temp.left_of(p) = 40500 and pg_temp.platform('payout_clearing') = 0;
    perform pg_temp.stands();
end $$;

-- A dispute freezes the payment; lost it is booked once, within what is left; won it is reversed once, to the unit.
do $$
declare
    p payments.payments := pg_temp.paid(5);
    losses bigint := pg_temp.platform('losses');
    fees bigint := pg_temp.platform('platform_fees');
    clearing bigint := pg_temp.platform('provider_clearing');
begin
    perform pg_temp.refund(p, '{"amount": 20000}');
    assert pg_temp.disputed(p, 'open') = 'already' and pg_temp.disputed(p, 'open') = 'already' and pg_temp.state(p) = 'open frozen';
    assert pg_temp.refused(p) = 'IN_DISPUTE' and pg_temp.alerts('dispute_opened', '%') = 1 and pg_temp.balance(5) = 80000;
    perform pg_temp.ask('authenticated', pg_temp.person(5), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 50000, 'recipient_id', pg_temp.person(6)));
    assert pg_temp.disputed(p, 'lost') = 'already' and pg_temp.disputed(p, 'lost') = 'already' and pg_temp.disputed(p, 'open') = 'already';
    assert pg_temp.state(p) = 'lost booked' and pg_temp.balance(5) = 0 and pg_temp.left_of(p) = 0 and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED';
    -- 100 500 were taken: 29 500 that the wallet held, the fee of the deposit, and the platform bears the rest.
    assert (select (from_wallet, from_fees, from_losses, excess) = (29500, 500, 50500, 20000) from payments.disputes where payment_id = p.id);
    assert pg_temp.platform('losses') = losses - 70500 and pg_temp.platform('provider_clearing') = clearing + 100500;
    assert pg_temp.disputed(p, 'won') = 'already' and pg_temp.disputed(p, 'won') = 'already' and pg_temp.disputed(p, 'lost') = 'already';
    assert pg_temp.state(p) = 'won booked' and pg_temp.balance(5) = 29500 and pg_temp.platform('losses') = losses and pg_temp.left_of(p) = 80500;
    assert pg_temp.platform('provider_clearing') = clearing and pg_temp.platform('platform_fees') = fees + 500, 'the fee of the transfer';
    assert pg_temp.refused(p, '{"amount": 29500}') = 'ok', 'free again';
    perform pg_temp.stands();
end $$;

-- Lost and won in any order, however often, net to zero; a part of the amount, and two disputes, each for itself.
do $$
declare
    words text[];
    p payments.payments;
    word text;
    before bigint;
begin
    foreach words slice 1 in array array[array['won', 'lost', 'won'], array['lost', 'won', 'lost'], array['open', 'won', 'lost'], array['lost', 'open', 'won']] loop
        p := pg_temp.paid(7);
        before := pg_temp.balance(7);
        foreach word in array words loop
            perform pg_temp.disputed(p, word);
        end loop;
        assert pg_temp.balance(7) = before and pg_temp.left_of(p) = 100500 and pg_temp.state(p) ~ '^won( booked)?$', words::text;
        delete from payments.disputes;
    end loop;
    p := pg_temp.paid(8);
    perform pg_temp.disputed(p, 'lost', 60000);
    perform pg_temp.disputed(p, 'open', 30000, 'dp_2');
    assert pg_temp.balance(8) = 40000 and pg_temp.left_of(p) = 40500 and pg_temp.state(p) like '% frozen' and pg_temp.refused(p) = 'IN_DISPUTE';
    perform pg_temp.disputed(p, 'won', 30000, 'dp_2');
    assert pg_temp.balance(8) = 40000 and pg_temp.state(p) not like '% frozen' and pg_temp.refused(p, '{"amount": 40000}') = 'ok';
    perform pg_temp.disputed(p, 'lost', null, 'dp_3');
    assert pg_temp.left_of(p) = 0 and pg_temp.alerts('unreadable_dispute', '%') = 0;
    perform pg_temp.says(p.id, '{"dispute": {"id": "x", "state": "maybe", "amount": 1}}');
    assert pg_temp.alerts('unreadable_dispute', p.id::text) = 1;
    perform pg_temp.stands();
end $$;

-- Money that waits in suspense goes back from there, whole, and is not released a second time; a ride's is borne by the platform.
do $$
declare
    p payments.payments := pg_temp.paid(9, '{}', 90000);
    held bigint := pg_temp.platform('suspense');
    ride payments.payments := pg_temp.ride(10, 'accepted');
    losses bigint := pg_temp.platform('losses');
begin
    assert pg_temp.now(p) = 'success underpaid' and pg_temp.says(p.id, '{"refunded": 90000}') = 'already';
    assert pg_temp.platform('suspense') = held - 90000 and pg_temp.now(p) = 'refunded underpaid' and pg_temp.platform('losses') = losses;
    assert payments.put_aside_as(p) is null, 'an admin could release it again';
    assert pg_temp.says(ride.id, '{"refunded": 7000}') = 'already' and pg_temp.platform('losses') = losses - 7000 and pg_temp.platform('ride_clearing') = 7000;
    perform pg_temp.ask('authenticated', pg_temp.person(10), 'taxi_update_ride_status', jsonb_build_object('rideId', ride.purpose_id, 'status', 'cancelled', 'reason', 'rain'));
    assert pg_temp.balance(10) = 0 and pg_temp.platform('losses') = losses and pg_temp.platform('ride_clearing') = 0, 'given back twice: at the bank and in the wallet';
    perform pg_temp.stands();
end $$;

-- What the bank took while a refund of ours held the money is made good when that refund fails, and is part of what may be won back.
do $$
declare
    p payments.payments := pg_temp.paid(12);
    losses bigint := pg_temp.platform('losses');
    fees bigint := pg_temp.platform('platform_fees');
    under_way bigint := pg_temp.platform('payout_clearing');
    r jsonb := pg_temp.refund(p);
begin
    assert pg_temp.balance(12) = 0 and pg_temp.disputed(p, 'lost') = 'already' and pg_temp.platform('losses') = losses - 100500, 'all of it was on its way';
    assert pg_temp.finish(r, 'failed') = 'failed' and pg_temp.balance(12) = 0 and pg_temp.platform('losses') = losses, 'given back twice: by the bank and by us';
    assert pg_temp.left_of(p) = 0 and (select (from_wallet, from_fees, from_losses, excess) = (100000, 500, 0, 0) from payments.disputes where payment_id = p.id);
    assert pg_temp.disputed(p, 'won') = 'already' and pg_temp.balance(12) = 100000 and pg_temp.platform('losses') = losses;
    assert pg_temp.left_of(p) = 100500 and pg_temp.platform('payout_clearing') = under_way and pg_temp.platform('platform_fees') = fees;
    -- A part: what the payer had spent stays the platform's loss, what comes home makes good what was taken beyond the cap.
    p := pg_temp.paid(13);
    r := pg_temp.refund(p, '{"amount": 60000}');
    perform pg_temp.ask('authenticated', pg_temp.person(13), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 30000, 'recipient_id', pg_temp.person(14)));
    perform pg_temp.disputed(p, 'lost');
    assert (select (from_wallet, from_fees, from_losses, excess) = (9700, 500, 30300, 60000) from payments.disputes where payment_id = p.id);
    perform pg_temp.finish(r, 'failed');
    assert (select (from_wallet, from_fees, from_losses, excess) = (69700, 500, 30300, 0) from payments.disputes where payment_id = p.id);
    assert pg_temp.balance(13) = 0 and pg_temp.platform('losses') = losses - 30300 and pg_temp.left_of(p) = 0;
    perform pg_temp.stands();
end $$;

-- Released to the payer, what was put aside is his wallet's: the bank takes it back from there.
do $$
declare
    p payments.payments := pg_temp.paid(15, '{}', 50000);
    losses bigint := pg_temp.platform('losses');
begin
    perform pg_temp.ask('authenticated', pg_temp.person(99), 'wallet_admin', jsonb_build_object('action', 'release_suspense', 'reason', 'he paid too little',
        'entry_id', payments.put_aside_as(p), 'to_user_id', pg_temp.person(15)));
    assert pg_temp.balance(15) = 50000 and pg_temp.left_of(p) = 50000;
    perform pg_temp.disputed(p, 'lost', 20000);
    assert pg_temp.balance(15) = 30000 and pg_temp.platform('losses') = losses and pg_temp.left_of(p) = 30000;
    assert pg_temp.refused(p, '{"amount": 30000}') = 'ok' and pg_temp.balance(15) = 0 and pg_temp.left_of(p) = 0;
    perform pg_temp.stands();
end $$;
-- A blocked wallet pays for what its owner's bank has taken back; it keeps nothing to spend when it is unblocked.
do $$
declare
    p payments.payments := pg_temp.paid(71);
    before bigint := pg_temp.platform('losses');
begin
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(71);
    perform pg_temp.disputed(p, 'lost');
    assert pg_temp.balance(71) = 0 and pg_temp.platform('losses') = before, 'the wallet, not the platform';
    assert pg_temp.code(format('select ledger.post(''transfer'', ''GNF'', array[(%L::uuid, -1)::ledger.leg,
        (ledger.platform_account(''losses'', ''GNF''), 1)::ledger.leg], null, null, 1)',
        ledger.wallet_for(pg_temp.person(71), 'GNF'))) = 'WALLET_BLOCKED', 'and nothing else leaves it';
    perform pg_temp.stands();
end $$;

-- A ride is cancelled while the bank asks for its money: the refund waits.
do $$
declare
    p payments.payments := pg_temp.ride(73, 'accepted');
    held bigint := pg_temp.platform('suspense');
begin
    perform pg_temp.disputed(p, 'open');
    update taxi.trips set status = 'cancelled', cancellation_fee = 0 where id = p.purpose_id;
    perform taxi.settle_ended(t) from taxi.trips t where t.id = p.purpose_id;
    assert pg_temp.balance(73) = 0 and pg_temp.platform('suspense') = held + 7000
       and (select count(*) from core.outbox where payload ->> 'ride_id' = p.purpose_id::text and payload ->> 'type' = 'ride_refund_disputed') = 1;
    perform pg_temp.stands();
end $$;
-- Asked before our own refund failed, answered after: the answer still counts it, and nothing is booked on that.
do $$ declare
    p payments.payments := pg_temp.paid(75);
    r jsonb := pg_temp.refund(p, '{"amount": 40000}');
begin
    perform pg_temp.finish(r, 'failed'), pg_temp.says(p.id, jsonb_build_object('refunded', 40000, 'as_of', now() - interval '1 second'));
    assert pg_temp.balance(75) = 100000 and pg_temp.refunds(p) = 'original 40000 failed', pg_temp.refunds(p);
    perform pg_temp.says(p.id, jsonb_build_object('refunded', 40000));
    assert pg_temp.balance(75) = 60000, 'and asked again, it was paid there after all';
end $$;
rollback;
