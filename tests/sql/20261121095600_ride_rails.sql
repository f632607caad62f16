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

-- What the edge does next for a card or a phone.
create function pg_temp.begin(who uuid, ride uuid, provider text) returns jsonb language sql as $$
    select pg_temp.ask(who, 'payment_begin', jsonb_build_object('provider', provider, 'purpose', 'ride', 'purpose_id', ride, 'phone', '224660000001',
        'customer', '{"first_name": "N", "last_name": "D"}'::jsonb))
$$;

-- Provider money: settled once, shared when the ride is over; anything that no longer fits is surplus and posts nothing.
do $$
declare
    max uuid := pg_temp.person(13);
    ned uuid := pg_temp.driver(14, 1);
    r uuid := pg_temp.ride(max, ned, 'accepted');
    price bigint := (select price_total from taxi.trips where id = r);
    source uuid := ledger.platform_account('provider_clearing', 'GNF');
    clearing bigint := pg_temp.held('ride_clearing');
    moved bigint;
begin
    assert (select (p.amount, p.currency) = (price, 'GNF') from taxi.ride_payable(r, max) p);
    moved := (select count(*) from ledger.transactions);
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price - 1, 'GNF', source) = 'surplus';
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price, 'XOF', source) = 'surplus';
    assert taxi.ride_settle(gen_random_uuid(), gen_random_uuid(), 'moneroo', price, 'GNF', source) = 'surplus';
    assert (select count(*) from ledger.transactions) = moved, 'a surplus was posted';
    assert pg_temp.pay(max, r, 'cash') = 'ok';
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price, 'GNF', source) = 'settled', 'pending cash gives way';
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price, 'GNF', source) = 'surplus', 'a second payment';
    assert pg_temp.held('ride_clearing') = clearing + price;
    assert (select payment_status = 'paid' and payment_method = 'moneroo' from taxi.trips where id = r);
    perform pg_temp.ask(ned, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', s))
       from unnest(array['picked_up', 'in_progress', 'completed']) s;
    assert pg_temp.balance(ned) = core.bps(price, 8500) and pg_temp.held('ride_clearing') = clearing;
    r := pg_temp.ride(max, ned, 'completed');
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price, 'GNF', source) = 'settled';
    assert pg_temp.balance(ned) = 2 * core.bps(price, 8500) and pg_temp.held('ride_clearing') = clearing;
    r := pg_temp.ride(max, ned, 'accepted');
    perform pg_temp.ask(max, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'cancelled', 'reason', 'rain'));
    assert taxi.ride_settle(r, gen_random_uuid(), 'moneroo', price, 'GNF', source) = 'surplus', 'a cancelled ride';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- A card or a phone: noted as processing, and completed by the settlement of the payment that is linked to it, under its method.
do $$
declare
    nia uuid := pg_temp.person(21);
    oki uuid := pg_temp.driver(22, 1);
    r uuid := pg_temp.ride(nia, oki, 'accepted');
    source uuid := ledger.platform_account('provider_clearing', 'GNF');
    method text;
    provider text;
    asked jsonb;
    reply jsonb;
    p uuid;
    late uuid;
begin
    for method, provider in values ('card', 'stripe'), ('orange_money', 'orange_money'), ('mtn_money', 'mtn_momo') loop
        asked := jsonb_build_object('rideId', r, 'paymentMethod', method, 'idempotencyKey', 'nia-' || method);
        reply := pg_temp.ask(nia, 'taxi_payment', asked);
        assert reply -> 'payment' = jsonb_build_object('success', true, 'method', method, 'status', 'processing') and not reply ? 'duplicate', reply;
        assert pg_temp.ask(nia, 'taxi_payment', asked) = reply || '{"duplicate": true}', 'the same key';
        assert (select payment_status = 'processing' and payment_method = method from taxi.trips where id = r);
        -- Nobody was asked yet: another way may take its place. From the payment's beginning on it may not.
        assert method <> 'card' or pg_temp.pay(nia, r, 'cash') = 'ok' and pg_temp.pay(nia, r, 'card', '{"idempotencyKey": "nia-card"}') = 'ok';
        p := (pg_temp.begin(nia, r, provider) -> 'payment' ->> 'id')::uuid;
        assert pg_temp.pay(nia, r, 'wallet') = 'PAYMENT_IN_PROGRESS' and pg_temp.pay(nia, r, 'cash') = 'PAYMENT_IN_PROGRESS';
        assert pg_temp.ask(nia, 'taxi_payment', asked || '{"idempotencyKey": "another-key"}') ->> 'duplicate' = 'true', 'two keys, one payment';
        assert pg_temp.pay(nia, r, case method when 'card' then 'mtn_money' else 'card' end) = 'PAYMENT_IN_PROGRESS';
        perform taxi.provider_payment_ended(r, gen_random_uuid());
        assert (select status from taxi.transactions where ride_id = r and provider_tx_id = p::text) = 'processing', 'another payment''s end';
        exit when method = 'mtn_money';
        perform taxi.provider_payment_ended(r, p);
        assert (select string_agg(status, ',') from taxi.transactions where ride_id = r and provider_tx_id = p::text) = 'failed';
        assert (select payment_status from taxi.trips where id = r) = 'failed';
        assert pg_temp.ask(nia, 'taxi_payment', asked) -> 'payment' ->> 'status' = 'processing', 'the same key tries again';
        update taxi.transactions set status = 'failed' where ride_id = r and status = 'processing';
        update payments.payments set status = 'failed' where id = p;
        late := p;
    end loop;
    assert taxi.ride_settle(r, p, 'mtn_momo', (select price_total from taxi.trips where id = r), 'GNF', source) = 'settled';
    assert (select payment_status = 'paid' and payment_method = 'mtn_money' from taxi.trips where id = r);
    assert (select string_agg(payment_method || ' ' || payment_provider, ',') from taxi.transactions where ride_id = r and status = 'completed') = 'mtn_money mtn_momo';
    assert taxi.ride_settle(r, late, 'orange_money', (select price_total from taxi.trips where id = r), 'GNF', source) = 'surplus', 'a late success of an earlier attempt';
    assert pg_temp.pay(nia, r, 'mtn_money') = 'ok' and pg_temp.pay(nia, r, 'card') = 'ALREADY_PAID';
end $$;

-- Cancelled while the provider is asked: nothing waits any more, and a late success is surplus. A failed attempt that is paid after all counts.
do $$
declare
    pia uuid := pg_temp.person(23);
    quy uuid := pg_temp.driver(24, 1);
    r uuid := pg_temp.ride(pia, quy, 'accepted');
    price bigint := (select price_total from taxi.trips where id = r);
    source uuid := ledger.platform_account('provider_clearing', 'GNF');
    p uuid;
begin
    assert pg_temp.pay(pia, r, 'card') = 'ok';
    p := (pg_temp.begin(pia, r, 'stripe') -> 'payment' ->> 'id')::uuid;
    perform pg_temp.ask(pia, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'cancelled', 'reason', 'rain'));
    assert (select status from taxi.transactions where ride_id = r) = 'failed' and (select payment_status from taxi.trips where id = r) = 'failed';
    assert taxi.ride_settle(r, p, 'stripe', price, 'GNF', source) = 'surplus' and pg_temp.pay(pia, r, 'card') = 'RIDE_NOT_PAYABLE';
    r := pg_temp.ride(pia, quy, 'completed');
    assert pg_temp.pay(pia, r, 'card') = 'ok';
    p := (pg_temp.begin(pia, r, 'stripe') -> 'payment' ->> 'id')::uuid;
    perform taxi.provider_payment_ended(r, p);
    assert taxi.ride_settle(r, p, 'stripe', price, 'GNF', source) = 'settled' and pg_temp.balance(quy) = core.bps(price, 8500);
    assert (select payment_method from taxi.trips where id = r) = 'card';
    r := pg_temp.ride(pia, quy, 'completed');
    assert taxi.ride_settle(r, gen_random_uuid(), 'wave', price, 'GNF', source) = 'settled';
    assert (select payment_method from taxi.trips where id = r) = 'online';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- What can be paid through a provider: the own ride, unpaid, with something due.
do $$
declare
    max uuid := '00000000-0000-4000-8000-000000000013';
    line record;
begin
    for line in
        select t.id, t.status, x.who, x.code from taxi.trips t,
               lateral (values (max, case t.status when 'cancelled' then 'NOT_PAYABLE' else 'ALREADY_PAID' end),
                   ('00000000-0000-4000-8000-000000000012', 'NOT_FOUND')) as x (who, code) where t.customer_id = max
    loop
        begin
            perform taxi.ride_payable(line.id, line.who::uuid);
            assert false, line.status || ' is payable';
        exception when sqlstate 'PGRST' then assert sqlerrm::jsonb ->> 'code' = line.code, sqlerrm;
        end;
    end loop;
    assert not has_function_privilege('authenticated', 'taxi.ride_settle(uuid, uuid, text, bigint, text, uuid)', 'execute');
    assert not has_function_privilege('anon', 'api.taxi_payment(jsonb)', 'execute');
end $$;
rollback;
