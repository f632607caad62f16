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
      from jsonb_array_elements(pg_temp.service('payment_sweep', '{}') -> 'due') d
$$;

-- The exact amount settles a deposit once: wallet, fee and clearing in one movement; repeats and late failures change nothing.
do $$
declare
    p payments.payments := pg_temp.opened(1);
begin
    assert pg_temp.says(p, 'pending') = 'open' and pg_temp.says(p, 'something new') = 'open' and pg_temp.balance(1) = 0, 'a hint is no money';
    assert pg_temp.says(p) = 'settled' and pg_temp.now(p) = 'success settled 100500';
    assert pg_temp.balance(1) = 100000 and pg_temp.platform('platform_fees') = 500 and pg_temp.platform('provider_clearing') = -100500;
    assert pg_temp.says(p) = 'already' and pg_temp.says(p, 'failed') = 'already' and pg_temp.says(p, 'pending') = 'already';
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
        assert pg_temp.says(p, 'pending') = 'open' and pg_temp.now(p) = ended || ' none', 'only forward';
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
    -- Attaching says whether an event is waiting already; an attempt is marked only while it is nothing else yet.
    p := pg_temp.begun(11);
    q := pg_temp.begun(11, '{"amount": 6000}');
    assert pg_temp.balance(10) = 107000 and not pg_temp.event(p, 'payment.success');
    assert pg_temp.attach(p) = '{"status": "pending", "waiting_events": true}' and pg_temp.attach(q) = '{"status": "pending", "waiting_events": false}';
    assert pg_temp.service('payment_mark', jsonb_build_object('payment_id', p.id, 'status', 'failed')) = '{"marked": false}' and pg_temp.now(p) = 'pending none';
    q := pg_temp.begun(11, '{"amount": 8000}');
    assert pg_temp.code(format('select pg_temp.service(''payment_mark'', ''{"payment_id": "%s", "status": "success"}'')', q.id)) = 'P0001';
    assert pg_temp.service('payment_mark', jsonb_build_object('payment_id', q.id, 'status', 'unknown')) = '{"marked": true}'
        and pg_temp.now(q) = 'unknown none' and pg_temp.says(q, 'success', pg_temp.intent(q)) = 'settled' and pg_temp.balance(11) = 8000;
end $$;

-- An event is taken once, for ever, also when its month has been pruned; one we do not know is kept, with an alert.
do $$
declare
    p payments.payments := pg_temp.opened(12);
begin
    assert not pg_temp.event(p, 'payment.success') and pg_temp.event(p, 'payment.success') and pg_temp.event(p, 'payment.success');
    assert (select count(*) from payments.payment_events where provider_payment_id = 'py_' || p.id) = 1;
    delete from payments.payment_events where provider_payment_id = 'py_' || p.id;
    assert pg_temp.event(p, 'payment.success'), 'forgotten with its month';
    assert not pg_temp.event(p, 'payment.disputed', false) and pg_temp.alerts('unknown_event', 'py_' || p.id) = 1;
    assert pg_temp.code(format('select pg_temp.service(''payment_event'', %L)', jsonb_build_object('provider', 'moneroo', 'dedupe_key', 'big', 'event', 'e',
        'provider_payment_id', 'x', 'body', repeat('x', 65537), 'headers', '{}', 'known_event', true))) = '23514';
    assert not exists (select from payments.event_keys where dedupe_key = 'big'), 'an event that was not stored must not look taken';
end $$;

-- The sweep claims what is due, leases it, and asks ever later: 5 minutes, 1, 6, 24 hours; then an open payment has expired.
do $$
declare
    p payments.payments;
    silent payments.payments;
    lost payments.payments;
    due text;
begin
    update payments.payments set next_check_at = null;
    update payments.payment_events set processed_at = now();
    p := pg_temp.opened(13);
    silent := pg_temp.opened(14);
    lost := pg_temp.begun(14, '{"amount": 9000}');
    due := 'py_' || p.id;
    assert pg_temp.sweep() = '', 'not yet';
    for check_no in 1 .. 4 loop
        delete from payments.provider_calls;
        update payments.payments set next_check_at = now() where id = p.id;
        assert pg_temp.sweep() = due;
        delete from payments.provider_calls;
        assert pg_temp.sweep() = '', 'another sweeper claimed the same row';
        assert (select next_check_at - created_at from payments.payments where id = p.id)
            = (array[interval '1 hour', '6 hours', '24 hours', '24 hours'])[check_no];
        assert pg_temp.says(p, 'pending') = 'open';
    end loop;
    assert pg_temp.now(p) = 'expired none' and (select next_check_at is null from payments.payments where id = p.id);
    assert pg_temp.says(p) = 'settled' and pg_temp.balance(13) = 100000, 'its webhook still counts';
    -- A provider that never answers is asked ever more rarely; no id at all makes a payment unknown, and a day later expired.
    update payments.payments set created_at = now() - interval '3 days', checks = 9, next_check_at = now() where id = silent.id;
    delete from payments.provider_calls;
    assert pg_temp.sweep() = 'py_' || silent.id and pg_temp.now(silent) = 'pending none';
    assert (select next_check_at - now() from payments.payments where id = silent.id) = interval '5 minutes' * 64;
    update payments.payments set next_check_at = now() where id = lost.id;
    assert pg_temp.sweep() = '' and pg_temp.now(lost) = 'unknown none', 'there is no id to ask about';
    update payments.payments set created_at = now() - interval '25 hours', next_check_at = now() where id = lost.id;
    assert pg_temp.sweep() = '' and pg_temp.now(lost) = 'expired none' and pg_temp.says(lost, 'success', pg_temp.intent(lost)) = 'settled';
end $$;

-- The provider's minute is shared by all sweepers; an event that fails ten times is put away where people see it, others go on.
do $$
declare
    poison payments.payments := pg_temp.begun(15);
    fine payments.payments := pg_temp.opened(16);
begin
    assert not pg_temp.event(poison, 'payment.success') and not pg_temp.event(fine, 'payment.success');
    for try in 1 .. 10 loop
        delete from payments.provider_calls;
        update payments.payment_events set next_attempt_at = now() where processed_at is null;
        assert pg_temp.sweep() like '%' || poison.id || '%', 'attempt ' || try;
        assert pg_temp.says(poison) = 'orphan';
        assert try > 1 or pg_temp.says(fine) = 'settled' and pg_temp.outcome(fine) = 'settled';
    end loop;
    assert pg_temp.outcome(poison) = 'dead_letter' and pg_temp.alerts('dead_letter', 'py_' || poison.id) = 1;
    update payments.provider_calls set calls = 59;
    update payments.payments set next_check_at = now() where id in (select (pg_temp.opened(17, jsonb_build_object('amount', 2000 + n))).id from generate_series(1, 3) n);
    update payments.payments set next_check_at = now() where user_id = pg_temp.person(17);
    assert pg_temp.sweep() ~ '^py_[^,]+$' and pg_temp.sweep() = '', 'one call was left in this minute';
end $$;

-- What a provider has said is for the platform to hand in, never for a user; nobody writes these tables.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['attach', 'mark', 'event', 'settle', 'sweep'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payment_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        assert pg_temp.code('select payments.put_aside(null, 1, ''x'')') = '42501' and pg_temp.code('select payments.fulfil(null, 1)') = '42501';
        foreach target in array array['payment_events', 'event_keys', 'provider_calls'] loop
            assert pg_temp.code(format('select from payments.%I', target)) = '42501' and pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        reset role;
    end loop;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
