begin;
\ir lib/settlement.psql

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
    assert pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payments' -> 0 @> jsonb_build_object('lost', true, 'payment_id', lost.id,
        'provider_payment_id', null, 'amount', 9045), 'searched for a last time';
    assert pg_temp.now(lost) = 'expired none' and pg_temp.sweep() = '' and pg_temp.says(lost, 'success', pg_temp.intent(lost)) = 'settled';
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

-- Each provider has its own minute, and only those with keys are asked; one that is busy does not starve the others.
do $$
declare
    got jsonb;
begin
    delete from payments.provider_calls;
    update payments.payments set next_check_at = null;
    update payments.payment_events set processed_at = now() where processed_at is null;
    perform pg_temp.begun(21, jsonb_build_object('provider', p.name, 'currency', 'XOF', 'amount', 1000 + 1000 * n))
       from (values ('moneroo'), ('paystack'), ('wave')) as p (name), generate_series(1, 3) n;
    update payments.payments set next_check_at = now() - interval '1 second' where user_id = pg_temp.person(21);
    update payments.providers set calls_per_minute = 2 where name = 'paystack';
    assert pg_temp.service('payment_sweep', '{}') = '{"payments": [], "payouts": []}', 'no keys, no claims';
    got := pg_temp.service('payment_sweep', '{"providers": ["paystack", "wave", "nobody"]}') -> 'payments';
    assert (select string_agg(g.of, ' ' order by g.of) from (select (d ->> 'provider') || count(*) || bool_and((d ->> 'lost')::boolean) as of
        from jsonb_array_elements(got) d group by d ->> 'provider') g) = 'paystack2false wave3true', got::text;
    assert pg_temp.service('payment_sweep', '{"providers": ["paystack", "wave"]}') -> 'payments' = '[]', 'the minute is used up';
    assert (select string_agg(provider || calls, ' ' order by provider) from payments.provider_calls) = 'paystack2 wave3';
    update ledger.risk_rules set value = 9007199254740991 where key = 'suspicious_total';
    update payments.providers set calls_per_minute = 1000;
    perform pg_temp.begun(22, jsonb_build_object('provider', p.name, 'currency', 'XOF', 'amount', 1000 + 100 * n))
       from (values ('moneroo'), ('paystack'), ('wave')) as p (name), generate_series(1, 60) n;
    update payments.payments set next_check_at = now() - interval '1 second' where user_id = pg_temp.person(22);
    got := pg_temp.service('payment_sweep', '{"providers": ["moneroo", "paystack", "wave"]}') -> 'payments';
    assert (select array_agg(g.n order by g.n) from (select count(*) as n from jsonb_array_elements(got) d group by d ->> 'provider') g) = '{33,33,34}',
        'a hundred rows in one run, shared';
    assert (select count(*) from payments.payments where user_id = pg_temp.person(22) and status = 'unknown') = (select count(*) from jsonb_array_elements(got)
        d join payments.payments p on p.id = (d ->> 'payment_id')::uuid where p.user_id = pg_temp.person(22)), 'claimed and nobody came back yet: unknown';
end $$;

-- One that nobody ever answered about ends after a day; with an id of our own it was asked about until then.
do $$
declare
    p payments.payments := pg_temp.begun(23, '{"provider": "mtn_momo", "phone": "224660000001"}');
begin
    for check_no in 1 .. 5 loop
        delete from payments.provider_calls;
        update payments.payments set next_check_at = now(), created_at = now() - interval '25 hours' where id = p.id;
        assert pg_temp.service('payment_sweep', '{"providers": ["mtn_momo"]}') -> 'payments' -> 0 ->> 'provider_payment_id' = p.id::text;
        assert pg_temp.now(p) = case check_no when 5 then 'expired none' else 'unknown none' end, pg_temp.now(p);
    end loop;
    assert (select next_check_at is null from payments.payments where id = p.id);
    assert pg_temp.says(p, 'success', jsonb_build_object('provider', 'mtn_momo', 'provider_payment_id', p.id)) = 'settled', 'its callback still counts';
end $$;

-- What a provider has said is for the platform to hand in, never for a user; nobody writes these tables.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['sweep'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payment_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        foreach target in array array['provider_calls'] loop
            assert pg_temp.code(format('select from payments.%I', target)) = '42501' and pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        reset role;
    end loop;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
