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
    insert into auth.users (id, email) values (someone, 'p' || n || '@status.test');
    return someone;
end $$;
create function pg_temp.put(wallet uuid, amount bigint) returns text language sql as $$
    select pg_temp.code(format('select ledger.post(''adjustment'', ''GNF'', array[(ledger.platform_account(''losses'', ''GNF''), %s)::ledger.leg,
        (%L, %s)::ledger.leg], null, null, 1)', -amount, wallet, amount))
$$;
create function pg_temp.admin() returns uuid language sql as $$ select '00000000-0000-4000-8000-000000000009'::uuid $$;
create function pg_temp.status(wallet uuid, status text, reason text default 'a good reason') returns text language sql as $$
    select pg_temp.code(format('select ledger.set_wallet_status(%L, %L, %L, %L)', wallet, status, reason, pg_temp.admin()))
$$;

-- Blocked, it neither gives nor takes, and says since when, by whom and why; unblocked, nothing of it remains but the audit.
do $$
declare
    w uuid := ledger.wallet_for(pg_temp.person(1), 'GNF');
    now_is ledger.wallets;
    trace core.audit_logs;
begin
    assert pg_temp.put(w, 500) = 'ok';
    now_is := ledger.set_wallet_status(w, 'blocked', '  stolen phone ', pg_temp.admin());
    assert (now_is.status, now_is.blocked_reason, now_is.blocked_by, now_is.balance) = ('blocked', 'stolen phone', pg_temp.admin(), 500) and now_is.blocked_at = now();
    assert pg_temp.put(w, 1) = 'RECIPIENT_UNAVAILABLE' and pg_temp.put(w, -1) = 'WALLET_BLOCKED';
    select * into trace from core.audit_logs where target_id = w::text;
    assert (trace.action, trace.target_type, trace.old ->> 'status', trace.new ->> 'status', trace.new ->> 'reason', trace.new ->> 'by')
        = ('wallet.blocked', 'wallet', 'active', 'blocked', 'stolen phone', pg_temp.admin()::text), trace::text;
    assert pg_temp.status(w, 'blocked', 'again') = 'ok', 'sent twice it comes to the same';
    now_is := ledger.set_wallet_status(w, 'active', 'phone was found', pg_temp.admin());
    assert now_is.status = 'active' and (now_is.blocked_reason, now_is.blocked_at, now_is.blocked_by) is null and pg_temp.put(w, 1) = 'ok';
    assert (select count(*) from core.audit_logs where target_id = w::text) = 3;
end $$;

-- A wallet is closed when it is empty, to the last unit, and for ever.
do $$
declare
    w uuid := ledger.wallet_for(pg_temp.person(2), 'GNF');
begin
    assert pg_temp.put(w, 1) = 'ok' and pg_temp.status(w, 'closed') = 'INVALID_STATE', 'closed with money in it';
    assert pg_temp.status(w, 'blocked') = 'ok' and pg_temp.status(w, 'closed') = 'INVALID_STATE', 'blocked first, closed with money in it';
    assert pg_temp.status(w, 'active') = 'ok' and pg_temp.put(w, -1) = 'ok' and pg_temp.status(w, 'closed') = 'ok';
    assert pg_temp.status(w, 'active') = 'INVALID_STATE' and pg_temp.status(w, 'blocked') = 'INVALID_STATE' and pg_temp.status(w, 'closed') = 'ok';
    assert pg_temp.put(w, 1) = 'RECIPIENT_UNAVAILABLE' and (select status from ledger.wallets where id = w) = 'closed';
end $$;

-- No status of ours, no reason, no wallet: nothing changes, and nobody calls it from outside.
do $$
declare
    w uuid := ledger.wallet_for(pg_temp.person(3), 'GNF');
    before ledger.wallets := (select x from ledger.wallets x where x.id = w);
begin
    assert pg_temp.status(w, 'frozen') = 'VALIDATION_ERROR' and pg_temp.status(w, null) = 'VALIDATION_ERROR';
    assert pg_temp.status(w, 'blocked', null) = 'VALIDATION_ERROR' and pg_temp.status(w, 'blocked', ' no ') = 'VALIDATION_ERROR';
    assert pg_temp.status(w, 'blocked', repeat('x', 501)) = 'VALIDATION_ERROR' and pg_temp.status(gen_random_uuid(), 'blocked') = 'NOT_FOUND';
    assert before = (select x from ledger.wallets x where x.id = w) and not exists (select from core.audit_logs where target_id = w::text);
    assert not exists (select from unnest(array['anon', 'authenticated', 'service_role']) door
        where has_function_privilege(door, 'ledger.set_wallet_status(uuid, text, text, uuid)', 'execute'));
end $$;
rollback;
