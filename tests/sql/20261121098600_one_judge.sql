begin;
\ir lib/wallets.psql

-- Each rule by itself: the last value that is nothing, the first that is something, and which of several counts.
do $$
declare
    terms ledger.terms := (select t from ledger.terms t where currency = 'GNF');
    c record;
begin
    for c in select * from (values (2000000, 9, 3000000, null), (2000001, 9, 0, 'high'), (1, 10, 0, 'medium'), (2000001, 10, 0, 'high'), (1, 0, 5000000, 'critical'),
        (2000001, 10, 5000000, 'critical')) as t (amount, day_count, day_total, severity) loop
        assert ledger.severity(c.amount, c.day_count, c.day_total, terms) is not distinct from c.severity, c;
    end loop;
    assert ledger.score(1000, 900, false, 0, 0, 3, terms) = row(null, 0, 'low', '{}', 'allow', false)::ledger.verdict;
    assert ledger.score(1000, 901, false, 0, 0, 4, terms) = row(null, 35, 'medium', '{failed_logins,balance_drain}', 'allow', false)::ledger.verdict;
    assert ledger.score(0, 5000001, true, 10, 9000000, 4, terms)
        = row(null, 100, 'critical', '{high_amount,high_frequency,high_volume,new_recipient,failed_logins,balance_drain}', 'block', true)::ledger.verdict;
    assert ledger.within_limits(row(null, null, 'GNF', 0, 'active', null, null, null, null, null, current_date + 1, 999999, 999999, null, 0, 0)::ledger.wallets, 1)
        and not ledger.within_limits(row(null, null, 'GNF', 0, 'active', null, null, null, null, null, current_date + 1, 999999, 999999, null, 0, 0)::ledger.wallets, 2);
end $$;

-- Suspicion blocks before a score is asked for: a missing rule of the score does not keep a wallet open. One of its own does refuse.
do $$
declare
    eve ledger.wallets := pg_temp.rich(7, '50000000-0000-4000-8000-000000000001');
begin
    perform pg_temp.rich(9, '50000000-0000-4000-8000-000000000002');
    update ledger.wallets set balance = 9000000, daily_limit = 100000000, monthly_limit = 100000000 where id = eve.id;
    delete from ledger.risk_rules where key = 'watch_score' and currency = 'GNF';
    assert pg_temp.transfer(7, 9, 1000) ->> 'code' = 'DEPENDENCY_UNAVAILABLE';
    assert pg_temp.transfer(7, 9, 5000001) ->> 'code' = 'WALLET_BLOCKED';
    assert (select status from ledger.wallets where id = eve.id) = 'blocked';
    update ledger.wallets set status = 'active' where id = eve.id;
    delete from ledger.risk_rules where key = 'suspicious_total' and currency = 'GNF';
    assert pg_temp.transfer(7, 9, 5000001) ->> 'code' = 'DEPENDENCY_UNAVAILABLE';
    assert (select balance from ledger.wallets where id = eve.id) = 9000000;
    assert (select array_agg(outcome) from ledger.wallet_logs where actor_id = eve.user_id) = '{WALLET_BLOCKED}', 'only what is returned leaves a line';
end $$;

-- The guard of somebody without a wallet says what the bounds are, and leaves a line in his name.
do $$ begin
    insert into auth.users (id, email) values (pg_temp.id(8), 'p8@judge.test');
    assert ledger.guard(pg_temp.id(8), 'GNF', 1000, 0, null, 'transfer') @> '{"code": "AMOUNT_OUT_OF_RANGE", "details": {"min": 100}}';
    assert (select outcome || ' ' || currency from ledger.wallet_logs where actor_id = pg_temp.id(8)) = 'AMOUNT_OUT_OF_RANGE GNF';
end $$;

-- The steps within are nobody's.
do $$
declare
    door text;
    command text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        foreach command in array array['ledger.judge(null, 1, 1, null, null, null)', 'ledger.note(null, 1, null, null, null, null)', 'ledger.score(1, 1, true, 1, 1, 1, null)',
            'ledger.severity(1, 1, 1, null)', 'ledger.fits_limits(null, 1, null)', 'ledger.cannot_check()'] loop
            begin
                perform set_config('role', door, true);
                execute 'select ' || command;
                raise exception '% may call %', door, command;
            exception when insufficient_privilege then
                null;
            end;
        end loop;
    end loop;
end $$;
rollback;
