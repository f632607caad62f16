begin;
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@terms.test');
    return someone;
end $$;

-- What a wallet sent within a time, by one line, is what adding up all its lines says: whatever it was, to the microsecond.
do $$
declare
    ann uuid := ledger.wallet_for(pg_temp.person(1), 'GNF');
    ben uuid := ledger.wallet_for(pg_temp.person(2), 'GNF');
    losses uuid := ledger.platform_account('losses', 'GNF');
    wallet ledger.wallets;
    got record;
    want record;
    span interval;
    n integer;
begin
    perform ledger.post('deposit', 'GNF', array[row(losses, -100000), row(ann, 100000)]::ledger.leg[], null, null, 100000);
    for n in 1 .. 8 loop
        perform ledger.post(case n % 3 when 0 then 'ride_payment' when 1 then 'transfer' else 'withdrawal' end, 'GNF',
            array[row(ann, -(100 + n)), row(ben, 90 + n), row(losses, 10)]::ledger.leg[], null, null, 90 + n, 10);
    end loop;
    -- Two that give: the first of them is the sender, and he alone is counted.
    perform ledger.post('transfer', 'GNF', array[row(ben, -5), row(ann, -7), row(losses, 12)]::ledger.leg[], null, null, 12);
    select * into wallet from ledger.wallets where id = ann;
    assert (wallet.sent_count, wallet.sent_total) = (8, (select sum(90 + k) from generate_series(1, 8) k));
    assert (select (sent_count, sent_total) = (1, 12) from ledger.wallets where id = ben);
    for span in select clock_timestamp() - t.created_at + make_interval(secs => d) from ledger.transactions t, unnest(array[-0.00001, 0.00001, 3600]) d
                 where t.sender_wallet_id = ann union select interval '0' union select interval '24 hours' loop
        span := span - (clock_timestamp() - now());   -- now() is when this began; the lines are younger.
        select s.first_at, s.count, s.total into got from ledger.sent_since(wallet, span) s;
        select min(t.created_at) as first_at, count(*) as count, coalesce(sum(t.amount), 0)::bigint as total into want from ledger.transactions t
         where t.sender_wallet_id = ann and t.created_at > now() - span;
        assert got is not distinct from want, format('within %s: %s, not %s', span, got, want);
    end loop;
    -- What is older than the count is added up.
    insert into ledger.transactions (type, sender_wallet_id, amount, currency, created_at) values ('transfer', ann, 1000, 'GNF', now() - interval '2 hours');
    select s.count, s.total into got from ledger.sent_since(wallet, '3 hours') s;
    assert (got.count, got.total) = (9, wallet.sent_total + 1000);
    select s.count, s.total into got from ledger.sent_since(wallet, '1 hour') s;
    assert (got.count, got.total) = (8, wallet.sent_total);
    -- A wallet that is none has sent nothing.
    select s.first_at, s.count, s.total into got from ledger.sent_since(null, '1 hour') s;
    assert (got.first_at is null, got.count, got.total) = (true, 0, 0);
    assert not has_table_privilege('authenticated', 'ledger.terms', 'select') and not has_function_privilege('authenticated', 'ledger.sent_since(ledger.wallets, interval)', 'execute');
end $$;

-- The row of a currency says what the three tables say, and follows every edit of them.
do $$
declare
    c record;
    off text;
begin
    assert (select count(*) from ledger.terms) = (select count(*) from core.currencies);
    for c in select * from (values ('as it was made', ''), ('a limit', 'update ledger.wallet_limits set max_operation = 777 where currency = ''XOF'''),
        ('a threshold', 'update ledger.risk_rules set value = 9 where key = ''mfa_score'' and currency = ''XOF'''),
        ('a threshold gone', 'delete from ledger.risk_rules where key = ''high_volume'' and currency = ''GNF'''),
        ('a fee for one currency', 'insert into ledger.wallet_fees (operation, currency, fee_type, fee_value, min_fee, max_fee) values (''transfer'', ''XOF'', ''fixed'', 75, 5, 90)'),
        ('another operation''s fee', 'update ledger.wallet_fees set fee_value = 3 where operation = ''deposit'''),
        ('the fee of all others', 'update ledger.wallet_fees set fee_value = 250 where operation = ''transfer'' and currency is null'),
        ('a fee that ended', 'update ledger.wallet_fees set is_active = false where currency = ''XOF'''),
        ('limits gone', 'truncate ledger.wallet_limits'),
        ('a new currency', 'insert into core.currencies (code, exponent, min_payment, max_payment) values (''MGA'', 0, 1, 2)')) as t (what, edit) loop
        execute c.edit;
        select string_agg(k.code, ', ') into off from core.currencies k left join ledger.terms t on t.currency = k.code
         where t.currency is null
            or (t.min_operation, t.max_operation, t.default_daily, t.default_monthly, t.step) is distinct from
               (select (l.min_operation, l.max_operation, l.default_daily, l.default_monthly, l.step) from ledger.wallet_limits l right join (select) one on l.currency = k.code)
            or (select jsonb_object_agg(r.key, r.value) from ledger.risk_rules r where r.currency = k.code) is distinct from
               (select nullif(jsonb_strip_nulls(to_jsonb(t) - '{currency,min_operation,max_operation,default_daily,default_monthly,step,fee_type,fee_value,min_fee,max_fee}'::text[]), '{}'))
            or exists (select from unnest(array[1, 49, 50, 149, 150, 10000, 9007199254740991]) a (amount)
                where ledger.transfer_fee(t, k.code, a.amount) <> ledger.fee('transfer', k.code, a.amount));
        assert off is null, format('%s: the terms differ in %s', c.what, off);
    end loop;
    delete from ledger.wallet_fees where operation = 'transfer';
    begin
        perform ledger.transfer_fee((select t from ledger.terms t where currency = 'GNF'), 'GNF', 100);
        assert false, 'a transfer for nothing, because nobody said what it costs';
    exception when raise_exception then
        assert sqlerrm = 'no fee rule for transfer in GNF';
    end;
end $$;
rollback;
