begin;
\ir lib/rich.psql

-- What was spent on another day, or in another month, is no longer in the way; what was spent today is, to the last unit.
do $$
declare
    cay ledger.wallets := pg_temp.rich(3);
    got ledger.wallets := pg_temp.rich(2);
    ask jsonb := jsonb_build_object('operation', 'transfer', 'recipient_id', got.user_id, 'confirm_duplicate', true);
    today date := (now() at time zone 'UTC')::date;
begin
    update ledger.wallets set daily_limit = 5000, monthly_limit = 9000, spent_on = today - 40, spent_today = 5000, spent_month = 9000 where id = cay.id;
    assert pg_temp.ask(3, ask || '{"amount": 5000}') ->> 'success' = 'true', 'of another month';
    assert pg_temp.ask(3, ask || '{"amount": 100}') ->> 'code' = 'LIMIT_EXCEEDED', 'of today';
    assert (select (spent_on, spent_today, spent_month) = (today, 5000, 5000) from ledger.wallets where id = cay.id);
    update ledger.wallets set daily_limit = 100000, monthly_limit = 9000 where id = cay.id;
    assert pg_temp.ask(3, ask || '{"amount": 4001}') ->> 'code' = 'LIMIT_EXCEEDED' and pg_temp.ask(3, ask || '{"amount": 4000}') ->> 'success' = 'true';
    update ledger.wallets set daily_limit = null, monthly_limit = null, spent_today = 999999 where id = cay.id;
    assert pg_temp.ask(3, ask || '{"amount": 100}') ->> 'code' = 'LIMIT_EXCEEDED', 'the limit of the currency';
end $$;

-- Nothing stands out up to each line, and each line is one that counts. No line may be missing.
do $$
declare
    terms ledger.terms;
    quiet ledger.verdict := row(null, 0, 'low', '{}', 'allow', false);
    less ledger.terms;
begin
    select * into terms from ledger.terms t where t.currency = 'GNF';
    terms := jsonb_populate_record(terms, '{"elevated_amount": 50, "high_amount": 100, "elevated_frequency": 3, "high_frequency": 5, "high_volume": 500,
        "failed_logins": 2, "mfa_amount": 1000, "watch_score": 20, "mfa_score": 40, "block_score": 70}');
    assert ledger.score(1000, 50, false, 2, 450, 2, terms) = quiet, 'at every line';
    assert (select array_agg(s.flags[1] || s.score order by n) from (values (1, 1000, 51, false, 2, 0, 0), (2, 1000, 101, false, 2, 0, 0), (3, 1000, 50, true, 2, 0, 0),
            (4, 1000, 50, false, 3, 0, 0), (5, 1000, 50, false, 5, 0, 0), (6, 1000, 50, false, 2, 451, 0), (7, 1000, 50, false, 2, 0, 3), (8, 55, 50, false, 2, 0, 0))
            as v (n, balance, amount, stranger, count, total, logins), ledger.score(v.balance, v.amount, v.stranger, v.count, v.total, v.logins, terms) s)
        = '{elevated_amount15,high_amount30,new_recipient10,elevated_frequency10,high_frequency25,high_volume40,failed_logins20,balance_drain15}';
    assert (ledger.score(1000, 50, false, 0, 0, 0, jsonb_populate_record(terms, '{"block_score": 0}'))).decision = 'block';
    assert (ledger.score(1000, 50, false, 0, 0, 0, jsonb_populate_record(terms, '{"mfa_score": 0}'))).decision = 'mfa';
    assert (ledger.score(1000, 50, false, 0, 0, 0, jsonb_populate_record(terms, '{"watch_score": 0, "mfa_amount": 49}'))).decision = 'mfa';
    assert (ledger.score(1000, 50, false, 0, 0, 0, jsonb_populate_record(terms, '{"high_amount": 40, "elevated_amount": 60}'))).flags = '{high_amount}';
    for less in select (jsonb_populate_record(terms, jsonb_build_object(k, null))).* from unnest(array['high_amount', 'elevated_amount', 'high_frequency',
        'elevated_frequency', 'high_volume', 'failed_logins', 'block_score', 'mfa_score', 'watch_score', 'mfa_amount']) k loop
        begin
            perform ledger.score(1000, 50, false, 0, 0, 0, less);
            assert false, 'a rule is missing: ' || less::text;
        exception when sqlstate 'PGRST' then
            assert sqlerrm::jsonb ->> 'code' = 'DEPENDENCY_UNAVAILABLE', sqlerrm;
        end;
    end loop;
end $$;

-- Many of the day count for the hour only if they are of the hour.
do $$
declare
    dan ledger.wallets := pg_temp.rich(4);
    ask jsonb := jsonb_build_object('operation', 'transfer', 'recipient_id', pg_temp.id(2), 'amount', 100, 'confirm_duplicate', true);
    scored ledger.fraud_detection_logs;
begin
    update ledger.risk_rules set value = 100 where key = 'suspicious_count' and currency = 'GNF';
    insert into ledger.transactions (type, sender_wallet_id, amount, currency, created_at, sent_count, sent_total)
    select 'transfer', dan.id, 100, 'GNF', now() - interval '2 hours' + make_interval(mins => n), n, 100 * n from generate_series(1, 8) n;
    update ledger.wallets set sent_count = 8, sent_total = 800 where id = dan.id;
    assert pg_temp.ask(4, ask) ->> 'success' = 'true';
    select * into scored from ledger.fraud_detection_logs f where f.user_id = dan.user_id order by f.id limit 1;
    assert scored.flags = '{new_recipient}', scored.flags::text;
    insert into ledger.transactions (type, sender_wallet_id, amount, currency, created_at, sent_count, sent_total)
    select 'transfer', dan.id, 100, 'GNF', now() - make_interval(mins => 10 - n), 8 + n, 800 + 100 * n from generate_series(2, 6) n;
    update ledger.wallets set sent_count = 14, sent_total = 1400 where id = dan.id;
    assert pg_temp.ask(4, ask) ->> 'success' = 'true';
    assert exists (select from ledger.fraud_detection_logs f where f.user_id = dan.user_id and f.flags = '{elevated_frequency}'), 'five of the hour, and this one';
end $$;
rollback;
