begin;
\ir lib/refunds.psql

create function pg_temp.compared(p payments.payments, more jsonb default '{}') returns integer language sql as $$
    select (pg_temp.service('payment_reconcile', jsonb_build_object('provider', p.provider, 'provider_payment_id', p.provider_payment_id,
        'status', 'success', 'amount', p.verified_amount, 'currency', p.currency, 'environment', 'live') || more) ->> 'differences')::integer
$$;
create function pg_temp.differs(target text) returns text language sql as $$
    select string_agg(d.kind || ' ' || d.expected || ' ' || d.found || case when d.resolved_at is not null then ' resolved' else '' end, ', ' order by d.kind)
      from payments.reconciliation_differences d where d.object_id = target
$$;
create function pg_temp.claimed(providers text default '{stripe}') returns text language sql as $$
    select string_agg(d ->> 'provider_payment_id', ',' order by d ->> 'provider_payment_id')
      from jsonb_array_elements(pg_temp.service('payment_reconcile_claim', jsonb_build_object('providers', to_jsonb(providers::text[]), 'limit', 60)) -> 'due') d
$$;

-- What agrees is done with; what differs is written down once, stays open while it differs, and is resolved when it no longer does.
do $$
declare
    p payments.payments := pg_temp.paid(1);
begin
    assert pg_temp.compared(p, '{"amount": 100499}') = 1 and pg_temp.differs(p.id::text) = 'amount 100500 100499';
    assert pg_temp.compared(p, '{"amount": 100499}') = 1 and (select count(*) from payments.reconciliation_differences) = 1;
    assert (select reconciled_at is null and reconcile_after > now() from payments.payments where id = p.id), 'looked at again tomorrow';
    assert pg_temp.compared(p, '{"currency": "XOF", "environment": "sandbox"}') = 2, pg_temp.differs(p.id::text);
    assert pg_temp.compared(p) = 0;
    assert (select bool_and(resolved_at is not null) from payments.reconciliation_differences);
    assert (select reconciled_at is not null from payments.payments where id = p.id) and pg_temp.alerts('reconciliation', 'payment:%:amount') = 1;
    assert pg_temp.compared(p, '{"status": "odd"}') = 1 and pg_temp.compared(p, '{"status": "pending"}') = 1 and pg_temp.compared(p) = 0;
    assert pg_temp.compared(p, '{"status": "failed"}') = 1 and pg_temp.differs(p.id::text) like '%status paid not paid';
    assert pg_temp.compared(p, '{"provider_payment_id": "py_nobody"}') = 1 and pg_temp.differs('stripe:py_nobody') = 'unknown a payment of ours none';
end $$;

-- Paid there and not here: written down, and looked at again by the sweep as if its notification had come.
do $$
declare
    open uuid := (pg_temp.ask('authenticated', pg_temp.person(2), 'payment_begin', '{"provider": "mtn_momo", "phone": "224660000001",
        "purpose": "wallet_deposit", "amount": 2000}') -> 'payment' ->> 'id')::uuid;
    p payments.payments;
begin
    update payments.payments set status = 'expired', next_check_at = null where id = open returning * into p;
    assert pg_temp.compared(p, '{"amount": 2010}') = 1 and pg_temp.compared(p, '{"amount": 2010}') = 1 and pg_temp.differs(open::text) = 'status not paid paid';
    assert pg_temp.service('payment_sweep', '{"providers": ["mtn_momo"]}') -> 'payments' @> jsonb_build_array(jsonb_build_object('payment_id', open));
    assert pg_temp.says(open, '{"provider": "mtn_momo"}') = 'settled' and pg_temp.balance(2) = 2000;
    assert pg_temp.compared(p, '{"amount": 2010}') = 0 and pg_temp.differs(open::text) = 'status not paid paid resolved';
end $$;

-- What has gone back: more there is written down and looked at by the sweep, less is for people, what is on its way may be there or not.
do $$
declare
    p payments.payments := pg_temp.paid(8);
    r jsonb;
begin
    assert pg_temp.compared(p, '{"refunded": null}') = 0 and pg_temp.compared(p, '{"refunded": 0}') = 0 and pg_temp.differs(p.id::text) is null;
    r := pg_temp.refund(p, '{"amount": 20000}');
    assert pg_temp.compared(p, '{"refunded": 0}') = 0 and pg_temp.compared(p, '{"refunded": 20000}') = 0, 'it is on its way';
    perform pg_temp.finish(r, 'completed');
    assert pg_temp.compared(p, '{"refunded": 20000}') = 0 and pg_temp.compared(p, '{"refunded": 0}') = 1 and pg_temp.differs(p.id::text) = 'refunded 20000 0';
    assert not exists (select from payments.payment_events where provider_payment_id = p.provider_payment_id), 'nothing that asking again would mend';
    assert pg_temp.compared(p, '{"refunded": 50000}') = 1 and pg_temp.differs(p.id::text) = 'refunded 20000 50000';
    assert pg_temp.service('payment_sweep', '{"providers": ["stripe"]}') -> 'payments' @> jsonb_build_array(jsonb_build_object('payment_id', p.id));
    assert pg_temp.says(p.id, '{"refunded": 50000}') = 'already' and pg_temp.balance(8) = 50000;
    assert pg_temp.compared(p, '{"refunded": 50000}') = 0 and pg_temp.differs(p.id::text) = 'refunded 20000 50000 resolved';
    perform pg_temp.stands();
end $$;

-- Claimed when they are old enough and have ended, each within its provider's minute; ten silences are a difference too.
do $$
declare
    p payments.payments := pg_temp.paid(3);
    q payments.payments := pg_temp.paid(3, '{"provider": "paystack", "currency": "XOF"}');
begin
    update payments.payments set reconciled_at = now() where id not in (p.id, q.id);
    assert pg_temp.claimed() is null, 'it has just ended';
    update payments.payments set created_at = now() - interval '2 hours' where id in (p.id, q.id);
    assert pg_temp.claimed('{}') is null and pg_temp.claimed('{nobody}') is null and pg_temp.claimed() = p.provider_payment_id;
    assert pg_temp.claimed() is null and pg_temp.claimed('{stripe,paystack}') = q.id::text, 'asked an hour ago at most';
    assert (select reconcile_after - now() = interval '1 hour' and reconcile_tries = 1 from payments.payments where id = q.id);
    update payments.payments set reconcile_after = now() where id in (p.id, q.id);
    update payments.providers set calls_per_minute = 1 where name = 'stripe';
    assert pg_temp.claimed('{stripe,paystack}') = q.id::text, 'stripe''s minute is used up';
    update payments.providers set calls_per_minute = 60;
    update payments.payments set reconcile_after = now(), reconcile_tries = 10 where id = p.id;
    assert pg_temp.claimed() is null and pg_temp.differs(p.id::text) like 'unanswered%';
    assert (select reconciled_at is not null from payments.payments where id = p.id);
    assert pg_temp.compared(p) = 0 and pg_temp.differs(p.id::text) like 'unanswered% resolved', 'it answered after all';
end $$;

-- Our rows against our ledger: everything that has come and gone agrees; a row that somebody changed is found.
do $$
declare
    p payments.payments := pg_temp.paid(4);
    plan payments.payments := pg_temp.paid(5, '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}', 15400);
    low payments.payments := pg_temp.paid(6, '{"amount": 3000}', 2000);
    ride payments.payments := pg_temp.ride(7, 'completed');
    paid jsonb := pg_temp.refund(p, '{"amount": 20000}');
    failed jsonb := pg_temp.refund(p, '{"amount": 10000}');
    got jsonb;
begin
    perform pg_temp.finish(paid, 'completed'), pg_temp.finish(failed, 'failed'), pg_temp.finish(failed, 'completed');
    perform pg_temp.refund(plan, '{"destination": "wallet", "amount": 5000}');
    perform pg_temp.says(low.id, '{"refunded": 2000}'), pg_temp.says(ride.id, '{"refunded": 3000}');
    perform pg_temp.says(plan.id, jsonb_build_object('dispute', jsonb_build_object('id', 'd1', 'state', 'lost', 'amount', 9000)));
    perform pg_temp.says(p.id, jsonb_build_object('dispute', jsonb_build_object('id', s, 'state', 'lost', 'amount', 30000))) from unnest(array['d2', 'd3']) s;
    perform pg_temp.says(p.id, '{"dispute": {"id": "d3", "state": "won", "amount": 30000}}');
    got := payments.reconcile_books('-infinity');
    assert got ->> 'differences' = '0' and (got ->> 'checked')::integer >= 14, got::text || (select coalesce(jsonb_agg(to_jsonb(d)), '[]')::text from payments.reconciliation_differences d where d.resolved_at is null);
    update payments.payments set verified_amount = verified_amount + 1 where id = p.id;
    update payments.payouts set amount = amount - 1 where payment_refund_id = (paid -> 'refund' ->> 'id')::uuid;
    insert into payments.payment_refunds (payment_id, amount, from_wallet, currency, reason, destination) values (p.id, 5, 5, 'GNF', 'by hand', 'wallet');
    assert payments.reconcile_books('-infinity') ->> 'differences' = '3' and pg_temp.differs(p.id::text) = 'ledger -100501 -100500', pg_temp.differs(p.id::text);
    update payments.payments set verified_amount = verified_amount - 1 where id = p.id;
    assert payments.reconcile_books('-infinity') ->> 'differences' = '2' and pg_temp.differs(p.id::text) like 'ledger % resolved';
    got := payments.reconciliation_report();
    assert got ->> 'open' = (select count(*)::text from payments.reconciliation_differences where resolved_at is null)
        and got -> 'last_run' ->> 'differences' = '2' and got -> 'kinds' @> '[{"object_type": "payout", "kind": "ledger", "open": 1}]', got::text;
    update payments.reconciliation_runs set started_at = now() - interval '2 days';
    perform pg_temp.claimed();
    assert (select count(*) from payments.reconciliation_runs where started_at = now()) = 1, 'our own books once a day';
    perform pg_temp.claimed();
    assert (select count(*) from payments.reconciliation_runs where started_at = now()) = 1;
end $$;

-- Differences and dead letters are for staff to see, without what strangers sent us; nobody else sees or writes any.
do $$
declare
    door text;
    target text;
begin
    insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, attempts, processed_at, outcome)
    values ('moneroo', 'dead', 'payment.success', 'payment', 'py_dead', '{"customer": "secret"}', '{}', 10, now(), 'dead_letter');
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.person(4))::text, true);
        perform set_config('role', door, true);
        foreach target in array array['reconcile', 'reconcile_claim'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payment_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        assert door = 'service_role' or pg_temp.code('select payments.reconciliation_report()') = '42501';
        assert pg_temp.code('select from payments.reconciliation_differences') = '42501' and pg_temp.code('delete from payments.reconciliation_runs') = '42501';
        assert door = 'authenticated' or pg_temp.code('select from api.admin_dead_letters') = '42501';
        reset role;
    end loop;
    set local role authenticated;
    assert not exists (select from api.admin_dead_letters) and not exists (select from api.admin_reconciliation), 'a user sees what is for staff';
    reset role;
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.person(99))::text, true);
    set local role authenticated;
    assert (select count(*) from api.admin_dead_letters) = 1 and exists (select from api.admin_reconciliation);
    assert not exists (select from information_schema.columns where table_schema = 'api' and table_name = 'admin_dead_letters' and column_name in ('body', 'headers'));
    reset role;
end $$;
rollback;
