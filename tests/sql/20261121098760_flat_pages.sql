begin;
-- What the planner is told of a column, every partition of its table is told too, the ones to come as well.
do $$
declare
    told record;
begin
    perform core.add_partition('ledger.entries', '209912', 'for values from (''2099-12-01 UTC'') to (''2100-01-01 UTC'')');
    for told in select a.attrelid, a.attname, a.attoptions from pg_attribute a join core.monthly_tables m on m.name::regclass = a.attrelid
        where a.attoptions is not null loop
        assert not exists (select from pg_inherits i join pg_attribute a on a.attrelid = i.inhrelid and a.attname = told.attname
            where i.inhparent = told.attrelid and a.attoptions is distinct from told.attoptions), format('%s.%s', told.attrelid::regclass, told.attname);
    end loop;
    assert (select attoptions from pg_attribute where attrelid = 'ledger.entries_209912'::regclass and attname = 'user_id') = '{n_distinct=100}';
end $$;

-- The month rolls over: what is missing ahead is made by the clock, and a line of that month lies in its partition, not in the default.
do $$
declare
    month date := date_trunc('month', now() at time zone 'UTC') + interval '2 months';
    at timestamptz := (month + 3)::timestamp at time zone 'UTC';
    suffix text := to_char(month, '_YYYYMM');
    target text;
    tx uuid := gen_random_uuid();
begin
    for target in select name from core.monthly_tables loop
        execute format('drop table %s', target || suffix);
    end loop;
    assert core.keep_partitions() = (select count(*) from core.monthly_tables) and core.keep_partitions() = 0;
    insert into ledger.transactions (id, type, amount, currency, created_at) values (tx, 'deposit', 5, 'GNF', at);
    insert into ledger.entries (created_at, transaction_id, leg, account_id, currency, amount)
    select at, tx, l.leg, ledger.platform_account(l.kind, 'GNF'), 'GNF', l.amount from (values (1, 'losses', -5), (2, 'escrow', 5)) l (leg, kind, amount);
    insert into ledger.wallet_logs (operation, currency, amount, outcome, created_at) values ('transfer', 'GNF', 5, 'ok', at);
    assert (select tableoid::regclass::text from ledger.transactions where id = tx and created_at = at) = 'ledger.transactions' || suffix;
    assert (select array_agg(distinct tableoid::regclass::text) from ledger.entries where transaction_id = tx) = array['ledger.entries' || suffix];
    assert (select tableoid::regclass::text from ledger.wallet_logs where created_at = at) = 'ledger.wallet_logs' || suffix;
    -- The new home refuses what the others refuse.
    begin
        execute format('update %s set amount = 6', 'ledger.entries' || suffix);
        assert false, 'a line was changed';
    exception when raise_exception then
        null;
    end;
    begin
        insert into ledger.entries (created_at, transaction_id, leg, account_id, currency, amount)
        values (at, gen_random_uuid(), 1, ledger.platform_account('losses', 'GNF'), 'GNF', 5);
        assert false, 'a line without its counterpart';
    exception when raise_exception then
        null;
    end;
end $$;

-- A line whose transaction names others than the asker is not shown; his own are, with what their transaction says.
do $$
declare
    ann uuid := '00000000-0000-4000-8000-000000000001';
    ben uuid := '00000000-0000-4000-8000-000000000002';
    own uuid; his uuid; losses uuid := ledger.platform_account('losses', 'GNF');
begin
    insert into auth.users (id, email) values (ann, 'ann@pages.test'), (ben, 'ben@pages.test');
    own := ledger.wallet_for(ann, 'GNF');
    his := ledger.wallet_for(ben, 'GNF');
    perform ledger.post('deposit', 'GNF', array[row(losses, -100), row(own, 100)]::ledger.leg[], null, null, 100, 0, 'hers alone');
    perform ledger.post('surplus', 'GNF', array[row(losses, -30), row(his, 20), row(own, 10)]::ledger.leg[], null, null, 30, 0, 'named is he');
    perform set_config('request.jwt.claims', jsonb_build_object('sub', ann, 'role', 'authenticated')::text, true);
    set local role authenticated;
    assert (select array_agg((h.type, h.amount, h.balance_after, h.description)::text) from api.wallet_history h) = '{"(deposit,100,100,\"hers alone\")"}';
    reset role;
    assert (select count(*) from ledger.entries where user_id = ann) = 2;
end $$;
rollback;
