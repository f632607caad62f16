begin;
create function pg_temp.id(n integer) returns uuid language sql as $$ select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid $$;
create function pg_temp.rich(n integer) returns ledger.wallets language plpgsql as $$
declare
    made ledger.wallets;
begin
    insert into auth.users (id, email) values (pg_temp.id(n), 'p' || n || '@fewer.test');
    perform ledger.post('deposit', 'GNF', array[row(ledger.platform_account('provider_clearing', 'GNF'), -90000000), row(w.id, 90000000)]::ledger.leg[],
        null, null, 90000000) from (select ledger.wallet_for(pg_temp.id(n), 'GNF') as id) w;
    update ledger.wallets set daily_limit = 1000000000, monthly_limit = 1000000000 where user_id = pg_temp.id(n) returning * into made;
    return made;
end $$;
create function pg_temp.ask(who integer, ask jsonb) returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id(who), 'role', 'authenticated')::text, true);
    perform set_config('request.headers', '{"x-request-id": "fewer"}', true);
    perform set_config('role', 'authenticated', true);
    answer := api.wallet_operations(ask);
    perform set_config('role', 'none', true);
    return answer;
exception when sqlstate 'PGRST' then
    return jsonb_build_object('code', sqlerrm::jsonb ->> 'code');
end $$;

-- What a transfer leaves goes by its id, once each; a key is checked, and answers again.
do $$
declare
    ann ledger.wallets := pg_temp.rich(1);
    ben ledger.wallets := pg_temp.rich(2);
    ask jsonb := jsonb_build_object('operation', 'transfer', 'amount', 1000, 'recipient_id', ben.user_id, 'idempotency_key', 'fewer-01');
    got jsonb := pg_temp.ask(1, ask);
    tx uuid := got ->> 'transaction_id';
    bad text;
begin
    assert pg_temp.ask(1, ask) = got and pg_temp.ask(1, ask || '{"amount": 1001}') = '{"code": "IDEMPOTENCY_MISMATCH"}';
    assert exists (select from ledger.fraud_detection_logs f where f.id = tx and f.user_id = ann.user_id and f.request_id = 'fewer')
        and exists (select from ledger.wallet_logs l where l.id = tx and l.actor_id = ann.user_id and l.request_id = 'fewer')
        and exists (select from core.outbox o where o.id = tx and o.dedupe_key = 'transfer_received:' || tx)
        and exists (select from ledger.transactions t where t.id = tx and t.initiator_id = ann.user_id and t.request_id = 'fewer');
    assert (select (balance, sent_count, sent_total, spent_today) = (ann.balance - (got ->> 'total')::bigint, 1, 1000, 1000) from ledger.wallets where id = ann.id)
        and (select (balance, sent_count, spent_on) = (ben.balance + 1000, 0, '-infinity') from ledger.wallets where id = ben.id);
    foreach bad in array array['7 chars', repeat('x', 256), 'has a space', 'é-is-not-ascii'] loop
        assert pg_temp.ask(1, ask || jsonb_build_object('idempotency_key', bad)) = '{"code": "VALIDATION_ERROR"}', bad;
    end loop;
    assert core.request_id() = 'fewer' and core.is_uuid(tx::text) and core.is_uuid(upper(tx::text)) and not core.is_uuid(tx || ' ')
        and not core.is_uuid('') and core.is_uuid(null) is null;
end $$;

-- Whoever may not get is refused by name where only that is written; a platform's account that gets has no wallet to ask.
do $$
declare
    cay ledger.wallets := pg_temp.rich(3);
    clearing uuid := ledger.platform_account('provider_clearing', 'GNF');
begin
    update ledger.wallets set status = 'blocked' where id = cay.id;
    begin
        perform ledger.post('deposit', 'GNF', array[row(clearing, -1), row(cay.id, 1)]::ledger.leg[], null, null, 1);
        assert false, 'a blocked wallet was paid';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'RECIPIENT_UNAVAILABLE', sqlerrm;
    end;
    update ledger.wallets set status = 'active', balance = 9007199254740991 where id = cay.id;
    begin
        perform ledger.post('deposit', 'GNF', array[row(clearing, -1), row(cay.id, 1)]::ledger.leg[], null, null, 1);
        assert false, 'more than a client can count';
    exception when sqlstate 'PGRST' then
        assert sqlerrm::jsonb ->> 'code' = 'RECIPIENT_UNAVAILABLE', sqlerrm;
    end;
end $$;

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

-- A fee is the same in terms as by name, also where there is no upper bound, or no terms.
do $$
declare
    t ledger.terms := (select t from ledger.terms t where currency = 'GNF');
    amount bigint;
begin
    foreach amount in array array[1, 99, 100, 5000, 9999, 10000, 123456789, 9007199254740991] loop
        assert ledger.transfer_fee(t, 'GNF', amount) = ledger.fee('transfer', 'GNF', amount), amount;
    end loop;
    t.max_fee := null; t.fee_type := 'fixed'; t.fee_value := 70; t.min_fee := 90;
    assert ledger.transfer_fee(t, 'GNF', 1) = 90;
    t.fee_value := 170;
    assert ledger.transfer_fee(t, 'GNF', 1) = 170;
    t.fee_type := null;
    assert ledger.transfer_fee(t, 'GNF', 10000) = ledger.fee('transfer', 'GNF', 10000);
end $$;
rollback;
