begin;
\ir lib/payouts.psql

-- Completed: the clearing account is emptied towards the provider, the user is told; repeats and a late failure move nothing.
do $$
declare
    o payments.payouts := pg_temp.sent(1);
begin
    assert pg_temp.says(o, 'pending') = 'open' and pg_temp.says(o, 'something new') = 'open' and pg_temp.now(o) = 'processing';
    assert pg_temp.says(o, 'completed') = 'completed' and pg_temp.now(o) = 'completed';
    assert pg_temp.platform('payout_clearing') = 0 and pg_temp.platform('provider_clearing') = -10000 and pg_temp.balance(1) = 9850;
    assert pg_temp.says(o, 'completed') = 'already' and pg_temp.says(o, 'pending') = 'open' and pg_temp.now(o) = 'completed';
    assert pg_temp.says(o, 'failed') = 'late_failure' and pg_temp.alerts('payout_late_failure', o.id::text) = 1;
    assert pg_temp.now(o) = 'completed' and pg_temp.balance(1) = 9850 and pg_temp.platform('provider_clearing') = -10000, 'success never goes back';
    assert (select count(*) from core.outbox where dedupe_key = 'payout_completed:' || o.id) = 1;
    assert (select next_check_at is null and completed_at is not null and environment = 'live' from payments.payouts where id = o.id);
    perform pg_temp.stands();
end $$;

-- Failed: amount and fee come back once, however often it is said; completed after that is the platform's loss, with an alert.
do $$
declare
    o payments.payouts := pg_temp.sent(2);
    fees bigint := pg_temp.platform('platform_fees');
begin
    assert pg_temp.says(o, 'failed', '{"amount": null}') = 'failed' and pg_temp.says(o, 'failed') = 'already' and pg_temp.says(o, 'failed') = 'already';
    assert pg_temp.now(o) = 'failed returned' and pg_temp.balance(2) = 20000 and pg_temp.platform('platform_fees') = fees - 150 and pg_temp.platform('payout_clearing') = 0;
    assert (select spent_today from ledger.wallets where user_id = pg_temp.person(2)) = 0 and
        (select count(*) from core.outbox where dedupe_key = 'payout_failed:' || o.id) = 1;
    assert pg_temp.says(o, 'completed') = 'late_completion' and pg_temp.says(o, 'completed') = 'already' and pg_temp.now(o) = 'completed returned';
    assert pg_temp.balance(2) = 20000 and pg_temp.platform('losses') = -10000, 'never silently taken from the user';
    assert pg_temp.alerts('payout_late_completion', o.id::text) = 1 and pg_temp.says(o, 'failed') = 'late_failure' and pg_temp.balance(2) = 20000;
    perform pg_temp.stands();
end $$;

-- Another amount or currency than ours settles nothing; an environment that is not ours says nothing.
do $$
declare
    o payments.payouts := pg_temp.sent(3);
    more text;
begin
    assert pg_temp.says(o, 'completed', '{"environment": "sandbox"}') = 'wrong_environment' and pg_temp.now(o) = 'processing';
    foreach more in array array['{"amount": 9999}', '{"amount": 10001}', '{"amount": null}', '{"currency": "XAF"}', '{"currency": null}'] loop
        assert pg_temp.says(o, 'completed', more::jsonb) = 'mismatch' and pg_temp.now(o) = 'unknown', more;
    end loop;
    assert pg_temp.says(o, 'failed', '{"amount": 5}') = 'mismatch' and pg_temp.alerts('payout_mismatch', o.id::text) = 1;
    assert pg_temp.platform('payout_clearing') = 10000 and pg_temp.balance(3) = 9850, 'its money waits';
    assert pg_temp.says(o, 'completed') = 'completed' and pg_temp.platform('payout_clearing') = 0, 'the right word still counts';
    perform pg_temp.stands();
end $$;

-- A payout whose answer was lost is found by the tag that the edge has checked, for this payout and its amount alone.
do $$
declare
    o payments.payouts := pg_temp.withdrawn(4);
    never payments.payouts;
    tag jsonb := jsonb_build_object('payout_id', o.id);
begin
    assert pg_temp.says(o, 'completed', tag) = 'orphan', 'it was never sent';
    perform pg_temp.claim();
    update payments.payouts set sent_at = now() - interval '3 minutes' where id = o.id;
    perform payments.lose_payouts();
    assert pg_temp.now(o) = 'unknown' and pg_temp.says(o, 'completed') = 'orphan' and pg_temp.alerts('orphan_payout', 'po_' || o.id) = 1;
    assert pg_temp.says(o, 'completed', tag || '{"amount": 9999}') = 'orphan' and pg_temp.says(o, 'completed', tag || '{"environment": "sandbox"}') = 'orphan';
    assert pg_temp.says(o, 'completed', tag || '{"provider": "stripe"}') = 'orphan' and pg_temp.now(o) = 'unknown';
    assert pg_temp.says(o, 'completed', tag) = 'completed' and pg_temp.platform('payout_clearing') = 0;
    assert pg_temp.says(o, 'completed', tag || '{"provider_payout_id": "po_second"}') = 'orphan', 'a second payout under one tag is nobody''s';
    -- Given back by a person, and paid out all the same: adopted, and the platform's loss.
    never := pg_temp.withdrawn(4);
    perform pg_temp.claim();
    update payments.payouts set status = 'unknown' where id = never.id;
    assert payments.finish_payout(never, 'failed', 'ticket 7') = 'failed';
    assert (select reference from payments.payouts where id = never.id) = 'ticket 7';
    assert pg_temp.says(never, 'completed', jsonb_build_object('payout_id', never.id)) = 'late_completion' and pg_temp.platform('losses') = -20000;
    perform pg_temp.stands();
end $$;

-- What comes home to a blocked wallet waits in suspense; a refund of released suspense goes back there.
do $$
declare
    o payments.payouts := pg_temp.sent(5);
    held bigint := pg_temp.platform('suspense');
    tx uuid;
begin
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(5);
    assert pg_temp.says(o, 'failed') = 'failed' and pg_temp.balance(5) = 9850 and pg_temp.platform('suspense') = held + 10150;
    assert pg_temp.alerts('money_in_suspense', '%') = 1 and pg_temp.now(o) = 'failed returned';
    tx := ledger.post('suspense_release', 'XOF', array[row(ledger.platform_account('suspense', 'XOF'), -10150), row(ledger.platform_account(
        'payout_clearing', 'XOF'), 10150)]::ledger.leg[], 'transaction', 'x', 10150);
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id, status)
    values ('refund', pg_temp.person(5), 10150, 0, 'XOF', 'wave', '2250700000005', tx, 'manual') returning * into o;
    assert payments.finish_payout(o, 'failed', null) = 'failed' and pg_temp.platform('suspense') = held + 10150 and pg_temp.now(o) = 'failed returned';
    assert payments.finish_payout(o, 'failed', null) = 'already' and payments.finish_payout(o, 'completed', 'ref') = 'late_completion';
    perform pg_temp.stands();
end $$;

-- By hand: an admin's decision carries its reference; every order of two words ends in one movement each.
do $$
declare
    first text;
    second text;
    o payments.payouts;
    outcome text;
begin
    for first, second, outcome in values ('completed', 'completed', 'completed'), ('completed', 'failed', 'completed'),
        ('failed', 'failed', 'failed returned'), ('failed', 'completed', 'completed returned')
    loop
        o := pg_temp.withdrawn(6, '{"currency": "GNF", "method": "orange_money", "phone": "224620000001"}');
        perform pg_temp.claim();
        assert pg_temp.now(o) = 'manual' and payments.finish_payout(o, first, 'OM-1') = first;
        perform payments.finish_payout(o, second, null);
        assert pg_temp.now(o) = outcome and (select reference from payments.payouts where id = o.id) = 'OM-1', first || ' ' || second;
        assert pg_temp.platform('payout_clearing', 'GNF') = 0;
    end loop;
    assert pg_temp.balance(6, 'GNF') = 4 * 20000 - 2 * 10150 and pg_temp.platform('losses', 'GNF') = -10000;
    assert (select count(*) from ledger.references where reference_type = 'payout' and type = 'withdrawal_returned') = 5, 'given back once each';
    perform pg_temp.stands();
end $$;

-- A status that nobody has listed moves nothing and is reported once; a later word still counts, and is not undone by it.
do $$
declare
    word text;
    o payments.payouts;
    held bigint;
begin
    foreach word in array array['completed', 'failed'] loop
        o := pg_temp.sent(7);
        held := pg_temp.balance(7);
        assert pg_temp.says(o, 'odd', '{"environment": "sandbox"}') = 'wrong_environment' and pg_temp.alerts('unknown_status', o.id::text) = 0;
        assert pg_temp.says(o, 'odd') = 'open' and pg_temp.says(o, 'odd', '{"amount": 5}') = 'open' and pg_temp.now(o) = 'processing';
        assert pg_temp.balance(7) = held and pg_temp.platform('payout_clearing') = 10000 and pg_temp.alerts('unknown_status', o.id::text) = 1;
        assert (select payload ->> 'provider' from core.outbox where dedupe_key = 'unknown_status:' || o.id) = 'moneroo';
        assert pg_temp.says(o, word) = word and pg_temp.platform('payout_clearing') = 0;
        assert pg_temp.balance(7) = held + case word when 'failed' then 10150 else 0 end;
        assert pg_temp.says(o, 'odd') = 'open' and (select status from payments.payouts where id = o.id) = word;
    end loop;
    perform pg_temp.stands();
end $$;

-- Only the platform hands in what a provider said; the routine itself is nobody's.
do $$
declare
    door text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        assert door = 'service_role' or pg_temp.code('select api.payout_settle(''{}'')') = '42501', door || ' settles payouts';
        assert pg_temp.code('select payments.finish_payout(null, ''completed'', null)') = '42501' and pg_temp.code('select payments.give_back(null)') = '42501';
        reset role;
    end loop;
end $$;
rollback;
