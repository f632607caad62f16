begin;
create function pg_temp.id(n integer) returns uuid language sql as $$
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
-- Someone with a wallet that holds this much, or with none.
create function pg_temp.person(n integer, funds bigint default 0) returns ledger.wallets language plpgsql as $$
declare
    wallet ledger.wallets;
begin
    insert into auth.users (id, email) values (pg_temp.id(n), 'p' || n || '@fraud.test');
    if funds > 0 then
        wallet.id := ledger.wallet_for(pg_temp.id(n), 'GNF');
        perform ledger.post('deposit', 'GNF', array[(ledger.platform_account('provider_clearing', 'GNF'), -funds)::ledger.leg,
            (wallet.id, funds)::ledger.leg], null, null, funds);
        update ledger.wallets set daily_limit = 1000000000, monthly_limit = 1000000000 where id = wallet.id returning * into wallet;
    end if;
    return wallet;
end $$;
-- The answer or the refusal. Without `who` it is the platform itself that asks.
create function pg_temp.score(who uuid, more jsonb default '{}') returns jsonb language plpgsql as $$
declare
    door text := case when who is null then 'service_role' else 'authenticated' end;
    answer jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('sub', who, 'role', door))::text, true);
    perform set_config('role', door, true);
    answer := api.fraud_detection('{"amount": 10000, "recipientId": "00000000-0000-4000-8000-000000000099", "method": "wallet"}' || more);
    perform set_config('role', 'none', true);
    return answer;
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb;
end $$;
create function pg_temp.spent(wallet ledger.wallets, amount bigint, ago interval default '1 minute') returns void language sql as $$
    insert into ledger.transactions (type, sender_wallet_id, sender_user_id, amount, currency, created_at)
    values ('transfer', wallet.id, wallet.user_id, amount, wallet.currency, now() - ago)
$$;

-- The legacy shape, bare; every scoring is logged; nothing else is written.
do $$
declare
    alice ledger.wallets := pg_temp.person(1, 100000);
    got jsonb := pg_temp.score(pg_temp.id(1));
begin
    assert got = '{"score": 10, "riskLevel": "low", "flags": ["new_recipient"], "recommendations": [], "requiresMFA": false}', got::text;
    assert (select array_agg(f.score || f.level || f.decision || f.amount) from ledger.fraud_detection_logs f where user_id = alice.user_id) = '{10lowallow10000}';
    assert pg_temp.score(alice.user_id, '{"userId": "00000000-0000-4000-8000-000000000001"}') = got, 'a user may name himself';
    perform pg_temp.person(2, 100), pg_temp.person(3);
    insert into ledger.known_recipients select alice.id, w.id from ledger.wallets w where w.user_id = pg_temp.id(2);
    assert pg_temp.score(alice.user_id, '{"recipientId": "00000000-0000-4000-8000-000000000002"}') -> 'flags' = '[]';
    assert pg_temp.score(alice.user_id, '{"recipientId": "00000000-0000-4000-8000-000000000003"}') = got, 'who exists is not told from who does not';
    assert not exists (select from ledger.wallets where user_id = pg_temp.id(3)) and not exists (select from ledger.wallet_logs where actor_id = alice.user_id);
    assert pg_temp.score(pg_temp.id(3)) -> 'flags' = '["new_recipient", "balance_drain"]' and not exists (select from ledger.wallets where user_id = pg_temp.id(3));
end $$;

-- A user scores himself alone; the platform scores anybody, by name; nobody scores nothing.
do $$
begin
    assert pg_temp.score(pg_temp.id(2), '{"userId": "00000000-0000-4000-8000-000000000001"}') ->> 'code' = 'IDENTITY_MISMATCH';
    assert (pg_temp.score(null, '{"userId": "00000000-0000-4000-8000-000000000001"}') ->> 'score')::integer = 10;
    assert pg_temp.score(null) ->> 'code' = 'VALIDATION_ERROR' and pg_temp.score(null, '{"userId": "00000000-0000-4000-8000-000000000077"}') ->> 'code' = 'NOT_FOUND';
    perform set_config('role', 'anon', true);
    begin
        perform api.fraud_detection('{}');
        assert false, 'a stranger asks for a score';
    exception when insufficient_privilege then
        null;
    end;
    perform set_config('role', 'none', true);
end $$;

-- One table of factors: what advice says, the guard decides, for the same wallet at the same moment.
do $$
declare
    w ledger.wallets;
    c record;
    got jsonb;
begin
    for c in select row_number() over () + 20 as n, t.* from (values
            (10000, 0, 0, 0, '["new_recipient"]', 'low', false), (1000001, 0, 0, 0, '["elevated_amount", "new_recipient"]', 'medium', true),
            (5000001, 0, 0, 0, '["high_amount", "new_recipient"]', 'high', true), (10000, 6, 10, 0, '["elevated_frequency", "new_recipient"]', 'medium', false),
            (10000, 11, 10, 0, '["high_frequency", "new_recipient"]', 'medium', false), (10000, 1, 10000000, 0, '["high_volume", "new_recipient"]', 'high', true),
            (10000, 0, 0, 3, '["new_recipient"]', 'low', false), (10000, 0, 0, 4, '["new_recipient", "failed_logins"]', 'medium', false),
            (28000000, 11, 10, 4, '["high_amount", "high_frequency", "high_volume", "new_recipient", "failed_logins", "balance_drain"]', 'critical', true)
        ) as t (amount, before, each, logins, flags, level, mfa)
    loop
        w := pg_temp.person(c.n::integer, 30000000);
        perform pg_temp.spent(w, c.each) from generate_series(1, c.before);
        perform pg_temp.spent(w, 20000000, '61 minutes');
        insert into people.failed_logins (user_id, at) select w.user_id, now() - interval '1 minute' from generate_series(1, c.logins);
        insert into people.failed_logins (user_id, at) select w.user_id, now() - interval '61 minutes' from generate_series(1, 4);
        got := pg_temp.score(w.user_id, jsonb_build_object('amount', c.amount));
        assert (got -> 'flags', got ->> 'riskLevel', (got ->> 'requiresMFA')::boolean) = (c.flags::jsonb, c.level, c.mfa), format('%s gave %s', c, got);
        perform ledger.fraud_decision(w, c.amount, gen_random_uuid(), c.before, c.before::bigint * c.each);
        assert (select count(distinct (f.score, f.level, f.flags, f.decision)) from ledger.fraud_detection_logs f where f.user_id = w.user_id) = 1, c.flags;
    end loop;
    assert (got ->> 'score')::integer = 100 and got -> 'recommendations' @> '["refuse the operation", "check by hand"]', 'the sum is capped: ' || got;
end $$;

-- What cannot be read is refused and not scored; a rule that is missing is 503, never "low".
do $$
declare
    before bigint := (select count(*) from ledger.fraud_detection_logs);
    c record;
begin
    for c in select * from (values ('{"amount": 0}'), ('{"amount": null}'), ('{"amount": 1000000001}'), ('{"amount": 1.5}'), ('{"amount": "100"}'),
        ('{"recipientId": null}'), ('{"recipientId": "USR0001"}'), ('{"method": null}'), ('{"method": ""}'), ('{"metadata": {"currency": "ZZZ"}}'),
        ('{"metadata": {"currency": 7}}')) as t (more)
    loop
        assert pg_temp.score(pg_temp.id(1), c.more::jsonb) ->> 'code' = 'VALIDATION_ERROR', c.more;
    end loop;
    assert pg_temp.score(pg_temp.id(1), '{"metadata": {"currency": "USD"}}') ->> 'code' = 'DEPENDENCY_UNAVAILABLE';
    delete from ledger.risk_rules where key = 'failed_logins' and currency = 'XOF';
    assert pg_temp.score(pg_temp.id(1), '{"metadata": {"currency": "XOF"}}') ->> 'code' = 'DEPENDENCY_UNAVAILABLE';
    assert (select count(*) from ledger.fraud_detection_logs) = before;
end $$;

-- Whether a deposit would block the wallet; nothing of it stays.
create function pg_temp.blocks(w ledger.wallets, amount bigint) returns boolean language plpgsql as $$
declare
    answer jsonb;
begin
    begin
        answer := ledger.suspect_deposit(w.user_id, 'GNF', amount);
        raise exception using errcode = 'Y0000', message = case when answer is null then 'no' else 'yes' end;
    exception when sqlstate 'Y0000' then
        return sqlerrm = 'yes';
    end;
end $$;

-- A deposit that is asked for is looked at: large is recorded, the total of a day blocks the wallet and says so.
do $$
declare
    w ledger.wallets := pg_temp.person(50, 1000);
    no jsonb;
begin
    assert ledger.suspect_deposit(w.user_id, 'GNF', 2000000) is null and not exists (select from ledger.wallet_suspicious_activities where user_id = w.user_id);
    assert ledger.suspect_deposit(w.user_id, 'GNF', 2000001) is null;
    insert into payments.payments (user_id, provider, purpose, amount_due, credit_amount, currency, status, fingerprint, description, created_at)
    select w.user_id, 'moneroo', 'wallet_deposit', d.amount, d.amount, d.currency, d.status, '', 'x', now() - d.age
      from (values (3000000, 'GNF', 'success', interval '23 hours'), (9000000, 'GNF', 'failed', interval '1 hour'),
                   (9000000, 'GNF', 'success', interval '25 hours'), (9000000, 'XOF', 'pending', interval '1 hour')) as d (amount, currency, status, age);
    assert ledger.suspect_deposit(w.user_id, 'GNF', 2000000) is null, 'five millions are not too much';
    -- Begun once more through another provider it is one deposit; the first one counts again when the other has ended, or both are paid.
    with old as (
        insert into payments.payments (user_id, provider, purpose, amount_due, credit_amount, currency, status, fingerprint, description)
        values (w.user_id, 'moneroo', 'wallet_deposit', 900000, 900000, 'GNF', 'pending', '', 'switched') returning id
    )
    insert into payments.payments (user_id, provider, purpose, amount_due, credit_amount, currency, status, fingerprint, description, replaces)
    select w.user_id, 'wave', 'wallet_deposit', 900000, 900000, 'GNF', 'pending', '', 'instead', old.id from old;
    assert ledger.suspect_deposit(w.user_id, 'GNF', 1100000) is null, 'a switched deposit counts once';
    update payments.payments set status = 'failed' where user_id = w.user_id and description = 'instead';
    assert pg_temp.blocks(w, 1100001) and not pg_temp.blocks(w, 1100000), 'the first one may still be paid';
    update payments.payments set status = 'success' where user_id = w.user_id and description in ('switched', 'instead');
    assert pg_temp.blocks(w, 200001) and not pg_temp.blocks(w, 200000), 'both were paid';
    delete from payments.payments where user_id = w.user_id and description = 'instead';
    delete from payments.payments where user_id = w.user_id and description = 'switched';
    no := ledger.suspect_deposit(w.user_id, 'GNF', 2000001);
    assert no ->> 'code' = 'WALLET_BLOCKED' and current_setting('response.status') = '403', no::text;
    assert (select status || ':' || blocked_reason || ':' || balance from ledger.wallets where id = w.id) = 'blocked:suspicious daily total:1000';
    assert (select array_agg(severity order by severity) from ledger.wallet_suspicious_activities where user_id = w.user_id) = '{critical,high}';
    assert (select array_agg(operation || outcome) from ledger.wallet_logs where actor_id = w.user_id) = '{depositWALLET_BLOCKED}';
    assert ledger.suspect_deposit(w.user_id, 'GNF', 1) ->> 'code' = 'WALLET_BLOCKED', 'a blocked wallet refuses what comes in, too';
end $$;

-- Nobody reads or writes failed logins or scores from outside.
do $$
declare
    door text;
    command text;
begin
    foreach door in array array['anon', 'authenticated'] loop
        foreach command in array array['select from people.failed_logins', 'insert into people.failed_logins (user_id) values (null)',
            'select ledger.suspect_deposit(null, null, 1)', 'select ledger.fraud_score(null, 1, null, true, 0, 0)'] loop
            perform set_config('role', door, true);
            begin
                execute command;
                assert false, door || ': ' || command;
            exception when insufficient_privilege then
                null;
            end;
            perform set_config('role', 'none', true);
        end loop;
    end loop;
end $$;
rollback;
