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
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@wallet.test');
    return someone;
end $$;
-- Someone new with a wallet that holds this much, and no limits of his own worth mentioning.
create function pg_temp.rich(n integer, amount bigint, cur text default 'GNF') returns ledger.wallets language plpgsql as $$
declare
    wallet ledger.wallets;
begin
    wallet.id := ledger.wallet_for(pg_temp.person(n), cur);
    perform ledger.post('deposit', cur, array[(ledger.platform_account('provider_clearing', cur), -amount)::ledger.leg,
        (wallet.id, amount)::ledger.leg], null, null, amount);
    update ledger.wallets set daily_limit = 1000000000, monthly_limit = 10000000000 where id = wallet.id returning * into wallet;
    return wallet;
end $$;
create function pg_temp.sign_in(who uuid, aal text default 'aal1') returns void language sql as $$
    select set_config('request.jwt.claims', jsonb_build_object('sub', who, 'role', 'authenticated', 'aal', aal)::text, true)
$$;
-- What the guard says to an operation of this wallet: a code, or 'ok'.
create function pg_temp.guard(wallet ledger.wallets, amount bigint, receiver uuid default null, operation text default 'transfer',
    fee bigint default 0) returns text language plpgsql as $$
begin
    return coalesce(ledger.guard(wallet.user_id, wallet.currency, amount, fee, receiver, operation) ->> 'code', 'ok');
exception when sqlstate 'PGRST' then
    return 'raised ' || (sqlerrm::jsonb ->> 'code');
end $$;
-- The same, and the posting that follows when nothing stands against it.
create function pg_temp.move(wallet ledger.wallets, amount bigint, receiver uuid default null, operation text default 'transfer',
    fee bigint default 0) returns text language plpgsql as $$
declare
    said text := pg_temp.guard(wallet, amount, receiver, operation, fee);
begin
    if said = 'ok' then
        perform ledger.post(case operation when 'ride' then 'ride_payment' else operation end, wallet.currency,
            array[(wallet.id, -amount)::ledger.leg, (ledger.platform_account('escrow', wallet.currency), amount)::ledger.leg], null, null, amount);
    end if;
    return said;
end $$;
-- An operation that happened: history for the guard to count.
create function pg_temp.spent(wallet ledger.wallets, amount bigint, at timestamptz default now()) returns void
    language sql as $$
    insert into ledger.transactions (type, sender_wallet_id, sender_user_id, amount, currency, created_at)
    values ('transfer', wallet.id, wallet.user_id, amount, wallet.currency, at)
$$;
create function pg_temp.last_score(who uuid, out score integer, out flags text[], out decision text, out level text)
    language sql as $$
    select score, flags, decision, level from ledger.fraud_detection_logs f where f.user_id = who order by ctid desc limit 1
$$;

-- A fee is a row of a table, rounded once: by rate, fixed, with its bounds, by currency when there is a row for it.
do $$
declare
    c record;
begin
    for c in select * from (values ('transfer', 10000, 100), ('transfer', 10049, 100), ('transfer', 10050, 101),
        ('transfer', 100, 1), ('deposit', 100000, 500), ('withdrawal', 50000, 750), ('transfer', 50, 1), ('transfer', 49, 0)) as t (op, amount, fee)
    loop
        assert ledger.fee(c.op, 'GNF', c.amount) = c.fee, format('%s of %s costs %s', c.op, c.amount, ledger.fee(c.op, 'GNF', c.amount));
    end loop;
    insert into ledger.wallet_fees (operation, currency, fee_type, fee_value, min_fee, max_fee) values
        ('transfer', 'XOF', 'bps', 100, 20, 500), ('deposit', 'XOF', 'fixed', 75, 0, null), ('withdrawal', 'XOF', 'bps', 100, 20, null);
    assert ledger.fee('transfer', 'XOF', 1000) = 20 and ledger.fee('transfer', 'XOF', 3000) = 30 and ledger.fee('transfer', 'XOF', 100000) = 500;
    assert ledger.fee('deposit', 'XOF', 1) = 75 and ledger.fee('transfer', 'GNF', 3000) = 30, 'another currency keeps its rule';
    assert ledger.fee('withdrawal', 'XOF', 100) = 20 and ledger.fee('withdrawal', 'XOF', 100000) = 1000, 'no upper bound';
    assert pg_temp.code('insert into ledger.wallet_fees (operation, currency, fee_type, fee_value) values (''transfer'', ''XOF'', ''bps'', 1)')
        = '23505', 'two active rules for one operation';
    assert pg_temp.code('select ledger.fee(''gift'', ''GNF'', 100)') = 'P0001', 'no rule: our error, never a free operation';
end $$;

-- The bounds of one operation: the last good and the first bad. A currency without a row has no operations.
do $$
declare
    w ledger.wallets := pg_temp.rich(1, 60000000);
    dollars ledger.wallets := pg_temp.rich(2, 1000, 'USD');
begin
    perform pg_temp.sign_in(w.user_id, 'aal2');
    assert pg_temp.guard(w, 99) = 'AMOUNT_OUT_OF_RANGE' and pg_temp.guard(w, 100) = 'ok';
    assert pg_temp.guard(w, 50000001) = 'AMOUNT_OUT_OF_RANGE';
    assert pg_temp.guard(dollars, 500) = 'AMOUNT_OUT_OF_RANGE', 'no limits in this currency, yet it moved';
    assert current_setting('response.status') = '400';
    assert (select array_agg(outcome || ':' || amount order by amount) from ledger.wallet_logs where actor_id = w.user_id)
        = '{AMOUNT_OUT_OF_RANGE:99,ok:100,AMOUNT_OUT_OF_RANGE:50000001}', 'refusals leave their line in the log too';
end $$;

-- Limits count transfers and withdrawals of the UTC day and month, without fees; a new day and a new month start at zero.
do $$
declare
    w ledger.wallets := pg_temp.rich(3, 20000000);
    yesterday date := (now() at time zone 'UTC')::date - 1;
    this_month boolean := date_trunc('month', yesterday) = date_trunc('month', (now() at time zone 'UTC')::date);
begin
    update ledger.wallets set daily_limit = null, monthly_limit = null where id = w.id;
    assert pg_temp.move(w, 600000) = 'ok' and pg_temp.move(w, 400001) = 'LIMIT_EXCEEDED';
    assert pg_temp.move(w, 400000, null, 'withdrawal', 6000) = 'ok', 'exactly the default of 1 000 000; the fee does not count';
    assert pg_temp.move(w, 100) = 'LIMIT_EXCEEDED' and current_setting('response.status') = '403';
    assert pg_temp.move(w, 500000, null, 'ride') = 'ok', 'a ride is no transfer';
    assert (select spent_today from ledger.wallets where id = w.id) = 1000000, 'refused ones and rides were counted';
    update ledger.wallets set spent_on = yesterday where id = w.id;
    assert pg_temp.move(w, 1000000) = 'ok', 'a new day';
    assert (select spent_month from ledger.wallets where id = w.id) = case when this_month then 2000000 else 1000000 end;
    update ledger.wallets set spent_on = yesterday - 40, spent_month = 10000000 where id = w.id;
    assert pg_temp.move(w, 1000000) = 'ok', 'a new month';
    update ledger.wallets set spent_month = 9500000, spent_today = 0 where id = w.id;
    assert pg_temp.move(w, 500001) = 'LIMIT_EXCEEDED' and pg_temp.move(w, 500000) = 'ok', 'the month, at 10 000 000';
    update ledger.wallets set spent_on = (now() at time zone 'UTC')::date + 1, spent_month = 500000, daily_limit = 600000 where id = w.id;
    assert pg_temp.move(w, 100001) = 'LIMIT_EXCEEDED' and pg_temp.move(w, 100000) = 'ok', 'who waited over midnight spends of the new day';
    assert (select spent_today = 600000 and spent_on > (now() at time zone 'UTC')::date from ledger.wallets where id = w.id);
    update ledger.wallets set spent_on = (now() at time zone 'UTC')::date, daily_limit = 1500, monthly_limit = 9000, spent_today = 0, spent_month = 0 where id = w.id;
    assert pg_temp.move(w, 1501) = 'LIMIT_EXCEEDED' and pg_temp.move(w, 1500) = 'ok', 'a wallet''s own limit';
    update ledger.wallets set daily_limit = 0 where id = w.id;
    assert pg_temp.move(w, 100) = 'LIMIT_EXCEEDED', 'zero is a limit, not the absence of one';
end $$;

-- Funds cover amount and fee, to the unit; a wallet that is not active does nothing; each answers in the order of the chain.
do $$
declare
    w ledger.wallets := pg_temp.rich(4, 10100);
begin
    assert pg_temp.guard(w, 10000, null, 'transfer', 101) = 'INSUFFICIENT_FUNDS' and current_setting('response.status') = '409';
    assert pg_temp.guard(w, 10000, null, 'transfer', 100) = 'ok';
    update ledger.wallets set daily_limit = 0, spent_today = 0 where id = w.id;
    assert pg_temp.guard(w, 20000) = 'LIMIT_EXCEEDED', 'the limit is looked at before the funds';
    update ledger.wallets set status = 'blocked' where id = w.id;
    assert pg_temp.guard(w, 1) = 'WALLET_BLOCKED', 'and the block before everything';
    update ledger.wallets set status = 'closed' where id = w.id;
    assert pg_temp.guard(w, 1000) = 'WALLET_BLOCKED' and current_setting('response.status') = '403';
end $$;

-- Suspicion records the highest severity; a critical total blocks the wallet, and the block stays though nothing moved.
do $$
declare
    w ledger.wallets := pg_temp.rich(5, 90000000);
begin
    perform pg_temp.sign_in(w.user_id, 'aal2');
    assert pg_temp.guard(w, 2000000) = 'ok';
    assert not exists (select from ledger.wallet_suspicious_activities s where s.wallet_id = w.id);
    assert pg_temp.guard(w, 2000001) = 'ok', 'a large amount is recorded, not refused';
    assert (select severity || ':' || activity_type from ledger.wallet_suspicious_activities s where s.wallet_id = w.id) = 'high:large_amount';
    perform pg_temp.spent(w, 100) from generate_series(1, 9);
    assert pg_temp.guard(w, 100) = 'ok' and (select count(*) from ledger.wallet_suspicious_activities s where s.wallet_id = w.id) = 1;
    perform pg_temp.spent(w, 100);
    assert pg_temp.guard(w, 100) = 'ok', 'the eleventh of the day';
    assert exists (select from ledger.wallet_suspicious_activities s where s.wallet_id = w.id and s.severity = 'medium');
    perform pg_temp.spent(w, 4000000, now() - interval '25 hours'), pg_temp.spent(w, 2999000, now() - interval '23 hours');
    assert pg_temp.guard(w, 2000000) = 'ok', 'exactly 5 000 000 in 24 hours';
    assert pg_temp.guard(w, 2000001) = 'WALLET_BLOCKED';
    assert (select status || ':' || blocked_reason from ledger.wallets where id = w.id) = 'blocked:suspicious daily total';
    assert (select blocked_at is not null and balance = 90000000 from ledger.wallets where id = w.id), 'money moved';
    assert exists (select from ledger.wallet_suspicious_activities s where s.wallet_id = w.id and s.severity = 'critical');
    assert exists (select from core.outbox where channel = 'alert' and payload ->> 'wallet_id' = w.id::text);
    assert pg_temp.guard(w, 100) = 'WALLET_BLOCKED', 'it stays blocked';
end $$;

-- The score adds one factor of each line. The history and the amount of a case are chosen to hit one line at a time.
do $$
declare
    w ledger.wallets := pg_temp.rich(6, 100000000);
    friend uuid := (pg_temp.rich(7, 100)).id;
    c record;
    s record;
begin
    perform pg_temp.sign_in(w.user_id, 'aal2');
    update ledger.risk_rules set value = 100000000000 where key = 'suspicious_total' and currency = 'GNF';
    insert into ledger.known_recipients values (w.id, friend);
    for c in select * from (values
        (1000000, 0, 0, true, 0, '{}', 'allow', 'low'), (1000001, 0, 0, true, 15, '{elevated_amount}', 'allow', 'low'),
        (5000000, 0, 0, true, 15, '{elevated_amount}', 'allow', 'low'), (5000001, 0, 0, true, 30, '{high_amount}', 'mfa', 'medium'),
        (1000, 4, 0, true, 0, '{}', 'allow', 'low'), (1000, 5, 0, true, 10, '{elevated_frequency}', 'allow', 'low'),
        (1000, 9, 0, true, 10, '{elevated_frequency}', 'allow', 'low'), (1000, 10, 0, true, 25, '{high_frequency}', 'allow', 'medium'),
        (1000, 1, 9999000, true, 0, '{}', 'allow', 'low'), (1000, 1, 9999001, true, 40, '{high_volume}', 'mfa', 'high'),
        (1000, 0, 0, false, 10, '{new_recipient}', 'allow', 'low'),
        (1000001, 5, 0, false, 35, '{elevated_amount,elevated_frequency,new_recipient}', 'mfa', 'medium'),
        (1000001, 10, 0, false, 50, '{elevated_amount,high_frequency,new_recipient}', 'mfa', 'high'),
        (1000000, 5, 0, false, 20, '{elevated_frequency,new_recipient}', 'allow', 'medium'),
        (5000001, 1, 9000000, true, 70, '{high_amount,high_volume}', 'block', 'critical'),
        (5000001, 10, 9000000, false, 100, '{high_amount,high_frequency,high_volume,new_recipient}', 'block', 'critical')
        ) as t (amount, before, each, known, score, flags, decision, level)
    loop
        begin
            if c.before > 0 then
                perform pg_temp.spent(w, greatest(c.each / c.before, 1)) from generate_series(1, c.before);
            end if;
            perform pg_temp.spent(w, 50000000, now() - interval '61 minutes');   -- Not of the last hour.
            perform pg_temp.guard(w, c.amount, case when c.known then friend else gen_random_uuid() end);
            select * into s from pg_temp.last_score(w.user_id);
            assert (s.score, s.flags, s.decision, s.level) = (c.score, c.flags::text[], c.decision, c.level), format('%s gave %s', c, s);
            raise exception using errcode = 'U0001';
        exception when sqlstate 'U0001' then null;
        end;
    end loop;
end $$;

-- Draining is more than nine tenths of the balance, exactly, also of the largest one.
do $$
declare
    w ledger.wallets := pg_temp.rich(8, 9007199254740000);
    c record;
begin
    update ledger.risk_rules set value = 9000000000000000000 where currency = 'GNF' and key in ('suspicious_total', 'high_volume', 'high_amount', 'elevated_amount');
    for c in select * from (values (1000, 900, false), (1000, 901, true), (1009, 908, false), (1009, 909, true), (1005, 904, false), (1005, 905, true),
        (9007199254740000, 8106479329266000, false), (9007199254740000, 8106479329266001, true)) as t (balance, amount, drain)
    loop
        w.balance := c.balance;
        assert ledger.fraud_decision(w, c.amount, null, 0, 0) = 'allow';
        assert (select flags = '{balance_drain}' from pg_temp.last_score(w.user_id)) = c.drain, format('%s of %s', c.amount, c.balance);
    end loop;
    update ledger.risk_rules set value = 1000000 * case key when 'high_volume' then 10 else 5 end
     where currency = 'GNF' and key in ('suspicious_total', 'high_volume', 'high_amount');
    update ledger.risk_rules set value = 1000000 where currency = 'GNF' and key = 'elevated_amount';
end $$;

-- A doubtful operation needs the second factor of this session; a bad score is refused even with it; both keep their trace.
do $$
declare
    w ledger.wallets := pg_temp.rich(9, 100000000);
begin
    perform pg_temp.sign_in(w.user_id);
    perform pg_temp.spent(w, 2000) from generate_series(1, 10);   -- 25 points, and a large amount.
    assert pg_temp.guard(w, 1500000) = 'MFA_REQUIRED' and current_setting('response.status') = '403';
    assert (ledger.guard(w.user_id, 'GNF', 1500000, 0, null, 'transfer')) ->> 'hint' like 'repeat with the same key%';
    perform pg_temp.sign_in(w.user_id, 'aal2');
    assert pg_temp.move(w, 1500000) = 'ok';
    perform set_config('request.jwt.claims', jsonb_build_object('sub', w.user_id, 'role', 'authenticated')::text, true);
    assert pg_temp.guard(w, 1500000) = 'MFA_REQUIRED', 'a token that does not say its level has the lowest';
    perform pg_temp.sign_in(w.user_id, 'aal2');
    update ledger.risk_rules set value = 1000000000 where key = 'suspicious_total' and currency = 'GNF';
    perform pg_temp.spent(w, 9000000);
    assert pg_temp.guard(w, 5000001) = 'FRAUD_BLOCKED', 'a second factor does not buy this';
    assert (select array_agg(outcome order by outcome) from ledger.wallet_logs where actor_id = w.user_id)
        = '{FRAUD_BLOCKED,MFA_REQUIRED,MFA_REQUIRED,MFA_REQUIRED,ok}';
    assert (select array_agg(decision order by decision) from ledger.fraud_detection_logs where user_id = w.user_id)
        = '{block,mfa,mfa,mfa,mfa}', 'every scoring is logged, with what was demanded';
    assert (select spent_today from ledger.wallets where id = w.id) = 1500000, 'a refused operation used up the limit';
    update ledger.risk_rules set value = 5000000 where key = 'suspicious_total' and currency = 'GNF';
end $$;

-- A rule that cannot be read refuses the operation: checking fails closed, whichever rule it is.
do $$
declare
    w ledger.wallets := pg_temp.rich(10, 1000000);
    missing text;
begin
    perform pg_temp.sign_in(w.user_id, 'aal2');
    for missing in select r.key from ledger.risk_rules r where r.currency = 'GNF' loop
        begin
            delete from ledger.risk_rules where currency = 'GNF' and key = missing;
            -- Thresholds of verdicts are asked for in order; this amount reaches the last of them.
            perform pg_temp.spent(w, 1) from generate_series(1, 10);
            assert pg_temp.guard(w, 1000) = 'raised DEPENDENCY_UNAVAILABLE', missing || ' is missing, and money may move';
            raise exception using errcode = 'U0001';
        exception when sqlstate 'U0001' then null;
        end;
    end loop;
end $$;

-- What the guard wrote cannot be rewritten; a user reads his own log alone; nobody reads scores or changes rules from outside.
do $$
declare
    door text;
    target text;
begin
    foreach target in array array['wallet_logs', 'wallet_suspicious_activities', 'fraud_detection_logs'] loop
        assert pg_temp.code(format('update ledger.%I set created_at = now()', target)) = 'P0001';
        assert pg_temp.code(format('delete from ledger.%I', target)) = 'P0001';
        assert pg_temp.code(format('truncate ledger.%s_%s', target, to_char(now() at time zone 'UTC', 'YYYYMM'))) = 'P0001';
    end loop;
    perform pg_temp.sign_in('00000000-0000-4000-8000-000000000004');
    set local role authenticated;
    assert (select count(*) from api.wallet_logs) = 5 and (select bool_and(operation = 'transfer') from api.wallet_logs);
    reset role;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['wallet_fees', 'wallet_limits', 'risk_rules', 'known_recipients', 'wallet_logs',
            'wallet_suspicious_activities', 'fraud_detection_logs'] loop
            assert pg_temp.code(format('insert into ledger.%I default values', target)) = '42501';
            assert pg_temp.code(format('delete from ledger.%I', target)) = '42501';
            assert door = 'authenticated' and target = 'wallet_logs' or pg_temp.code(format('select from ledger.%I', target)) = '42501',
                format('%s reads %s', door, target);
        end loop;
        assert pg_temp.code('select ledger.guard(null, null, 1, 1, null, null)') = '42501';
        reset role;
    end loop;
end $$;
rollback;
