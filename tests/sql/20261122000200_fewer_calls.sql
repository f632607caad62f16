begin;
\ir lib/rich.psql

-- The judge's shortcut says what ledger.severity says, with the history that ledger.sent_since reads: none, of today, and uncounted.
do $$
declare
    terms ledger.terms := (select t from ledger.terms t where currency = 'GNF');
    wallet ledger.wallets;
    c record;
    expected text;
    found record;
    n integer := 10;
begin
    for c in select * from (values (2000000, 0, 0, true), (2000001, 0, 0, true), (1000, 9, 1000, true), (1000, 10, 1000, true), (1000, 9, 1000, false),
        (1000, 10, 1000, false), (1000000, 4, 4000000, true), (1000000, 4, 4000100, true), (1000000, 4, 4000100, false)) as t (amount, sent, total, counted) loop
        n := n + 1;
        wallet := pg_temp.rich(n);
        insert into ledger.transactions (type, sender_wallet_id, amount, currency, created_at, sent_count, sent_total)
        select 'transfer', wallet.id, c.total / greatest(c.sent, 1), 'GNF', now() - interval '23 hours' + make_interval(mins => k), case when c.counted then k end,
               case when c.counted then k * (c.total / greatest(c.sent, 1)) end from generate_series(1, c.sent) k;
        update ledger.wallets set sent_count = case when c.counted then c.sent else 0 end, sent_total = case when c.counted then c.sent * (c.total / greatest(c.sent, 1)) else 0 end
         where id = wallet.id returning * into wallet;
        select s.count, s.total into found from ledger.sent_since(wallet, '24 hours') s;
        assert (found.count, found.total) = (c.sent, c.sent * (c.total / greatest(c.sent, 1))), found;
        expected := ledger.severity(c.amount, found.count, found.total, terms);
        perform ledger.judge(wallet, c.amount, 0, null, 'transfer', terms);
        assert (select string_agg(a.severity, ',') from ledger.wallet_suspicious_activities a where a.wallet_id = wallet.id) is not distinct from expected,
            format('%s: not %s', c, expected);
    end loop;
end $$;
rollback;
