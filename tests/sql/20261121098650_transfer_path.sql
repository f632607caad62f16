begin;
\ir lib/wallets.psql
create function pg_temp.locked(wallet uuid) returns boolean language sql as $$
    select w.xmax::text <> '0' from ledger.wallets w where w.id = wallet
$$;

-- What a transfer notes in its one statement is what ledger.note, core.outbox_add and core.remember write, column for column.
do $$
declare
    ann ledger.wallets := pg_temp.rich(1, '20000000-0000-4000-8000-000000000001');
    ben ledger.wallets := pg_temp.rich(2, '20000000-0000-4000-8000-000000000002');
    ask jsonb := jsonb_build_object('operation', 'transfer', 'amount', 1000, 'recipient_id', ben.user_id, 'idempotency_key', 'path-00001');
    got jsonb := pg_temp.ask(1, ask);
    verdict ledger.verdict;
    notice jsonb := jsonb_build_object('type', 'transfer_received', 'user_id', ben.user_id, 'amount', 1000, 'currency', 'GNF');
begin
    verdict := ledger.score(1000000, 1000, true, 0, 0, 0, (select t from ledger.terms t where currency = 'GNF'));
    perform ledger.note(ann, 1000, ben.id, 'transfer', verdict, 'ok');
    assert (select count(*) = 2 and count(distinct to_jsonb(l) - 'id') = 1 from ledger.wallet_logs l where l.actor_id = ann.user_id), 'the log differs';
    assert (select count(*) = 2 and count(distinct to_jsonb(f) - 'id') = 1 from ledger.fraud_detection_logs f where f.user_id = ann.user_id), 'the score differs';
    assert (select l.request_id = 'path' and l.outcome = 'ok' from ledger.wallet_logs l where l.actor_id = ann.user_id limit 1);
    perform core.outbox_add('push', notice, 'twin');
    assert (select count(*) = 2 and count(distinct to_jsonb(o) - 'id' - 'dedupe_key') = 1 from core.outbox o where o.payload = notice), 'the notice differs';
    perform core.remember('twin', ask, got);
    assert (select count(*) = 2 and count(distinct to_jsonb(k) - 'function') = 1 from core.idempotency_keys k where k.key = 'path-00001'), 'the memory differs';
    assert pg_temp.ask(1, ask) = got and (got ->> 'new_balance')::bigint = (select balance from ledger.wallets where id = ann.id);
    assert exists (select from ledger.known_recipients where sender_wallet_id = ann.id and receiver_wallet_id = ben.id);
end $$;

-- Wallets are locked in the order of their ids, and a recipient's that comes after not before the money moves: a refused transfer
-- has not touched it. One that comes before has to be locked first.
do $$
declare
    four uuid[] := array['30000000-0000-4000-8000-000000000001', '30000000-0000-4000-8000-000000000002',
        '30000000-0000-4000-8000-000000000003', '30000000-0000-4000-8000-000000000004'];
begin
    insert into auth.users (id, email) select pg_temp.id(30 + n), 'p' || 30 + n || '@path.test' from generate_series(1, 4) n;
    insert into ledger.accounts (id, kind, currency) select w, 'user_wallet', 'GNF' from unnest(four) w;
    -- Written once, so that nothing but the transfer can have locked them.
    insert into ledger.wallets (id, user_id, currency, balance, daily_limit) select four[n], pg_temp.id(30 + n), 'GNF', 5000, 0 from generate_series(1, 4) n;
    assert pg_temp.transfer(31, 32, 1000) ->> 'code' = 'LIMIT_EXCEEDED';
    assert pg_temp.locked(four[1]) and not pg_temp.locked(four[2]), 'the recipient was locked too soon, or the sender not at all';
    assert pg_temp.transfer(34, 33, 1000) ->> 'code' = 'LIMIT_EXCEEDED';
    assert pg_temp.locked(four[3]) and pg_temp.locked(four[4]), 'out of order';
    update ledger.wallets set balance = 0 where id = any (four);
end $$;

-- A recipient who is gone or was never there is not told apart, also when it is oneself; nobody's wallet is made on the way.
do $$
declare
    wallets bigint;
begin
    perform pg_temp.rich(5, '40000000-0000-4000-8000-000000000001');
    wallets := (select count(*) from ledger.wallets);
    assert pg_temp.transfer(5, 999, 1000) ->> 'code' = 'RECIPIENT_NOT_FOUND' and pg_temp.transfer(5, 5, 1000) ->> 'code' = 'SELF_TRANSFER';
    assert (select count(*) from ledger.wallets) = wallets;
    update people.profiles set deleted_at = now() where id = pg_temp.id(5);
    assert pg_temp.transfer(5, 5, 1000) ->> 'code' = 'RECIPIENT_NOT_FOUND' and pg_temp.transfer(1, 5, 1000) ->> 'code' = 'RECIPIENT_NOT_FOUND';
    -- Somebody who had no wallet has one when he is paid.
    insert into auth.users (id, email) values (pg_temp.id(6), 'p6@path.test');
    assert pg_temp.transfer(1, 6, 1000) @> '{"success": true}';
    assert (select balance from ledger.wallets where user_id = pg_temp.id(6)) = 1000;
    assert (ledger.check_books() ->> 'ok')::boolean;
end $$;
rollback;
