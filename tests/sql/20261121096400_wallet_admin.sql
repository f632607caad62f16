begin;
create function pg_temp.id(n integer) returns uuid language sql as $$
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.person(n integer, funds bigint default 0) returns uuid language plpgsql as $$
begin
    insert into auth.users (id, email) values (pg_temp.id(n), 'p' || n || '@admin.test');
    if funds > 0 then
        perform ledger.post('deposit', 'GNF', array[(ledger.platform_account('provider_clearing', 'GNF'), -funds)::ledger.leg,
            (ledger.wallet_for(pg_temp.id(n), 'GNF'), funds)::ledger.leg], null, null, funds);
    end if;
    return pg_temp.id(n);
end $$;
-- A payment with its money put aside; the suspense entry's id.
create function pg_temp.aside(payer uuid, amount bigint, phone text default null) returns uuid language plpgsql as $$
declare
    payment uuid;
begin
    insert into payments.payments (user_id, provider, purpose, amount_due, credit_amount, currency, status, fingerprint, description, phone)
    values (payer, 'mtn_momo', 'wallet_deposit', amount, amount, 'GNF', 'success', '', 'Payment', phone) returning id into payment;
    return ledger.post('suspense', 'GNF', array[(ledger.platform_account('provider_clearing', 'GNF'), -amount)::ledger.leg,
        (ledger.platform_account('suspense', 'GNF'), amount)::ledger.leg], 'payment', payment::text, amount);
end $$;
create function pg_temp.ask(who uuid, ask jsonb) returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('response.status', '', true);
    perform set_config('request.jwt.claims', jsonb_build_object('sub', who, 'role', 'authenticated')::text, true);
    perform set_config('role', 'authenticated', true);
    answer := api.wallet_admin(ask);
    perform set_config('role', 'none', true);
    return answer;
end $$;
-- The code of a refusal, raised or returned, with its status when it was returned; 'ok' when there is none.
create function pg_temp.code(who uuid, ask jsonb) returns text language plpgsql as $$
declare
    no jsonb;
begin
    no := pg_temp.ask(who, ask);
    return coalesce(current_setting('response.status') || ' ' || (no ->> 'code'), 'ok');
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.balance(who uuid) returns bigint language sql as $$
    select balance from ledger.wallets where user_id = who and currency = 'GNF'
$$;
create function pg_temp.platform(kind text) returns bigint language sql as $$
    select coalesce(sum(e.amount), 0)::bigint from ledger.entries e where e.account_id = ledger.platform_account(kind, 'GNF')
$$;
create function pg_temp.stands() returns void language plpgsql as $$
begin
    assert (ledger.check_books() ->> 'ok')::boolean, 'the books do not balance: ' || ledger.check_books();
end $$;

-- Only staff, by their role alone: not a rider, not somebody who says so in the body or in the profile, not nobody.
do $$
declare
    boss uuid := pg_temp.person(1, 5000);
    rider uuid := pg_temp.person(2, 100000);
    ask jsonb := jsonb_build_object('action', 'block', 'user_id', pg_temp.id(2), 'reason', 'a stolen phone');
    door text;
begin
    assert pg_temp.code(boss, ask) = 'FORBIDDEN', 'without a role';
    update auth.users set raw_user_meta_data = '{"role": "admin"}' where id = boss;
    assert pg_temp.code(boss, ask || '{"admin_id": "00000000-0000-4000-8000-000000000001", "role": "admin"}') = 'FORBIDDEN';
    insert into people.user_roles values (boss, 'driver'), (pg_temp.person(3), 'pdg');
    assert pg_temp.code(boss, ask) = 'FORBIDDEN' and pg_temp.code(null, ask) = 'UNAUTHENTICATED';
    assert (select status from ledger.wallets where user_id = rider) = 'active', 'a refusal changed something';
    insert into people.user_roles values (boss, 'admin');
    foreach door in array array['anon', 'service_role'] loop
        perform set_config('role', door, true);
        begin
            perform api.wallet_admin(ask);
            assert false, door || ' administers wallets';
        exception when insufficient_privilege then
            null;
        end;
        perform set_config('role', 'none', true);
    end loop;
end $$;

-- Block and unblock, by owner or by wallet: a status with reason, time and name; audited with before and after.
do $$
declare
    boss uuid := pg_temp.id(1);
    rider uuid := pg_temp.id(2);
    wallet uuid := (select id from ledger.wallets where user_id = pg_temp.id(2));
    by_user jsonb := jsonb_build_object('user_id', rider, 'reason', 'a stolen phone');
    by_id jsonb := jsonb_build_object('wallet_id', wallet, 'reason', 'it was found');
    got jsonb;
begin
    assert pg_temp.code(boss, by_user || '{"action": "unblock"}') = '409 INVALID_STATE', 'an active wallet is not unblocked';
    got := pg_temp.ask(boss, by_user || '{"action": "block", "balance": 1}');
    assert got @> jsonb_build_object('success', true, 'wallet', jsonb_build_object('id', wallet, 'user_id', rider, 'currency', 'GNF',
        'status', 'blocked', 'blocked_reason', 'a stolen phone', 'blocked_by', boss)), got::text;
    assert not got -> 'wallet' ? 'balance' and pg_temp.balance(rider) = 100000;
    assert (select (a.old ->> 'status') || '>' || (a.new ->> 'status') || ':' || a.actor_id from core.audit_logs a
             where a.target_id = wallet::text and a.target_type = 'wallet') = 'active>blocked:' || boss;
    got := pg_temp.ask(pg_temp.id(3), by_id || '{"action": "unblock", "idempotency_key": "unblock-1"}');
    assert got #>> '{wallet,status}' = 'active' and got #> '{wallet,blocked_reason}' = 'null', 'the pdg may, too';
    assert pg_temp.ask(pg_temp.id(3), by_id || '{"action": "unblock", "idempotency_key": "unblock-1"}') = got;
    assert pg_temp.code(pg_temp.id(3), by_id || '{"action": "block", "idempotency_key": "unblock-1"}') = '422 IDEMPOTENCY_MISMATCH';
    assert pg_temp.code(boss, by_id || jsonb_build_object('action', 'block', 'user_id', pg_temp.id(3))) = '404 NOT_FOUND', 'two names, two wallets';
    assert pg_temp.code(boss, jsonb_build_object('action', 'block', 'user_id', boss, 'currency', 'XOF', 'reason', 'mine')) = '403 FORBIDDEN';
    assert pg_temp.code(boss, by_user || '{"action": "block", "currency": "XOF"}') = '404 NOT_FOUND';
    assert pg_temp.code(boss, jsonb_build_object('action', 'block', 'user_id', gen_random_uuid(), 'reason', 'nobody')) = '404 NOT_FOUND';
    perform pg_temp.ask(boss, by_id || '{"action": "block"}');
    update ledger.wallets set status = 'closed' where id = wallet;
    assert pg_temp.code(boss, by_id || '{"action": "unblock"}') = '409 INVALID_STATE' and pg_temp.code(boss, by_id || '{"action": "block"}') = '409 INVALID_STATE';
    update ledger.wallets set status = 'active', blocked_reason = null, blocked_at = null, blocked_by = null where id = wallet;
end $$;

-- What cannot be read changes nothing; each refusal is kept, with who tried.
do $$
declare
    boss uuid := pg_temp.id(1);
    rider jsonb := jsonb_build_object('user_id', pg_temp.id(2), 'reason', 'because');
    before bigint := (select count(*) from core.audit_logs where action = 'wallet_admin_refused' and actor_id = boss);
    c record;
begin
    for c in select * from (values ('{"action": "erase"}'), ('{"action": null}'), ('{"action": "block", "reason": null}'), ('{"action": "block", "reason": "no"}'),
        ('{"action": "block", "reason": 7}'), ('{"action": "block", "user_id": null}'), ('{"action": "block", "user_id": "x"}'),
        ('{"action": "set_limits", "daily_limit": 5}'), ('{"action": "set_limits", "daily_limit": 5, "monthly_limit": 4}'),
        ('{"action": "set_limits", "daily_limit": -1, "monthly_limit": 4}'), ('{"action": "set_limits", "daily_limit": 1.5, "monthly_limit": 4}'),
        ('{"action": "set_limits", "daily_limit": "5", "monthly_limit": 9}'), ('{"action": "set_limits", "daily_limit": 5, "monthly_limit": 9007199254740992}'),
        ('{"action": "settle_payout"}'), ('{"action": "settle_payout", "payout_id": "00000000-0000-4000-8000-000000000009", "result": "paid"}'),
        ('{"action": "settle_payout", "payout_id": "00000000-0000-4000-8000-000000000009", "result": "completed"}'), ('{"action": "release_suspense", "refund": true}'),
        ('{"action": "release_suspense", "entry_id": "00000000-0000-4000-8000-000000000009"}'),
        ('{"action": "release_suspense", "entry_id": "00000000-0000-4000-8000-000000000009", "refund": true, "to_user_id": "00000000-0000-4000-8000-000000000002"}')) as t (more)
    loop
        assert pg_temp.code(boss, rider || c.more::jsonb) = '400 VALIDATION_ERROR', c.more || ' gave ' || pg_temp.code(boss, rider || c.more::jsonb);
    end loop;
    assert (select count(*) - before from core.audit_logs where action = 'wallet_admin_refused' and actor_id = boss) = 19;
    assert (select daily_limit is null and status = 'active' from ledger.wallets where user_id = pg_temp.id(2));
end $$;

-- Limits: 0 is one, both are set together, and the guard reads them at once.
do $$
declare
    boss uuid := pg_temp.id(1);
    wallet uuid := (select id from ledger.wallets where user_id = pg_temp.id(2));
    ask jsonb := jsonb_build_object('action', 'set_limits', 'wallet_id', wallet, 'reason', 'a merchant');
    got jsonb := pg_temp.ask(pg_temp.id(1), ask || '{"daily_limit": 5000000, "monthly_limit": 20000000}');
begin
    assert got -> 'wallet' @> '{"daily_limit": 5000000, "monthly_limit": 20000000}', got::text;
    assert ledger.within_limits((select w from ledger.wallets w where id = wallet), 5000000) and not ledger.within_limits((select w from ledger.wallets w where id = wallet), 5000001);
    got := pg_temp.ask(boss, ask || '{"daily_limit": 0, "monthly_limit": 0}');
    assert got -> 'wallet' @> '{"daily_limit": 0}' and not ledger.within_limits((select w from ledger.wallets w where id = wallet), 1);
    assert (select array_agg((a.old ->> 'daily_limit') || '>' || (a.new ->> 'daily_limit')) from core.audit_logs a
             where a.action = 'wallet_limits' and a.old ->> 'daily_limit' is not null) = '{5000000>0}';
end $$;

-- Nobody decides about his own money: wallet, payout, suspense.
do $$
declare
    boss uuid := pg_temp.id(1);
    mine jsonb := jsonb_build_object('user_id', boss, 'reason', 'I need it');
    entry uuid := pg_temp.aside(boss, 700, '224620000001');
    payout uuid;
begin
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, status, transaction_id)
    values ('wallet_withdrawal', boss, 100, 0, 'GNF', 'orange_money', '224620000001', 'manual', gen_random_uuid()) returning id into payout;
    assert pg_temp.code(boss, mine || '{"action": "block"}') = '403 FORBIDDEN' and pg_temp.code(boss, mine || '{"action": "unblock"}') = '403 FORBIDDEN';
    assert pg_temp.code(boss, mine || '{"action": "set_limits", "daily_limit": 9, "monthly_limit": 9}') = '403 FORBIDDEN';
    assert pg_temp.code(boss, mine || jsonb_build_object('action', 'settle_payout', 'payout_id', payout, 'result', 'failed')) = '403 FORBIDDEN';
    assert pg_temp.code(boss, mine || jsonb_build_object('action', 'release_suspense', 'entry_id', entry, 'to_user_id', boss)) = '403 FORBIDDEN';
    assert pg_temp.code(boss, mine || jsonb_build_object('action', 'release_suspense', 'entry_id', entry, 'refund', true)) = '403 FORBIDDEN';
    assert pg_temp.code(boss, mine || jsonb_build_object('action', 'release_suspense', 'entry_id', entry, 'to_user_id', pg_temp.id(3))) = '403 FORBIDDEN', 'to a friend';
    assert pg_temp.balance(boss) = 5000 and (select status from payments.payouts where id = payout) = 'manual';
    perform pg_temp.stands();
end $$;

-- Suspense is released once, whole: to a wallet that can receive, or back to the number that paid.
do $$
declare
    boss uuid := pg_temp.id(1);
    rider uuid := pg_temp.id(2);
    first uuid := pg_temp.aside(rider, 4000);
    second uuid := pg_temp.aside(rider, 6000, '224620000002');
    ask jsonb := '{"action": "release_suspense", "reason": "checked with the provider"}';
    held bigint := pg_temp.platform('suspense');
    before bigint := pg_temp.balance(rider);
    got jsonb;
begin
    ask := ask || jsonb_build_object('entry_id', first);
    assert pg_temp.code(boss, ask || jsonb_build_object('to_user_id', gen_random_uuid())) = '404 NOT_FOUND';
    assert pg_temp.code(boss, ask || '{"refund": true}') = '409 INVALID_STATE', 'nobody knows the number';
    update ledger.wallets set status = 'blocked' where user_id = rider;
    assert pg_temp.code(boss, ask || jsonb_build_object('to_user_id', rider)) = '409 RECIPIENT_UNAVAILABLE';
    update ledger.wallets set status = 'active' where user_id = rider;
    assert pg_temp.platform('suspense') = held and pg_temp.balance(rider) = before, 'a refusal moved money';
    update payments.payments set disputed_at = now() where id = (select payment_id from ledger.suspense_lines(first));
    assert pg_temp.code(boss, ask || jsonb_build_object('to_user_id', rider)) = '409 INVALID_STATE', 'the bank is asking for it';
    update payments.payments set disputed_at = null where disputed_at is not null;
    got := pg_temp.ask(boss, ask || jsonb_build_object('to_user_id', rider));
    assert got @> '{"success": true, "amount": 4000, "currency": "GNF", "refund": false}', got::text;
    assert pg_temp.platform('suspense') = held - 4000 and pg_temp.balance(rider) = before + 4000;
    assert pg_temp.code(boss, ask || jsonb_build_object('to_user_id', rider)) = '409 INVALID_STATE', 'released twice';
    assert pg_temp.code(boss, ask || jsonb_build_object('to_user_id', pg_temp.id(3))) = '409 INVALID_STATE';
    assert pg_temp.code(boss, ask || '{"refund": true}') = '409 INVALID_STATE';
    assert pg_temp.code(boss, ask || jsonb_build_object('entry_id', got ->> 'transaction_id', 'to_user_id', rider)) = '404 NOT_FOUND';
    got := pg_temp.ask(boss, ask || jsonb_build_object('entry_id', second, 'refund', true, 'idempotency_key', 'refund-6000'));
    assert pg_temp.ask(boss, ask || jsonb_build_object('entry_id', second, 'refund', true, 'idempotency_key', 'refund-6000')) = got;
    assert (select to_jsonb(o) from payments.payouts o where o.transaction_id = (got ->> 'transaction_id')::uuid)
        @> jsonb_build_object('kind', 'refund', 'user_id', rider, 'amount', 6000, 'fee', 0, 'destination', '224620000002', 'status', 'pending');
    assert pg_temp.platform('suspense') = held - 10000 and pg_temp.platform('payout_clearing') = 6000 and pg_temp.balance(rider) = before + 4000;
    assert pg_temp.code(boss, ask || jsonb_build_object('entry_id', second, 'to_user_id', rider)) = '409 INVALID_STATE';
    assert (select count(*) from core.audit_logs where action = 'suspense_released' and old ->> 'entry_id' in (first::text, second::text)) = 2;
    perform pg_temp.stands();
end $$;

-- A payout is settled by hand only where no program can: manual and unknown, completed only with the provider's reference.
do $$
declare
    boss uuid := pg_temp.id(1);
    rider uuid := pg_temp.id(2);
    out_id uuid;
    state text;
    before bigint;
    got jsonb;
    result text;
    ask jsonb := '{"action": "settle_payout", "reason": "paid at the counter", "provider_reference": "OM-77"}';
begin
    update ledger.wallets set daily_limit = 1000000, monthly_limit = 1000000 where user_id = rider;
    foreach result in array array['completed', 'failed'] loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', rider, 'role', 'authenticated')::text, true);
        perform ledger.wallet_operations(jsonb_build_object('operation', 'withdraw', 'amount', case result when 'failed' then 10001 else 10000 end,
            'method', 'orange_money', 'phone', '224620000002'));
        select id into out_id from payments.payouts where user_id = rider and kind = 'wallet_withdrawal' order by amount desc limit 1;
        ask := ask || jsonb_build_object('payout_id', out_id, 'result', result);
        foreach state in array array['pending', 'processing'] loop
            update payments.payouts set status = state where id = out_id;
            assert pg_temp.code(boss, ask) = '409 INVALID_STATE', state;
        end loop;
        update payments.payouts set status = case result when 'failed' then 'unknown' else 'manual' end where id = out_id;
        before := pg_temp.balance(rider);
        assert result = 'failed' or pg_temp.code(boss, ask || '{"provider_reference": null}') = '400 VALIDATION_ERROR';
        got := pg_temp.ask(boss, ask);
        assert got -> 'payout' @> jsonb_build_object('id', out_id, 'status', result), got::text;
        assert pg_temp.balance(rider) = before + case result when 'failed' then 10001 + 150 else 0 end, result || ': the wallet holds ' || pg_temp.balance(rider);
        assert pg_temp.code(boss, ask) = '409 INVALID_STATE' and pg_temp.code(boss, ask || '{"result": "failed"}') = '409 INVALID_STATE', 'settled twice';
    end loop;
    assert pg_temp.platform('payout_clearing') = 6000, 'what was settled waits no longer';
    assert (select array_agg(reference order by status) from payments.payouts where user_id = rider and kind = 'wallet_withdrawal') = '{OM-77,OM-77}';
    assert (select array_agg((a.old ->> 'status') || '>' || (a.new ->> 'status') order by a.new ->> 'status') from core.audit_logs a
             where a.action = 'payout_settled') = '{manual>completed,unknown>failed}';
    assert pg_temp.code(boss, ask || jsonb_build_object('payout_id', gen_random_uuid())) = '404 NOT_FOUND';
    -- A refund that could not be paid out waits in suspense again, under a new id, still with whose it is.
    update payments.payouts set status = 'manual' where kind = 'refund' and user_id = rider returning id into out_id;
    before := pg_temp.platform('suspense');
    perform pg_temp.ask(boss, ask || jsonb_build_object('payout_id', out_id, 'result', 'failed', 'provider_reference', null));
    assert pg_temp.platform('suspense') = before + 6000 and pg_temp.platform('payout_clearing') = 0;
    got := (select to_jsonb(s) from ledger.suspense_lines() s where s.is_open and s.user_id = rider);
    assert got @> '{"amount": 6000, "type": "refund_returned"}', got::text;
    got := pg_temp.ask(boss, jsonb_build_object('action', 'release_suspense', 'entry_id', got ->> 'entry_id', 'to_user_id', rider, 'reason', 'his number is closed'));
    assert got @> '{"success": true, "amount": 6000}' and pg_temp.platform('suspense') = before, got::text;
    perform pg_temp.stands();
end $$;
-- Closed is for ever, and for empty wallets alone.
do $$
declare
    full_one uuid := pg_temp.person(41, 500);
    empty_one uuid := pg_temp.person(42);
    own uuid := ledger.wallet_for(empty_one, 'GNF');
    boss uuid := pg_temp.id(1);
begin
    assert pg_temp.code(boss, jsonb_build_object('action', 'close', 'user_id', full_one, 'reason', 'he left')) = '409 INVALID_STATE';
    assert pg_temp.balance(full_one) = 500 and (select status from ledger.wallets where user_id = full_one) = 'active';
    assert pg_temp.ask(boss, jsonb_build_object('action', 'close', 'user_id', empty_one, 'reason', 'he left')) -> 'wallet' ->> 'status' = 'closed';
    assert pg_temp.code(boss, jsonb_build_object('action', 'unblock', 'wallet_id', own, 'reason', 'he is back')) = '409 INVALID_STATE';
    perform pg_temp.stands();
end $$;
rollback;
