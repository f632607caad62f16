begin;
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when others then
    return sqlstate;
end $$;
create function pg_temp.person(n integer) returns uuid language sql as $$
    insert into auth.users (id, email, raw_user_meta_data) values (('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid,
        'p' || n || '@settlement.test', '{"first_name": "Awa", "last_name": "Diallo"}') on conflict do nothing;
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.ask(door text, who uuid, fn text, ask jsonb) returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('sub', who, 'role', door))::text, true);
    perform set_config('role', door, true);
    execute format('select api.%I($1)', fn) into answer using ask;
    perform set_config('role', 'none', true);
    return answer;
end $$;
create function pg_temp.service(fn text, ask jsonb) returns jsonb language sql as $$ select pg_temp.ask('service_role', null, fn, ask) $$;
-- A payment of person n that was begun: a deposit of 100 000 (100 500 due) unless said otherwise.
create function pg_temp.begun(n integer, more jsonb default '{}') returns payments.payments language plpgsql as $$
declare
    made uuid := (pg_temp.ask('authenticated', pg_temp.person(n), 'payment_begin', '{"provider": "moneroo", "purpose": "wallet_deposit",
        "amount": 100000}' || more) -> 'payment' ->> 'id')::uuid;
begin
    return p from payments.payments p where p.id = made;
end $$;
create function pg_temp.attach(p payments.payments) returns jsonb language sql as $$
    select pg_temp.service('payment_attach', jsonb_build_object('payment_id', p.id, 'provider_payment_id', 'py_' || p.id,
        'checkout_url', 'https://checkout.test/' || p.id, 'environment', 'live'))
$$;
-- The same with the provider's id on it; then what the provider answers about it: the outcome.
create function pg_temp.opened(n integer, more jsonb default '{}') returns payments.payments language plpgsql as $$
declare
    made payments.payments := pg_temp.begun(n, more);
begin
    perform pg_temp.attach(made);
    return p from payments.payments p where p.id = made.id;
end $$;
create function pg_temp.says(p payments.payments, status text default 'success', more jsonb default '{}') returns text language sql as $$
    select pg_temp.service('payment_settle', jsonb_build_object('provider', 'moneroo', 'provider_payment_id', 'py_' || p.id, 'status', status,
        'amount', p.amount_due, 'currency', p.currency, 'environment', 'live', 'expected_environment', 'live', 'intent', null) || more) ->> 'outcome'
$$;
create function pg_temp.intent(p payments.payments) returns jsonb language sql
    return jsonb_build_object('intent', jsonb_build_object('payment_id', p.id, 'attempt', p.attempt));
create function pg_temp.now(p payments.payments) returns text language sql
    return (select status || ' ' || settlement || coalesce(' ' || verified_amount, '') from payments.payments x where x.id = p.id);
create function pg_temp.balance(n integer, cur text default 'GNF') returns bigint language sql
    return coalesce((select balance from ledger.wallets where user_id = pg_temp.person(n) and currency = cur), 0);
create function pg_temp.platform(kind text, cur text default 'GNF') returns bigint language sql
    return (select coalesce(sum(e.amount), 0)::bigint from ledger.entries e where e.account_id = ledger.platform_account(kind, cur));
create function pg_temp.alerts(kind text, target text) returns bigint language sql
    return (select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = kind and payload ->> 'target' = target);
create function pg_temp.event(p payments.payments, event text, known boolean default true) returns boolean language sql
    return (pg_temp.service('payment_event', jsonb_build_object('provider', 'moneroo', 'dedupe_key', event || ':py_' || p.id, 'event', event,
        'provider_payment_id', 'py_' || p.id, 'body', '{}', 'headers', '{}'::jsonb, 'known_event', known)) ->> 'duplicate')::boolean;
create function pg_temp.outcome(p payments.payments) returns text language sql as $$
    select string_agg(outcome || case when processed_at is null then ' open' else '' end, ',') from payments.payment_events where provider_payment_id = 'py_' || p.id
$$;
-- What the sweep claims when a payment or an event has become due.
create function pg_temp.sweep() returns text language sql as $$
    select coalesce(string_agg(d ->> 'provider_payment_id', ',' order by d ->> 'provider_payment_id'), '')
      from jsonb_array_elements(pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payments') d
$$;

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
