begin;
\ir lib/settlement.psql

-- Attaching says whether an event is waiting already, keeps what the provider gave, and hands back what to ask about.
do $$
declare
    p payments.payments := pg_temp.begun(11);
    q payments.payments := pg_temp.begun(11, '{"amount": 6000}');
    got jsonb;
begin
    assert not pg_temp.event(p, 'payment.success');
    assert pg_temp.attach(p) @> '{"status": "pending", "waiting_events": true}' and pg_temp.attach(q) @> '{"status": "pending", "waiting_events": false}';
    got := pg_temp.service('payment_attach', jsonb_build_object('payment_id', q.id, 'provider_payment_id', 'py_' || q.id, 'checkout_url', null,
        'environment', 'live', 'data', '{"pay_token": "t-1", "notif_token": "n-1", "number": 7}'::jsonb)) -> 'reference';
    assert got - 'exponents' = jsonb_build_object('as_of', now(), 'provider', 'moneroo', 'provider_payment_id', 'py_' || q.id, 'payment_id', q.id, 'amount', 6030, 'exponent', 0,
        'currency', 'GNF', 'data', '{"pay_token": "t-1"}'::jsonb), got::text;
    assert (select provider_data = '{"pay_token": "t-1", "notif_token": "n-1"}' and checkout_url is null from payments.payments where id = q.id);
    assert pg_temp.code(format('select pg_temp.service(''payment_attach'', %L)', jsonb_build_object('payment_id', q.id, 'provider_payment_id',
        'py_' || q.id, 'data', jsonb_build_object('long', repeat('x', 4097))))) = '23514';
    -- An attempt is marked only while it is nothing else yet.
    assert pg_temp.service('payment_mark', jsonb_build_object('payment_id', p.id, 'status', 'failed')) = '{"marked": false}' and pg_temp.now(p) = 'pending none';
    q := pg_temp.begun(11, '{"amount": 8000}');
    assert pg_temp.code(format('select pg_temp.service(''payment_mark'', ''{"payment_id": "%s", "status": "success"}'')', q.id)) = 'P0001';
    assert pg_temp.service('payment_mark', jsonb_build_object('payment_id', q.id, 'status', 'unknown')) = '{"marked": true}'
        and pg_temp.now(q) = 'unknown none' and pg_temp.says(q, 'success', pg_temp.intent(q)) = 'settled' and pg_temp.balance(11) = 8000;
end $$;

-- A payment that a search found gets its id once, while it has none; an id that is another row's is nobody's.
do $$
declare
    p payments.payments := pg_temp.begun(13, '{"provider": "stripe"}');
    q payments.payments := pg_temp.begun(13, '{"provider": "stripe", "amount": 5000}');
    got jsonb;
begin
    perform pg_temp.service('payment_mark', jsonb_build_object('payment_id', p.id, 'status', 'unknown'));
    got := pg_temp.service('payment_found', jsonb_build_object('payment_id', p.id, 'provider_payment_id', 'pi_1', 'environment', 'live'));
    assert got -> 'found' = 'true' and got -> 'reference' ->> 'provider_payment_id' = 'pi_1' and pg_temp.now(p) = 'unknown none', got::text;
    assert pg_temp.service('payment_found', jsonb_build_object('payment_id', p.id, 'provider_payment_id', 'pi_2', 'environment', 'live'))
        = '{"found": false, "reference": null}', 'the first answer stays';
    assert pg_temp.service('payment_found', jsonb_build_object('payment_id', q.id, 'provider_payment_id', 'pi_1', 'environment', 'live')) -> 'found' = 'false'
        and pg_temp.alerts('found_twice', q.id::text) = 1 and (select provider_payment_id is null from payments.payments where id = q.id);
    assert pg_temp.says(p, 'success', '{"provider": "stripe", "provider_payment_id": "pi_1"}') = 'settled' and pg_temp.balance(13) = 100000;
end $$;

-- An unsigned notification must show the token of this very payment: absent, null or another's is refused, and nothing is stored.
do $$
declare
    p payments.payments := pg_temp.begun(14, '{"provider": "orange_money"}');
    q payments.payments := pg_temp.begun(14, '{"provider": "orange_money", "amount": 5000}');
    notice jsonb := jsonb_build_object('provider', 'orange_money', 'dedupe_key', 'n-1', 'event', 'SUCCESS', 'subject', 'payment',
        'provider_payment_id', p.id, 'body', '{}', 'headers', '{}'::jsonb, 'known_event', true);
    forged text;
begin
    assert p.provider_payment_id = p.id::text and pg_temp.code(format('select pg_temp.service(''payment_event'', %L)', notice || '{"proof": null}')) = 'PGRST',
        'null never equals null';
    perform pg_temp.service('payment_attach', jsonb_build_object('payment_id', x.id, 'provider_payment_id', x.id, 'environment', 'live', 'checkout_url',
        'https://orange.test', 'data', jsonb_build_object('pay_token', 'p', 'notif_token', 'token-' || x.credit_amount))) from unnest(array[p, q]) x;
    foreach forged in array array['null', '""', '"token-5000"', '"TOKEN-100000"', '"token-100000 "', 'true'] loop
        assert pg_temp.code(format('select pg_temp.service(''payment_event'', %L)', notice || jsonb_build_object('proof', forged::jsonb))) = 'PGRST', forged;
    end loop;
    assert pg_temp.code(format('select pg_temp.service(''payment_event'', %L)', notice || '{"proof": "token-100000", "provider_payment_id": "nobody"}')) = 'PGRST';
    assert not exists (select from payments.event_keys where provider = 'orange_money'), 'a forged event was stored';
    notice := pg_temp.service('payment_event', notice || '{"proof": "token-100000"}');
    assert notice -> 'duplicate' = 'false' and notice -> 'reference' ->> 'payment_id' = p.id::text
        and notice -> 'reference' -> 'data' = '{"pay_token": "p"}', notice::text;
end $$;

-- An event is taken once, for ever, also when its month has been pruned; one we do not know is kept, with an alert.
do $$
declare
    p payments.payments := pg_temp.opened(12);
begin
    assert pg_temp.service('payment_event', jsonb_build_object('provider', 'moneroo', 'dedupe_key', 'o', 'event', 'customer.created', 'subject', 'other',
        'provider_payment_id', 'c_1', 'body', '{}', 'headers', '{}'::jsonb, 'known_event', true)) = '{"duplicate": false, "reference": null}';
    assert (select processed_at is not null and outcome = 'stored' from payments.payment_events where provider_payment_id = 'c_1'), 'nothing to ask about';
    assert not pg_temp.event(p, 'payment.success') and pg_temp.event(p, 'payment.success') and pg_temp.event(p, 'payment.success');
    assert (select count(*) from payments.payment_events where provider_payment_id = 'py_' || p.id) = 1;
    delete from payments.payment_events where provider_payment_id = 'py_' || p.id;
    assert pg_temp.event(p, 'payment.success'), 'forgotten with its month';
    assert not pg_temp.event(p, 'payment.disputed', false) and pg_temp.alerts('unknown_event', 'py_' || p.id) = 1;
    assert pg_temp.code(format('select pg_temp.service(''payment_event'', %L)', jsonb_build_object('provider', 'moneroo', 'dedupe_key', 'big', 'event', 'e',
        'provider_payment_id', 'x', 'body', repeat('x', 65537), 'headers', '{}', 'known_event', true))) = '23514';
    assert not exists (select from payments.event_keys where dedupe_key = 'big'), 'an event that was not stored must not look taken';
end $$;

-- What a provider has said is for the platform to hand in, never for a user; nobody writes these tables.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['attach', 'mark', 'event', 'found'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payment_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        foreach target in array array['payment_events', 'event_keys'] loop
            assert pg_temp.code(format('select from payments.%I', target)) = '42501' and pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        reset role;
    end loop;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
