begin;
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
    insert into auth.users (id, email) values (someone, 'p' || n || '@audit.test');
    return someone;
end $$;
create function pg_temp.post(type text, legs text) returns uuid language sql as $$
    select ledger.post(type, 'GNF', (select array_agg((case when l like 'w%' then (select w.id from ledger.wallets w where w.currency = 'GNF'
        and w.user_id = ('00000000-0000-4000-8000-' || lpad(substr(split_part(l, '=', 1), 2), 12, '0'))::uuid)
        else ledger.platform_account(split_part(l, '=', 1), 'GNF') end, split_part(l, '=', 2)::bigint)::ledger.leg)
      from unnest(string_to_array(legs, ' ')) l), null, null, 1)
$$;
-- The audit after a superuser ran this; then all is as before.
create function pg_temp.tampered(commands text, noted text default null) returns jsonb language plpgsql as $$
declare
    found jsonb;
begin
    set local session_replication_role = replica;
    execute commands;
    set local session_replication_role = origin;
    found := ledger.audit(noted);
    raise exception using errcode = 'U0001', message = found::text;
exception when sqlstate 'U0001' then
    return sqlerrm::jsonb;
end $$;
create function pg_temp.back_then() returns timestamptz language sql as $$ select ledger.day_start((now() at time zone 'UTC')::date - 2) + interval '1 hour' $$;

-- Where nothing has happened there is nothing wrong; what cannot be counted is null, not 0.
do $$
declare
    said jsonb := ledger.audit();
begin
    assert said @> '{"ok": true, "accounts": [], "clearing": [], "noted": null, "broken": {"transactions": [], "wallets": []}}', said::text;
    assert said -> 'waiting' @> '{"unsealed_transactions": 0, "blocked_wallets": 0, "dead_letters": 0}', said::text;
    assert (said -> 'waiting' -> 'reconciliation_differences' = 'null') = (to_regclass('payments.reconciliation_differences') is null), said::text;
end $$;

-- The figures: each kind of account with its total, what lies in clearing and who is to get it, what waits.
do $$
declare
    said jsonb;
    tx uuid;
begin
    perform ledger.wallet_for(pg_temp.person(1), 'GNF'), ledger.wallet_for(pg_temp.person(2), 'GNF');
    perform pg_temp.post('deposit', 'provider_clearing=-10050 w1=10000 platform_fees=50'), pg_temp.post('transfer', 'w1=-1010 w2=1000 platform_fees=10');
    tx := pg_temp.post('withdrawal', 'w1=-507 payout_clearing=500 platform_fees=7');
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id)
    values ('wallet_withdrawal', '00000000-0000-4000-8000-000000000001', 500, 7, 'GNF', 'wave', '224620000001', tx);
    perform pg_temp.post('suspense', 'provider_clearing=-30 suspense=30');
    insert into ledger.transactions (type, amount, currency, created_at) values ('deposit', 1, 'GNF', pg_temp.back_then());
    perform payments.alert('orphan_payment', 'x', '{}');
    said := ledger.audit();
    assert said @> '{"ok": true}', said::text;
    assert (select string_agg(format('%s=%s', a ->> 'kind', a ->> 'total'), ' ') from jsonb_array_elements(said -> 'accounts') a)
        = 'payout_clearing=500 platform_fees=67 provider_clearing=-10080 suspense=30 user_wallet=9483', said::text;
    assert said -> 'clearing' = '[{"account": "payout_clearing", "currency": "GNF", "total": 500, "open": 500, "count": 1}]', said::text;
    assert (said #>> '{waiting,unsealed_transactions}')::integer = 5 and (said #>> '{waiting,alerts}')::integer >= 1, said::text;
end $$;

-- Whatever does not add up is named: the wallet, the transaction with its day, the payout that has no money, the day of the chain.
do $$
declare
    said jsonb;
    w uuid := (select id from ledger.wallets where user_id = '00000000-0000-4000-8000-000000000002');
begin
    said := pg_temp.tampered(format('update ledger.wallets set balance = 1001 where id = %L', w));
    assert said @> jsonb_build_object('ok', false, 'broken', jsonb_build_object('wallets',
        jsonb_build_array(jsonb_build_object('id', w, 'balance', 1001, 'lines', 1000)))), said::text;
    said := pg_temp.tampered('insert into ledger.entries (transaction_id, leg, account_id, currency, amount, created_at) values
        (''00000000-0000-4000-9000-000000000001'', 1, ledger.platform_account(''losses'', ''GNF''), ''GNF'', 5, pg_temp.back_then()),
        (''00000000-0000-4000-9000-000000000002'', 1, ledger.platform_account(''losses'', ''GNF''), ''GNF'', -5, pg_temp.back_then())');
    assert said @> '{"ok": false, "books": {"ok": true}}', 'each is wrong, though together they are 0: ' || said;
    assert said #> '{broken,transactions}' = jsonb_build_array(
        jsonb_build_object('id', '00000000-0000-4000-9000-000000000001', 'day', ledger.utc(pg_temp.back_then()), 'currency', 'GNF', 'off', 5),
        jsonb_build_object('id', '00000000-0000-4000-9000-000000000002', 'day', ledger.utc(pg_temp.back_then()), 'currency', 'GNF', 'off', -5)), said::text;
    said := pg_temp.tampered('delete from payments.payouts');
    assert said @> '{"ok": false, "clearing": [{"account": "payout_clearing", "total": 500, "open": 0}]}', said::text;
    said := pg_temp.tampered('insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id)
        select kind, user_id, 3, 0, ''XOF'', method, destination, gen_random_uuid() from payments.payouts');
    assert said @> '{"ok": false, "clearing": [{"currency": "XOF", "total": 0, "open": 3, "count": 1}]}', 'a payout without money: ' || said;
    said := pg_temp.tampered('update payments.payouts set status = ''completed''');
    assert said @> '{"ok": false}', 'completed, and its money still lies there: ' || said;
    perform pg_temp.post('ride_payment', 'w1=-20 ride_clearing=20');
    said := ledger.audit();
    assert said @> '{"ok": false, "clearing": [{"account": "ride_clearing", "total": 20, "open": 0, "count": 0}]}', 'money of no ride: ' || said;
    perform pg_temp.post('ride_refund', 'w1=20 ride_clearing=-20');
    assert (ledger.audit() ->> 'ok')::boolean, ledger.audit()::text;
end $$;

-- The chain is part of it, and the head that was noted elsewhere: of any day, in either case of its letters, but one of ours.
do $$
declare
    head text;
    later text;
    said jsonb;
begin
    assert ledger.seal_days(1) = 1;
    head := ledger.verify_chain() ->> 'head';
    assert ledger.seal_days(1) <= 1;
    later := ledger.verify_chain() ->> 'head';
    assert ledger.audit(head) @> jsonb_build_object('ok', true, 'noted', jsonb_build_object('head', head, 'day', (pg_temp.back_then() at time zone 'UTC')::date));
    assert (ledger.audit(upper(later)) ->> 'ok')::boolean and not (ledger.audit(repeat('0', 64)) ->> 'ok')::boolean;
    assert ledger.audit('nonsense') @> '{"ok": false, "noted": {"head": "nonsense", "day": null}}';
    said := pg_temp.tampered('update ledger.transactions set amount = 2 where created_at = pg_temp.back_then()', head);
    assert said @> jsonb_build_object('ok', false, 'chain', jsonb_build_object('broken', jsonb_build_object('seal', 'holds', 'day', (pg_temp.back_then() at time zone 'UTC')::date,
        'changed', (select jsonb_agg(id) from ledger.transactions where created_at = pg_temp.back_then())))), said::text;
    said := pg_temp.tampered('delete from ledger.seals; delete from ledger.sealed_transactions; update ledger.transactions set amount = 2 where created_at = pg_temp.back_then();
        select ledger.seal_days(2)', head);
    assert said @> '{"ok": false, "chain": {"ok": true}, "noted": {"day": null}}', 'all rewritten, only the head outside knows: ' || said;
end $$;

-- For the service and the owner alone.
do $$
declare
    door text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        assert pg_temp.code('select ledger.audit()') = case door when 'service_role' then 'ok' else '42501' end, door;
        assert pg_temp.code('select ledger.account_totals()') = '42501' and pg_temp.code('select ledger.waiting()') = '42501', door;
        reset role;
    end loop;
end $$;
rollback;
