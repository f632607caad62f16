begin;
-- The code of a refusal, or the SQLSTATE of any other error; 'ok' when there is none.
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.person(n integer, funds bigint default 0) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
    wallet uuid;
begin
    insert into auth.users (id, email, raw_user_meta_data)
    values (someone, 'p' || n || '@operations.test', '{"first_name": "Mariama", "last_name": "Camara"}');
    if funds > 0 then
        wallet := ledger.wallet_for(someone, 'GNF');
        perform ledger.post('deposit', 'GNF', array[(ledger.platform_account('provider_clearing', 'GNF'), -funds)::ledger.leg,
            (wallet, funds)::ledger.leg], null, null, funds);
        update ledger.wallets set daily_limit = 10000000, monthly_limit = 100000000 where id = wallet;
    end if;
    return someone;
end $$;
create function pg_temp.ask(who uuid, ask jsonb, aal text default 'aal1') returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('response.status', '', true);
    perform set_config('request.jwt.claims', jsonb_build_object('sub', who, 'role', 'authenticated', 'aal', aal)::text, true);
    perform set_config('role', 'authenticated', true);
    answer := api.wallet_operations(ask);
    perform set_config('role', 'none', true);
    return answer;
end $$;
-- The code of a refusal, raised or returned; 'ok' when there is none. What is not said is a transfer of 10 000 to person 2.
create function pg_temp.code_of(who uuid, more jsonb default '{}', aal text default 'aal1') returns text language plpgsql as $$
begin
    return coalesce(pg_temp.ask(who, '{"operation": "transfer", "amount": 10000,
        "recipient_id": "00000000-0000-4000-8000-000000000002"}' || more, aal) ->> 'code', 'ok');
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
end $$;
create function pg_temp.balance(who uuid, cur text default 'GNF') returns bigint language sql as $$
    select balance from ledger.wallets where user_id = who and currency = cur
$$;
create function pg_temp.platform(kind text) returns bigint language sql as $$
    select coalesce(sum(e.amount), 0)::bigint from ledger.entries e where e.account_id = ledger.platform_account(kind, 'GNF')
$$;
create function pg_temp.stands() returns void language plpgsql as $$
begin
    assert (ledger.check_books() ->> 'ok')::boolean, 'the books do not balance: ' || ledger.check_books();
end $$;
create function pg_temp.key(k text) returns jsonb language sql as $$ select jsonb_build_object('idempotency_key', k) $$;

-- A transfer debits amount and fee, credits the amount and the platform, answers with the sender's balance and nobody else's.
do $$
declare
    alice uuid := pg_temp.person(1, 100000);
    bob uuid := pg_temp.person(2);
    got jsonb := pg_temp.ask(alice, jsonb_build_object('operation', 'transfer', 'amount', 10050, 'recipient_id', bob, 'description', 'Rent <b>',
        'sender_id', bob, 'fee', 0));
    tx ledger.transactions;
begin
    assert got @> '{"success": true, "operation": "transfer", "amount": 10050, "fee": 101, "total": 10151, "currency": "GNF", "new_balance": 89849}', got::text;
    assert got ->> 'transfer_code' ~ '^TRF-[0-9A-F]{12}$' and not got ? 'recipient_new_balance' and coalesce(current_setting('response.status'), '') = '';
    assert pg_temp.balance(alice) = 89849 and pg_temp.balance(bob) = 10050 and pg_temp.platform('platform_fees') = 101, 'the recipient got a wallet';
    select * into tx from ledger.transactions where id = (got ->> 'transaction_id')::uuid;
    assert (tx.type, tx.sender_user_id, tx.receiver_user_id, tx.amount, tx.fee, tx.initiator_id, tx.description)
        = ('transfer', alice, bob, 10050, 101, alice, 'Rent <b>'), tx::text;
    perform pg_temp.ask(alice, jsonb_build_object('operation', 'transfer', 'amount', 1000, 'recipient_id', bob));
    assert (select array_agg('new_recipient' = any (flags) order by amount desc) from ledger.fraud_detection_logs where user_id = alice) = '{t,f}',
        'whom one has paid is known';
    assert (select payload ->> 'user_id' from core.outbox where dedupe_key = 'transfer_received:' || tx.id) = bob::text;
    perform pg_temp.stands();
end $$;

-- The recipient is a user id, a custom id or a public id, in any case; every id that is nobody's gets one answer.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    gone uuid := pg_temp.person(3);
    bob people.profiles;
    custom text;
    given text;
begin
    select * into bob from people.profiles where id = '00000000-0000-4000-8000-000000000002';
    select custom_id into custom from people.user_ids where user_id = bob.id;
    foreach given in array array[bob.id::text, upper(bob.id::text), custom, lower(custom), bob.public_id, lower(bob.public_id)] loop
        assert pg_temp.code_of(alice, jsonb_build_object('recipient_id', given, 'amount', 100, 'confirm_duplicate', true)) = 'ok', given;
    end loop;
    assert pg_temp.balance(bob.id) = 11650;
    update people.profiles set deleted_at = now() where id = gone;
    foreach given in array array['NOBODY', bob.email, '224620000000', gen_random_uuid()::text, gone::text, 'USR9999999', '%',
        (select custom_id from people.user_ids where user_id = gone), (select public_id from people.profiles where id = gone)] loop
        assert pg_temp.code_of(alice, jsonb_build_object('recipient_id', given)) = 'RECIPIENT_NOT_FOUND', given;
    end loop;
    assert pg_temp.code_of(alice, '{"recipient_id": null}') = 'RECIPIENT_REQUIRED' and pg_temp.code_of(alice, '{"recipient_id": 7}') = 'VALIDATION_ERROR';
    select custom_id into custom from people.user_ids where user_id = alice;
    assert pg_temp.code_of(alice, jsonb_build_object('recipient_id', custom)) = 'SELF_TRANSFER' and pg_temp.code_of(alice, jsonb_build_object('recipient_id', alice)) = 'SELF_TRANSFER';
    assert pg_temp.code('select pg_temp.ask(null, ''{"operation": "transfer", "amount": 100}'')') = 'UNAUTHENTICATED';
    perform pg_temp.stands();
end $$;

-- What cannot be read moves nothing: amounts, operations, currencies, long descriptions.
do $$
declare
    carol uuid := pg_temp.person(4, 50000);
    c record;
begin
    for c in select * from (values ('{"amount": 0}', 'VALIDATION_ERROR'), ('{"amount": -1}', 'VALIDATION_ERROR'), ('{"amount": 1.5}', 'VALIDATION_ERROR'),
        ('{"amount": "100"}', 'VALIDATION_ERROR'), ('{"amount": 9007199254740992}', 'VALIDATION_ERROR'), ('{"amount": null}', 'VALIDATION_ERROR'),
        ('{"amount": 49}', 'AMOUNT_OUT_OF_RANGE'), ('{"amount": 99}', 'AMOUNT_OUT_OF_RANGE'), ('{"amount": 9007199254740991}', 'AMOUNT_OUT_OF_RANGE'),
        ('{"amount": 49506}', 'INSUFFICIENT_FUNDS'), ('{"currency": "ZZZ"}', 'VALIDATION_ERROR'), ('{"currency": "USD"}', 'AMOUNT_OUT_OF_RANGE'),
        ('{"currency": "XOF"}', 'INSUFFICIENT_FUNDS'), ('{"operation": "steal"}', 'VALIDATION_ERROR'), ('{"operation": null}', 'VALIDATION_ERROR'),
        ('{"operation": "deposit"}', 'VALIDATION_ERROR'), ('{"idempotency_key": "short"}', 'VALIDATION_ERROR')) as t (more, code)
    loop
        assert pg_temp.code_of(carol, c.more::jsonb) = c.code, format('%s gave %s', c.more, pg_temp.code_of(carol, c.more::jsonb));
    end loop;
    assert pg_temp.code_of(carol, jsonb_build_object('description', repeat('x', 201))) = 'VALIDATION_ERROR';
    assert pg_temp.balance(carol) = 50000 and not exists (select from ledger.transactions where sender_user_id = carol);
    assert (select spent_today from ledger.wallets where user_id = carol and currency = 'GNF') = 0;
    assert pg_temp.code_of(carol, '{"amount": 49505}', 'aal2') = 'ok' and pg_temp.balance(carol) = 0, 'the last unit, fee included';
end $$;

-- Sent twice it moves once: the same answer again. Other body 422; another user's same key is his own; a refusal is not kept.
do $$
declare
    dora uuid := pg_temp.person(5, 30000);
    erin uuid := pg_temp.person(6, 30000);
    ask jsonb := '{"operation": "transfer", "amount": 10000, "recipient_id": "00000000-0000-4000-8000-000000000002", "idempotency_key": "move-00001"}';
    first jsonb := pg_temp.ask(dora, ask);
begin
    assert pg_temp.ask(dora, ask) = first and pg_temp.ask(dora, ask) = first and pg_temp.balance(dora) = 19900;
    assert current_setting('response.headers')::jsonb @> '[{"Idempotent-Replayed": "true"}]';
    assert pg_temp.code_of(dora, pg_temp.key('move-00001') || '{"amount": 10001}') = 'IDEMPOTENCY_MISMATCH';
    assert pg_temp.code_of(dora, pg_temp.key('move-00001') || '{"description": "other"}') = 'IDEMPOTENCY_MISMATCH' and pg_temp.balance(dora) = 19900;
    assert pg_temp.ask(erin, ask) ->> 'transaction_id' <> first ->> 'transaction_id' and pg_temp.balance(erin) = 19900;
    assert pg_temp.code_of(dora, pg_temp.key('move-00002') || '{"amount": 20000}') = 'INSUFFICIENT_FUNDS';
    perform pg_temp.ask(erin, jsonb_build_object('operation', 'transfer', 'amount', 5000, 'recipient_id', dora));
    assert pg_temp.code_of(dora, pg_temp.key('move-00002') || '{"amount": 20000}', 'aal2') = 'ok', 'the same key works after a top-up';
    assert pg_temp.balance(dora) = 4700;
    update ledger.wallets set status = 'blocked' where user_id = dora;
    assert pg_temp.ask(dora, ask) = first, 'what was answered stays answered';
    perform pg_temp.stands();
end $$;

-- Without a key the same again within the window is suspected, unless meant; another amount, recipient or time is another operation.
do $$
declare
    fay uuid := pg_temp.person(7, 100000);
    tx uuid;
begin
    assert pg_temp.code_of(fay) = 'ok' and pg_temp.code_of(fay) = 'DUPLICATE_SUSPECTED' and pg_temp.balance(fay) = 89900;
    assert pg_temp.code_of(fay, '{"confirm_duplicate": false}') = 'DUPLICATE_SUSPECTED' and pg_temp.code_of(fay, '{"confirm_duplicate": true}') = 'ok';
    assert pg_temp.code_of(fay, '{"amount": 10001}') = 'ok' and pg_temp.code_of(fay, '{"recipient_id": "00000000-0000-4000-8000-000000000001"}') = 'ok';
    assert pg_temp.code_of(fay, pg_temp.key('fresh-key-1')) = 'ok', 'a key says that it is meant';
    update core.settings set value = -60 where key = 'duplicate_window_s';   -- As if the window had passed.
    assert pg_temp.code_of(fay) = 'ok', 'later it is another operation';
    update core.settings set value = 60 where key = 'duplicate_window_s';
end $$;

-- A preview shows cost and a first name; it changes nothing and shows no balance, contact or full name.
do $$
declare
    gus uuid := pg_temp.person(8, 777);
    hal uuid := pg_temp.person(9);
    before bigint := (select count(*) from ledger.wallet_logs) + (select count(*) from ledger.wallets) + (select count(*) from ledger.entries);
    got jsonb := pg_temp.ask(gus, jsonb_build_object('operation', 'preview', 'amount', 10050, 'recipient_id', hal) || pg_temp.key('preview-01'));
begin
    assert got = '{"success": true, "operation": "preview", "amount": 10050, "fee": 101, "total": 10151, "currency": "GNF", "amount_received": 10050,
        "recipient": {"display_name": "Mariama C."}}', got::text;
    update people.profiles set first_name = null where id = hal;
    assert pg_temp.ask(gus, jsonb_build_object('operation', 'preview', 'amount', 10050, 'recipient_id', hal)) -> 'recipient' ->> 'display_name'
        = (select public_id from people.profiles where id = hal);
    assert pg_temp.ask(gus, '{"operation": "preview", "amount": 50000, "for": "withdraw"}') @> '{"fee": 750, "total": 50750}';
    assert pg_temp.ask(gus, '{"operation": "preview", "amount": 100000, "for": "deposit"}') @> '{"fee": 500, "total": 100500}';
    assert pg_temp.code_of(gus, '{"operation": "preview", "for": "gift"}') = 'VALIDATION_ERROR' and pg_temp.code_of(gus, '{"operation": "preview", "amount": 99}') = 'AMOUNT_OUT_OF_RANGE';
    assert pg_temp.code_of(gus, '{"operation": "preview", "recipient_id": "NOBODY"}') = 'RECIPIENT_NOT_FOUND' and pg_temp.code_of(gus, '{"operation": "preview", "currency": "ZZZ"}') = 'AMOUNT_OUT_OF_RANGE';
    assert before = (select count(*) from ledger.wallet_logs) + (select count(*) from ledger.wallets) + (select count(*) from ledger.entries);
    assert not exists (select from core.idempotency_keys where key = 'preview-01');
end $$;

-- A withdrawal debits at once and leaves a payout to be made; the money waits in clearing, and a debit is paid out once.
do $$
declare
    ivy uuid := pg_temp.person(10, 200000);
    ask jsonb := '{"operation": "withdraw", "amount": 50000, "method": "orange_money", "phone": "224620000001"}';
    got jsonb := pg_temp.ask(ivy, ask || pg_temp.key('out-000001'));
    o payments.payouts;
begin
    assert current_setting('response.status') = '202' and got @> '{"operation": "withdraw", "status": "pending", "fee": 750, "total": 50750, "new_balance": 149250}', got::text;
    select * into o from payments.payouts where user_id = ivy;
    assert (o.kind, o.amount, o.fee, o.currency, o.method, o.destination, o.status, o.transaction_id::text)
        = ('wallet_withdrawal', 50000, 750, 'GNF', 'orange_money', '224620000001', 'pending', got ->> 'transaction_id'), o::text;
    assert pg_temp.platform('payout_clearing') = 50000 and pg_temp.ask(ivy, ask || pg_temp.key('out-000001')) = got;
    assert (select count(*) from payments.payouts where user_id = ivy) = 1, 'a repeat made a second payout';
    assert pg_temp.code(format('insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id)
        values (''refund'', %L, 1, 0, ''GNF'', ''x1'', ''1'', %L)', ivy, o.transaction_id)) = '23505', 'one debit, two payouts';
    assert pg_temp.code_of(ivy, ask) = 'DUPLICATE_SUSPECTED' and pg_temp.code_of(ivy, ask || '{"phone": "224620000002"}') = 'ok', 'another number is another payout';
    assert pg_temp.code_of(ivy, ask || '{"phone": null}') = 'VALIDATION_ERROR' and pg_temp.code_of(ivy, ask || '{"phone": "+224620000001"}') = 'VALIDATION_ERROR';
    assert pg_temp.code_of(ivy, ask || '{"method": null}') = 'VALIDATION_ERROR' and pg_temp.code_of(ivy, ask || '{"method": "Orange Money"}') = 'VALIDATION_ERROR';
    assert pg_temp.code_of(ivy, ask || '{"method": "cash"}') = 'METHOD_NOT_AVAILABLE' and pg_temp.code_of(ivy, ask || '{"amount": 98000, "method": "mtn_momo"}') = 'INSUFFICIENT_FUNDS';
    assert pg_temp.balance(ivy) = 98500 and (select spent_today from ledger.wallets where user_id = ivy) = 100000, 'the limit counts without fees';
    perform pg_temp.stands();
end $$;

-- A blocked sender, a blocked recipient, a limit, a missing factor, a block by suspicion: refused with a status and a trace, nothing moves.
do $$
declare
    jo uuid := pg_temp.person(11, 9000000);
    bob uuid := '00000000-0000-4000-8000-000000000002';
    before bigint := pg_temp.balance(bob);
begin
    update ledger.wallets set status = 'blocked' where user_id = bob;
    assert pg_temp.code_of(jo) = 'RECIPIENT_UNAVAILABLE';
    update ledger.wallets set status = 'active' where user_id = bob;
    update ledger.wallets set status = 'blocked' where user_id = jo;
    assert pg_temp.code_of(jo) = 'WALLET_BLOCKED' and pg_temp.code_of(jo, '{"operation": "withdraw", "method": "mtn_momo", "phone": "224620000001"}') = 'WALLET_BLOCKED';
    update ledger.wallets set status = 'active', daily_limit = 9999 where user_id = jo;
    assert pg_temp.code_of(jo) = 'LIMIT_EXCEEDED' and current_setting('response.status') = '403';
    update ledger.wallets set daily_limit = 90000000 where user_id = jo;
    assert pg_temp.code_of(jo, '{"amount": 1000001}' || pg_temp.key('with-mfa-1')) = 'MFA_REQUIRED', 'a new recipient and an elevated amount';
    assert pg_temp.code_of(jo, '{"amount": 1000001}' || pg_temp.key('with-mfa-1'), 'aal2') = 'ok', 'the same key, after the second factor';
    assert pg_temp.code_of(jo, '{"amount": 4000000}', 'aal2') = 'WALLET_BLOCKED' and pg_temp.code_of(jo, '{"amount": 100}', 'aal2') = 'WALLET_BLOCKED';
    assert (select status || ' ' || balance from ledger.wallets where user_id = jo) = 'blocked 7989999' and pg_temp.balance(bob) = before + 1000001;
    assert (select array_agg(outcome order by outcome) from ledger.wallet_logs where actor_id = jo)
        = '{LIMIT_EXCEEDED,MFA_REQUIRED,WALLET_BLOCKED,WALLET_BLOCKED,WALLET_BLOCKED,WALLET_BLOCKED,ok}', 'a refusal lost its trace';
    perform pg_temp.stands();
end $$;

-- What somebody chooses is a multiple of the smallest step; what a ride costs is what it costs.
do $$
declare
    ida uuid := pg_temp.person(61, 100000);
begin
    update ledger.wallet_limits set step = 500 where currency = 'GNF';
    assert pg_temp.code_of(ida, '{"amount": 10250}') = 'AMOUNT_NOT_SUPPORTED' and pg_temp.code_of(ida, '{"amount": 10500}') = 'ok';
    assert ledger.guard(ida, 'GNF', 750, 0, null, 'ride') is null, 'a price';
    update ledger.wallet_limits set step = 1;
end $$;

-- A rule that is missing refuses the operation with 503, and nothing moves.
do $$
declare
    kim uuid := pg_temp.person(12, 50000);
begin
    delete from ledger.risk_rules where key = 'high_volume' and currency = 'GNF';
    assert pg_temp.code_of(kim) = 'DEPENDENCY_UNAVAILABLE' and pg_temp.balance(kim) = 50000;
end $$;

-- Only a signed-in user may call it, and sees his own lines and payouts alone; the steps within are nobody's.
do $$
declare
    door text;
begin
    perform set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000010", "role": "authenticated"}', true);
    set local role authenticated;
    assert (select count(*) from api.payouts) = 2 and (select count(*) from api.wallet_history) = 3 and (select count(*) from api.wallets) = 1;
    perform set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000008", "role": "authenticated"}', true);
    assert not exists (select from api.payouts), 'another user''s payouts show';
    reset role;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        assert door = 'authenticated' or pg_temp.code('select api.wallet_operations(''{}'')') = '42501', door || ' moves money';
        assert pg_temp.code('select ledger.transfer(''{}'')') = '42501' and pg_temp.code('select ledger.withdraw(''{}'')') = '42501';
        assert pg_temp.code('select ledger.recipient(''{}'')') = '42501' and pg_temp.code('delete from payments.payouts') = '42501';
        reset role;
    end loop;
end $$;
rollback;
