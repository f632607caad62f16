begin;
\ir lib/rich.psql

-- A line carries its own owner and balance, wherever among the legs its wallet is; who asked is who asks, unless somebody has read it.
do $$
declare
    ann ledger.wallets := pg_temp.rich(5);
    ben ledger.wallets := pg_temp.rich(6);
    losses uuid := ledger.platform_account('losses', 'GNF');
    fees uuid := ledger.platform_account('platform_fees', 'GNF');
    tx uuid;
begin
    perform set_config('request.jwt.claims', jsonb_build_object('sub', ann.user_id)::text, true), set_config('request.headers', '{"x-request-id": "read"}', true);
    tx := ledger.post('adjustment', 'GNF', array[row(losses, 2), row(fees, -7), row(ann.id, 5)]::ledger.leg[], null, null, 7);
    assert (select array_agg((e.leg, e.user_id, e.balance_after)::text order by e.leg) from ledger.entries e where e.transaction_id = tx)
        = array[(1, null::uuid, null::bigint)::text, (2, null::uuid, null::bigint)::text, (3, ann.user_id, ann.balance + 5)::text];
    assert (select (t.initiator_id, t.request_id, t.receiver_wallet_id, t.receiver_user_id) = (ann.user_id, 'read', ann.id, ann.user_id)
                and t.sender_wallet_id is null from ledger.transactions t where t.id = tx);
    tx := ledger.post('adjustment', 'GNF', array[row(losses, 2), row(ben.id, 3), row(ann.id, -5)]::ledger.leg[], null, null, 5,
        initiator => ben.user_id, request => 'given');
    assert (select array_agg((e.leg, e.user_id, e.balance_after)::text order by e.leg) from ledger.entries e where e.transaction_id = tx)
        = array[(1, null::uuid, null::bigint)::text, (2, ben.user_id, ben.balance + 3)::text, (3, ann.user_id, ann.balance)::text];
    assert (select (t.initiator_id, t.request_id, t.sender_wallet_id, t.receiver_wallet_id, t.sent_count) = (ben.user_id, 'given', ann.id, ben.id, 1)
              from ledger.transactions t where t.id = tx);
    tx := ledger.post('adjustment', 'GNF', array[row(losses, -1), row(fees, 1)]::ledger.leg[], null, null, 1);
    assert (select count(*) = 2 and bool_and(e.user_id is null and e.balance_after is null) from ledger.entries e where e.transaction_id = tx), 'no wallet at all';
end $$;

-- Wallets are changed, and so locked, in the order of their ids, few or many, with statistics or without.
create temporary table touched (place serial, id uuid);
create function pg_temp.touch() returns trigger language plpgsql as $$
begin
    insert into touched (id) values (new.id);
    return new;
end $$;
do $$
declare
    legs ledger.leg[];
begin
    create trigger touch before update on ledger.wallets for each row execute function pg_temp.touch();
    insert into auth.users (id, email) select pg_temp.id(n), 'p' || n || '@order.test' from generate_series(101, 160) n;
    perform ledger.wallet_for(pg_temp.id(n), 'GNF') from generate_series(101, 160) n;
    for turn in 1 .. 9 loop
        if turn = 6 then
            execute 'analyze ledger.wallets';
        end if;
        select array_agg(row(w.id, 10)::ledger.leg order by random()) into legs
          from (select v.id, row_number() over (order by random()) as n from ledger.wallets v join people.profiles p on p.id = v.user_id
                 where v.user_id between pg_temp.id(101) and pg_temp.id(160)) w where w.n <= 7 * turn - 5;
        legs := legs || row(ledger.platform_account('losses', 'GNF'), -(select sum(l.amount) from unnest(legs) l))::ledger.leg;
        delete from touched;
        perform ledger.post('adjustment', 'GNF', legs, null, null, 1);
        assert (select array_agg(id order by place) = array_agg(id order by id) and count(*) = 7 * turn - 5 from touched), 'turn ' || turn;
    end loop;
end $$;
rollback;
