begin;
create function pg_temp.wallet(n integer) returns uuid language sql as $$
    select ('60000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.post(type text, variadic legs text[]) returns text language plpgsql as $$
declare
    made ledger.leg[];
    leg text;
    who text;
begin
    foreach leg in array legs loop
        who := split_part(leg, '=', 1);
        made := made || row(case when who ~ '^\d$' then pg_temp.wallet(who::integer) else ledger.platform_account(who, 'GNF') end,
            split_part(leg, '=', 2)::bigint)::ledger.leg;
    end loop;
    return 'ok ' || ledger.post(type, 'GNF', made, null, null, 1);
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
end $$;
do $$ begin
    insert into auth.users (id, email) select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'p' || n || '@posting.test' from generate_series(1, 4) n;
    insert into ledger.accounts (id, kind, currency) select pg_temp.wallet(n), 'user_wallet', 'GNF' from generate_series(1, 4) n;
    insert into ledger.wallets (id, user_id, currency)
    select pg_temp.wallet(n), ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'GNF' from generate_series(1, 4) n;
    assert pg_temp.post('deposit', 'losses=-4000', '1=1000', '2=1000', '3=1000', '4=1000') like 'ok %';
end $$;

-- In the order of the ids, whatever the order of the legs: the first wallet that cannot is the one that is named.
do $$ begin
    assert pg_temp.post('transfer', '4=-1', '3=-1001', '2=1002') = 'INSUFFICIENT_FUNDS';
    update ledger.wallets set status = 'blocked' where id = pg_temp.wallet(2);
    assert pg_temp.post('transfer', '3=-1001', '2=1001') = 'RECIPIENT_UNAVAILABLE', 'two comes before three';
    assert pg_temp.post('transfer', '1=-1001', '2=1001') = 'INSUFFICIENT_FUNDS', 'one comes before two';
    assert pg_temp.post('transfer', '2=-1', '1=1') = 'WALLET_BLOCKED';
    assert pg_temp.post('chargeback', '2=-1', 'losses=1') like 'ok %', 'what a provider has taken back was the wallet''s';
    assert pg_temp.post('chargeback', '2=-1000', 'losses=1000') = 'INSUFFICIENT_FUNDS';
    update ledger.wallets set status = 'closed' where id = pg_temp.wallet(2);
    assert pg_temp.post('chargeback', '2=-1', 'losses=1') = 'WALLET_BLOCKED' and pg_temp.post('deposit', 'losses=-1', '2=1') = 'RECIPIENT_UNAVAILABLE';
    update ledger.wallets set status = 'active' where id = pg_temp.wallet(2);
    assert pg_temp.post('deposit', 'losses=-9007199254740991', '2=9007199254740991') = 'RECIPIENT_UNAVAILABLE';
    assert (select array_agg(balance order by id) from ledger.wallets where id <= pg_temp.wallet(4) and id >= pg_temp.wallet(1)) = '{1000,999,1000,1000}',
        'what was refused moved nothing';
end $$;

-- A row is written once in a posting, whatever it is part of: a second time would lock the rows that it refers to.
do $$
declare
    before bigint;
    tx ledger.transactions;
begin
    before := (select n_tup_upd from pg_stat_xact_user_tables where relid = 'ledger.wallets'::regclass);
    assert pg_temp.post('transfer', 'losses=-5', '3=-20', '1=-10', '4=25', 'escrow=3', '2=7') like 'ok %';
    assert (select n_tup_upd from pg_stat_xact_user_tables where relid = 'ledger.wallets'::regclass) = before + 4;
    select * into tx from ledger.transactions order by created_at desc limit 1;
    assert (tx.sender_wallet_id, tx.receiver_wallet_id) = (pg_temp.wallet(3), pg_temp.wallet(4)), 'the first wallet that gives, the first that gets';
    assert (select array_agg((e.leg, e.amount, e.balance_after, e.user_id is null)::text order by leg) from ledger.entries e where e.transaction_id = tx.id)
        = '{"(1,-5,,t)","(2,-20,980,f)","(3,-10,990,f)","(4,25,1025,f)","(5,3,,t)","(6,7,1006,f)"}';
    assert (select array_agg(sent_count order by id) from ledger.wallets where id <= pg_temp.wallet(4) and id >= pg_temp.wallet(1)) = '{0,1,1,0}';
    -- Limits count what a transfer takes from whoever gives.
    assert (select array_agg(spent_today order by id) from ledger.wallets where id <= pg_temp.wallet(4) and id >= pg_temp.wallet(1)) = '{1,0,1,0}';
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
