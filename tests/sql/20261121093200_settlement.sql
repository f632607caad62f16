begin;
\ir lib/settlement.psql

-- The exact amount settles a deposit once: wallet, fee and clearing in one movement; repeats and late failures change nothing.
do $$
declare
    p payments.payments := pg_temp.opened(1);
begin
    assert pg_temp.says(p, 'pending') = 'open' and pg_temp.says(p, 'odd', '{"environment": "sandbox"}') = 'wrong_environment';
    assert pg_temp.alerts('unknown_status', p.id::text) = 0, 'another environment says nothing';
    assert pg_temp.says(p, 'odd') = 'open' and pg_temp.says(p, 'odd') = 'open' and pg_temp.now(p) = 'pending none' and pg_temp.balance(1) = 0, 'a hint is no money';
    assert (select count(*) from core.outbox where payload = jsonb_build_object('type', 'unknown_status', 'target', p.id, 'provider', 'moneroo')) = 1, 'reported once';
    assert pg_temp.says(p) = 'settled' and pg_temp.now(p) = 'success settled 100500';
    assert pg_temp.balance(1) = 100000 and pg_temp.platform('platform_fees') = 500 and pg_temp.platform('provider_clearing') = -100500;
    assert pg_temp.says(p) = 'already' and pg_temp.says(p, 'failed') = 'already' and pg_temp.says(p, 'pending') = 'already' and pg_temp.says(p, 'odd') = 'already';
    assert pg_temp.says(p, 'success', '{"amount": 999999}') = 'already', 'a second truth changes nothing';
    assert pg_temp.now(p) = 'success settled 100500' and pg_temp.balance(1) = 100000 and pg_temp.alerts('late_failure', p.id::text) = 1;
    assert (select next_check_at is null and verified_at is not null from payments.payments where id = p.id)
        and (select count(*) from core.audit_logs where target_id = p.id::text) = 1;
    assert (select count(*) from core.outbox where dedupe_key = 'wallet_credited:' || p.id) = 1;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- Too little goes to suspense whole, too much is the payer's, another currency is put aside in that currency.
do $$
declare
    low payments.payments := pg_temp.opened(2);
    high payments.payments := pg_temp.opened(3);
    other payments.payments := pg_temp.opened(4);
    odd payments.payments := pg_temp.opened(4, '{"amount": 100001}');
begin
    assert pg_temp.says(low, 'success', '{"amount": 100499}') = 'underpaid' and pg_temp.now(low) = 'success underpaid 100499';
    assert pg_temp.balance(2) = 0 and pg_temp.platform('suspense') = 100499 and pg_temp.alerts('money_in_suspense', low.id::text) = 1;
    assert pg_temp.says(low) = 'already', 'the rest cannot be paid by saying more';
    assert pg_temp.says(high, 'success', '{"amount": 100501}') = 'overpaid' and pg_temp.balance(3) = 100001;
    assert pg_temp.says(other, 'success', '{"amount": 100500, "currency": "XOF"}') = 'underpaid' and pg_temp.balance(4) = 0;
    assert pg_temp.platform('suspense', 'XOF') = 100500 and pg_temp.platform('suspense') = 100499 and pg_temp.platform('provider_clearing', 'XOF') = -100500;
    assert pg_temp.says(odd, 'success', '{"currency": "ZZZ"}') = 'unreadable' and pg_temp.says(odd, 'success', '{"amount": null}') = 'unreadable';
    assert pg_temp.says(odd, 'success', '{"amount": 0}') = 'unreadable' and pg_temp.says(odd, 'success', '{"amount": -100500}') = 'unreadable';
    assert pg_temp.now(odd) = 'pending none' and pg_temp.alerts('unreadable_amount', odd.id::text) = 1 and pg_temp.says(odd) = 'settled', 'it stays payable';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- A sandbox success never counts in production, nor the other way round, nor one that does not say.
do $$
declare
    p payments.payments := pg_temp.opened(5);
    lost payments.payments := pg_temp.begun(5, '{"amount": 5000}');
begin
    assert pg_temp.says(p, 'success', '{"environment": "sandbox"}') = 'wrong_environment' and pg_temp.says(p, 'success', '{"environment": null}') = 'wrong_environment';
    assert pg_temp.says(p, 'failed', '{"environment": "sandbox"}') = 'wrong_environment' and pg_temp.now(p) = 'pending none';
    assert pg_temp.alerts('wrong_environment', p.id::text) = 1 and pg_temp.balance(5) = 0;
    assert pg_temp.says(lost, 'success', pg_temp.intent(lost) || '{"environment": "sandbox"}') = 'orphan', 'a sandbox payment was adopted';
    assert pg_temp.says(p) = 'settled' and pg_temp.balance(5) = 100000;
end $$;

-- A payment that ended otherwise and is paid after all is real money: credited, with an alert. Success never goes back.
do $$
declare
    p payments.payments;
    ended text;
begin
    foreach ended in array array['failed', 'cancelled', 'expired'] loop
        p := pg_temp.opened(6);
        assert ended = 'expired' or pg_temp.says(p, ended) = ended;
        update payments.payments set status = ended where id = p.id;
        assert pg_temp.says(p, 'pending') = 'open' and pg_temp.says(p, 'odd') = 'open' and pg_temp.now(p) = ended || ' none', 'only forward';
        assert pg_temp.says(p, 'failed') = 'failed' and pg_temp.now(p) = ended || ' none';
        assert pg_temp.says(p) = 'settled' and pg_temp.alerts('late_success', p.id::text) = 1;
        assert pg_temp.says(p, ended) = 'already' and pg_temp.now(p) = 'success settled 100500';
    end loop;
    assert pg_temp.balance(6) = 300000;
end $$;

-- A blocked or closed wallet is not credited and its owner's money is not lost: suspense.
do $$
declare
    p payments.payments := pg_temp.opened(7);
    q payments.payments := pg_temp.opened(7, '{"amount": 2000}');
    held bigint := pg_temp.platform('suspense');
begin
    update ledger.wallets set status = 'blocked' where user_id = p.user_id;
    assert pg_temp.says(p) = 'surplus' and pg_temp.balance(7) = 0 and pg_temp.platform('suspense') = held + 100500;
    update ledger.wallets set status = 'closed' where user_id = p.user_id;
    assert pg_temp.says(q, 'success', '{"amount": 3000}') = 'surplus' and pg_temp.platform('suspense') = held + 103500;
    update ledger.wallets set status = 'active' where user_id = p.user_id;
    assert pg_temp.says(p) = 'already' and pg_temp.balance(7) = 0, 'released by a person, not by repeating';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- A plan is bought once: the second payment of it is the payer's own money again, in his wallet of that currency.
do $$
declare
    plan jsonb := '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}';
    first payments.payments := pg_temp.opened(8, plan);
    second payments.payments;
    got payments.paid_entitlements;
begin
    update payments.payments set created_at = now() - interval '31 minutes' where id = first.id;
    second := pg_temp.opened(8, plan);
    assert second.id <> first.id and second.purpose_id = first.purpose_id;
    assert pg_temp.says(first) = 'settled' and pg_temp.balance(8, 'XAF') = 0 and pg_temp.platform('platform_fees', 'XAF') = 15000, 'the older attempt counts too';
    select * into got from payments.paid_entitlements where id = first.purpose_id;
    assert got.status = 'active' and got.payment_id = first.id and got.expires_at between now() + interval '29 days' and now() + interval '31 days';
    assert pg_temp.says(second) = 'surplus' and pg_temp.balance(8, 'XAF') = 15000 and pg_temp.says(second) = 'already';
    assert (select expires_at = got.expires_at and payment_id = first.id from payments.paid_entitlements where id = got.id), 'extended by a surplus';
    first := pg_temp.opened(9);   -- A ride that is not there cannot be fulfilled either.
    update payments.payments set purpose = 'ride', purpose_id = gen_random_uuid() where id = first.id;
    assert pg_temp.says(first) = 'surplus' and pg_temp.balance(9) = 100500;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;

-- An unknown id is an orphan. It is adopted by the intent of a checked tag alone, when attempt, amount and currency agree, once.
do $$
declare
    p payments.payments := pg_temp.begun(10);
    q payments.payments := pg_temp.opened(10, '{"amount": 7000}');
    tag jsonb := pg_temp.intent(p);
begin
    assert pg_temp.event(p, 'payment.success') = false;
    assert pg_temp.says(p) = 'orphan' and pg_temp.balance(10) = 0 and pg_temp.outcome(p) = 'orphan open' and pg_temp.alerts('orphan_payment', 'py_' || p.id) = 1;
    assert pg_temp.says(p, 'success', tag || '{"amount": 100499}') = 'orphan', 'a lower amount';
    assert pg_temp.says(p, 'success', tag || '{"currency": "XOF"}') = 'orphan' and pg_temp.says(p, 'success', tag || '{"provider": "stripe"}') = 'orphan';
    assert pg_temp.says(p, 'success', jsonb_build_object('intent', jsonb_build_object('payment_id', p.id, 'attempt', 2))) = 'orphan';
    assert pg_temp.says(q, 'success', tag) = 'settled' and pg_temp.balance(10) = 7000, 'a known id is not led elsewhere by a tag';
    update payments.payments set status = 'unknown' where id = p.id;
    assert pg_temp.says(p, 'success', tag) = 'settled' and pg_temp.balance(10) = 107000 and pg_temp.outcome(p) = 'settled';
    assert pg_temp.says(p, 'success', tag) = 'already' and pg_temp.says(p, 'success', tag || '{"provider_payment_id": "py_second"}') = 'orphan';
    assert pg_temp.attach(p) ->> 'status' = 'success', 'the answer of initialize, coming after its webhook, changes nothing';
    assert pg_temp.code(format('select pg_temp.service(''payment_attach'', ''{"payment_id": "%s", "provider_payment_id": "py_x"}'')', p.id)) = 'P0001';
end $$;

-- What a provider counts in hundredths settles in our units; a part of a unit is unreadable and credits nothing.
do $$
declare
    p payments.payments := pg_temp.begun(17, '{"provider": "paystack", "currency": "XOF", "amount": 5000}');
    ours jsonb := jsonb_build_object('provider', 'paystack', 'provider_payment_id', p.id);
begin
    assert pg_temp.says(p, 'success', ours || '{"amount": 502550}') = 'unreadable' and pg_temp.balance(17, 'XOF') = 0, 'half a franc';
    assert pg_temp.says(p, 'success', ours || '{"amount": 502500, "environment": "sandbox"}') = 'wrong_environment';
    assert pg_temp.says(p, 'success', ours || '{"amount": 502500}') = 'settled' and pg_temp.balance(17, 'XOF') = 5000, 'found by our own id, never attached';
    assert pg_temp.now(p) = 'success settled 5025' and (select verified_currency || environment from payments.payments where id = p.id) = 'XOFlive';
    p := pg_temp.begun(18, '{"provider": "stripe", "purpose": "wallet_deposit", "currency": "XOF", "amount": 1000}');
    assert pg_temp.says(p, 'success', pg_temp.intent(p) || '{"provider": "stripe", "provider_payment_id": "pi_9", "amount": 100500}') = 'orphan', 'a hundred times too much';
    assert pg_temp.says(p, 'success', pg_temp.intent(p) || '{"provider": "stripe", "provider_payment_id": "pi_9", "amount": 1005}') = 'settled';
end $$;

-- When the provider of a ride's payment says no, the attempt that waited for it has failed; of another payment it says nothing.
do $$
declare
    p payments.payments;
    ride uuid;
    ended text;
begin
    insert into taxi.drivers (user_id) values (pg_temp.person(19));
    foreach ended in array array['failed', 'cancelled', 'expired', 'refused'] loop
        insert into taxi.trips (customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
            surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, status, search_radius_m)
        select pg_temp.person(20), d.id, 'moto', 9.5, -13.7, 9.6, -13.7, 1000, 100, false, 100, 7000, 0, 0, 7000, 5950, 1050, 8500, 'GNF', 'completed', 5000
          from taxi.drivers d where d.user_id = pg_temp.person(19) returning id into ride;
        perform pg_temp.ask('authenticated', pg_temp.person(20), 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', 'card'));
        p := pg_temp.begun(20, jsonb_build_object('provider', 'stripe', 'purpose', 'ride', 'purpose_id', ride, 'amount', null));
        assert (select provider_tx_id = p.id::text and payment_provider = 'stripe' from taxi.transactions where ride_id = ride);
        if ended = 'refused' then
            perform pg_temp.service('payment_mark', jsonb_build_object('payment_id', p.id, 'status', 'failed'));
        else
            perform pg_temp.service('payment_found', jsonb_build_object('payment_id', p.id, 'provider_payment_id', 'py_' || p.id, 'environment', 'live'));
            update payments.payments set checks = 4 where id = p.id;
            perform pg_temp.says(p, case ended when 'expired' then 'pending' else ended end, '{"provider": "stripe"}');
        end if;
        assert (select status from taxi.transactions where ride_id = ride) = 'failed' and (select payment_status from taxi.trips where id = ride) = 'failed', ended;
    end loop;
    assert pg_temp.says(p, 'success', pg_temp.intent(p) || '{"provider": "stripe"}') = 'settled' and pg_temp.alerts('late_success', p.id::text) = 1,
        'refused at the start, and its money has come under our tag all the same';
end $$;

-- Money under our tag is adopted whatever we had given up; too little of it for a ride frees the ride for another way to pay.
do $$
declare
    p payments.payments;
    ride uuid;
    given_up text;
begin
    foreach given_up in array array['failed', 'cancelled', 'expired'] loop
        p := pg_temp.begun(21);
        update payments.payments set status = given_up, next_check_at = null where id = p.id;
        assert pg_temp.says(p, 'success', '{"intent": null}') = 'orphan' and pg_temp.says(p, 'success', pg_temp.intent(p)) = 'settled', given_up;
    end loop;
    assert pg_temp.balance(21) = 300000;
    insert into taxi.trips (customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
        surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, status, search_radius_m)
    select pg_temp.person(22), d.id, 'moto', 9.5, -13.7, 9.6, -13.7, 1000, 100, false, 100, 7000, 0, 0, 7000, 5950, 1050, 8500, 'GNF', 'completed', 5000
      from taxi.drivers d where d.user_id = pg_temp.person(19) returning id into ride;
    perform pg_temp.ask('authenticated', pg_temp.person(22), 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', 'card'));
    p := pg_temp.begun(22, jsonb_build_object('provider', 'stripe', 'purpose', 'ride', 'purpose_id', ride, 'amount', null));
    assert pg_temp.says(p, 'success', pg_temp.intent(p) || '{"provider": "stripe", "amount": 6999}') = 'orphan', 'the tag is of another amount';
    perform pg_temp.service('payment_found', jsonb_build_object('payment_id', p.id, 'provider_payment_id', 'py_' || p.id, 'environment', 'live'));
    assert pg_temp.says(p, 'success', '{"provider": "stripe", "amount": 6999}') = 'underpaid';
    assert (select payment_status from taxi.trips where id = ride) = 'failed';
    assert pg_temp.ask('authenticated', pg_temp.person(22), 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', 'cash')) ->> 'success' = 'true';
end $$;

-- An answer settles what was heard before its question. What was heard since may be news to it, and is asked about by the sweep.
do $$
declare
    p payments.payments := pg_temp.opened(23);
begin
    perform pg_temp.event(p, 'payment.success');
    assert pg_temp.says(p, 'success', jsonb_build_object('as_of', now() - interval '1 second')) = 'settled' and pg_temp.outcome(p) is null;
    assert exists (select from payments.payment_events where provider_payment_id = 'py_' || p.id and processed_at is null);
    assert pg_temp.says(p, 'success', jsonb_build_object('as_of', now())) = 'already' and pg_temp.outcome(p) = 'already';
end $$;

-- What a provider has said is for the platform to hand in, never for a user; nobody writes these tables.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['settle'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payment_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        assert pg_temp.code('select payments.put_aside(null, 1, ''x'')') = '42501' and pg_temp.code('select payments.fulfil(null, 1)') = '42501';
        reset role;
    end loop;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
