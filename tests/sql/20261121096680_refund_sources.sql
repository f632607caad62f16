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
        'amount', coalesce(p.verified_amount, p.amount_due), 'currency', p.currency, 'environment', 'live', 'expected_environment', 'live', 'intent', null) || more)
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

-- Where the money of a settled payment lies, by purpose and settlement; together it is what was captured, to the unit.
do $$
declare
    p payments.payments;
    c record;
    plan jsonb := '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}';
begin
    for c in select * from (values (1, '{}'::jsonb, null::bigint, '(100000,500,0,0)'), (2, '{}', 100700, '(100200,500,0,0)'), (3, '{}', 100499, '(0,0,0,100499)'),
        (4, plan, null, '(0,15000,0,0)'), (5, plan, 15400, '(400,15000,0,0)')) as t (n, more, verified, parts)
    loop
        p := pg_temp.paid(c.n, c.more, c.verified);
        assert payments.parts_of(p)::text = c.parts, format('%s %s', c.n, payments.parts_of(p));
        assert payments.total(payments.parts_of(p)) = p.verified_amount and payments.left_of(p) = payments.parts_of(p);
    end loop;
    p := pg_temp.paid(1, '{"amount": 5000}');
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(1);
    p := pg_temp.ride(6, 'completed');
    assert payments.parts_of(p) = (0, 0, 7000, 0)::payments.parts and not payments.in_ride_clearing(p), 'shared out: the platform pays';
    p := pg_temp.ride(8, 'accepted');
    assert payments.in_ride_clearing(p);
    perform pg_temp.ask('authenticated', pg_temp.person(8), 'taxi_update_ride_status', jsonb_build_object('rideId', p.purpose_id, 'status', 'cancelled', 'reason', 'rain'));
    assert payments.parts_of(p) = (7000, 0, 0, 0)::payments.parts and not payments.in_ride_clearing(p), 'in the customer''s wallet';
    perform pg_temp.stands();
end $$;

-- What was taken counts while it is pending, and no longer when it failed; what losses paid for another part is gone from that part.
do $$
declare
    p payments.payments := pg_temp.paid(10);
    r uuid;
begin
    insert into payments.payment_refunds (payment_id, amount, from_wallet, currency, reason, destination) values (p.id, 30000, 30000, 'GNF', 'test', 'original') returning id into r;
    assert payments.left_of(p) = (70000, 500, 0, 0)::payments.parts;
    update payments.payment_refunds set status = 'failed' where id = r;
    assert payments.left_of(p) = (100000, 500, 0, 0)::payments.parts;
    insert into payments.disputes (provider, dispute_id, payment_id, amount, currency, state, booked, from_wallet, from_losses)
    values ('stripe', 'd-1', p.id, 50000, 'GNF', 'lost', true, 10000, 40000);
    assert payments.left_of(p) = (50000, 500, 0, 0)::payments.parts, 'refunds and chargebacks share one cap';
    update payments.disputes set state = 'won';
    assert payments.total(payments.left_of(p)) = 100500;
    assert pg_temp.code(format('insert into payments.payment_refunds (payment_id, amount, from_wallet, currency, reason, destination)
        values (%L, 2, 1, ''GNF'', ''test'', ''wallet'')', p.id)) = '23514', 'a refund from nowhere';
    assert pg_temp.code(format('insert into payments.disputes (provider, dispute_id, payment_id, amount, currency, state)
        values (''stripe'', ''d-1'', %L, 1, ''GNF'', ''open'')', p.id)) = '23505';
end $$;

-- Nobody reads or writes these rows from outside.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['payment_refunds', 'disputes'] loop
            assert pg_temp.code(format('select from payments.%I', target)) = '42501' and pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        assert pg_temp.code('select payments.refund_finished(null, ''failed'')') = '42501';
        reset role;
    end loop;
end $$;
rollback;
