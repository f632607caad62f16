begin;
\ir lib/refunds.psql
-- Every decision about money, roles and prices, each made once; each must leave one line that says what was and what is.
create function pg_temp.traced(wanted text, target text, was jsonb, now_is jsonb, who uuid default null) returns void language plpgsql as $$
declare
    lines jsonb := (select jsonb_agg(jsonb_build_object('old', a.old, 'new', a.new, 'actor', a.actor_id)) from core.audit_logs a
                     where a.action = wanted and a.target_id = target);
begin
    assert jsonb_array_length(lines) = 1, format('%s of %s left %s lines', wanted, target, coalesce(jsonb_array_length(lines), 0));
    assert lines -> 0 -> 'old' @> was, wanted || ' does not say what was: ' || lines;
    assert lines -> 0 -> 'new' @> now_is, wanted || ' does not say what is: ' || lines;
    assert lines -> 0 ->> 'actor' is not distinct from who::text, wanted || ' does not say who: ' || lines;
end $$;
create function pg_temp.admin(ask jsonb) returns jsonb language sql as $$
    select pg_temp.ask('authenticated', pg_temp.person(99), 'wallet_admin', '{"reason": "seen by two people"}' || ask)
$$;
insert into people.user_roles values (pg_temp.person(99), 'admin');

-- wallet-admin: a wallet.
do $$
declare
    boss uuid := pg_temp.person(99);
    w uuid := ledger.wallet_for(pg_temp.person(1), 'GNF');
    ask jsonb := jsonb_build_object('wallet_id', w);
begin
    perform pg_temp.admin(ask || '{"action": "block"}');
    perform pg_temp.traced('wallet.blocked', w::text, '{"status": "active"}', '{"status": "blocked", "reason": "seen by two people"}', boss);
    perform pg_temp.admin(ask || '{"action": "unblock"}');
    perform pg_temp.traced('wallet.active', w::text, '{"status": "blocked"}', '{"status": "active"}', boss);
    perform pg_temp.admin(ask || '{"action": "set_limits", "daily_limit": 5, "monthly_limit": 7}');
    perform pg_temp.traced('wallet_limits', w::text, '{"daily_limit": null, "monthly_limit": null}', '{"daily_limit": 5, "monthly_limit": 7}', boss);
    perform pg_temp.admin(ask || '{"action": "close"}');
    perform pg_temp.traced('wallet.closed', w::text, '{"status": "active"}', '{"status": "closed"}', boss);
    -- What was refused changed nothing, and is kept all the same.
    assert pg_temp.admin(ask || '{"action": "unblock"}') ->> 'code' = 'INVALID_STATE';
    assert (select old is null and new @> '{"code": "INVALID_STATE"}' from core.audit_logs where action = 'wallet_admin_refused');
    perform pg_temp.admin('{"action": "stats", "currency": "GNF"}');
    assert (select count(*) = 1 from core.audit_logs where action = 'wallet_stats'), 'who looks at all of it is known too';
end $$;

-- wallet-admin: a payout by hand, and money that was put aside.
do $$
declare
    boss uuid := pg_temp.person(99);
    r jsonb := pg_temp.refund(pg_temp.paid(2), '{"amount": 30000}');
    o uuid := (pg_temp.payout(r)).id;
    aside uuid;
begin
    update payments.payouts set status = 'manual' where id = o;
    perform pg_temp.admin(jsonb_build_object('action', 'settle_payout', 'payout_id', o, 'result', 'completed', 'provider_reference', 'OM-77'));
    perform pg_temp.traced('payout_settled', o::text, '{"status": "manual"}', '{"status": "completed", "provider_reference": "OM-77", "reason": "seen by two people"}', boss);
    perform pg_temp.traced('payout.completed', o::text, '{"status": "manual"}', '{"status": "completed"}', boss);
    perform pg_temp.traced('refund.completed', r -> 'refund' ->> 'id', '{"status": "pending"}', '{"status": "succeeded", "amount": 30000}', boss);
    perform pg_temp.paid(3, '{"amount": 50000}', 40000);
    select entry_id into aside from ledger.suspense_lines() where user_id = pg_temp.person(3);
    perform pg_temp.admin(jsonb_build_object('action', 'release_suspense', 'entry_id', aside, 'to_user_id', pg_temp.person(3)));
    perform pg_temp.traced('suspense_released', aside::text, '{"is_open": true, "amount": 40000}', jsonb_build_object('to_user_id', pg_temp.person(3)), boss);
end $$;

-- A refund by an admin; a payout that its provider ended; a refund made in the provider's own dashboard; the payment before.
do $$
declare
    p payments.payments := pg_temp.paid(4);
    r jsonb := pg_temp.refund(p, '{"amount": 30000}');
    o payments.payouts := pg_temp.payout(r);
begin
    perform pg_temp.traced('payment.settled', p.id::text, '{"status": "pending"}', '{"status": "success", "verified_amount": 100500}', null);
    perform pg_temp.traced('payment_refund', p.id::text, '{"status": "success", "left": 100500}',
        jsonb_build_object('left', 70500, 'refund', jsonb_build_object('amount', 30000, 'reason', 'not delivered', 'by', pg_temp.person(99))), pg_temp.person(99));
    assert not exists (select from core.audit_logs where new::text like '%refund-0%'), 'a key is its sender''s own';
    update payments.payouts set status = 'processing', provider_payout_id = 're_1' where id = o.id;
    perform pg_temp.service('payout_settle', jsonb_build_object('provider', 'stripe', 'provider_payout_id', 're_1', 'status', 'failed',
        'amount', 30000, 'currency', 'GNF', 'environment', 'live', 'expected_environment', 'live', 'payout_id', null));
    perform pg_temp.traced('payout.failed', o.id::text, '{"status": "processing"}', '{"status": "failed", "provider_payout_id": "re_1"}');
    perform pg_temp.traced('refund.failed', r -> 'refund' ->> 'id', '{"status": "pending"}', '{"status": "failed"}');
    perform pg_temp.says(p.id, '{"refunded": 100500}');
    perform pg_temp.traced('refund.provider', (select id::text from payments.payment_refunds x where x.payment_id = p.id and x.destination = 'provider'),
        '{"status": "success", "left": 100500, "provider_refunded": 0}', '{"status": "refunded", "left": 0, "provider_refunded": 100500, "refund": {"amount": 100500}}');
end $$;

-- A payer's objection, from its opening to its end.
do $$
declare
    p payments.payments := pg_temp.paid(5);
    said jsonb := jsonb_build_object('id', 'dp_1', 'amount', 100500);
    d text;
    step text;
begin
    foreach step in array array['open', 'lost', 'won'] loop
        perform pg_temp.says(p.id, jsonb_build_object('dispute', said || jsonb_build_object('state', step)));
    end loop;
    select id into d from payments.disputes where payment_id = p.id;
    perform pg_temp.traced('dispute.added', d, '{}', '{"state": "open", "amount": 100500}');
    assert (select array_agg((a.old ->> 'state') || '>' || (a.new ->> 'state') order by a.new ->> 'state') from core.audit_logs a
             where a.action = 'dispute.changed' and a.target_id = d) = '{open>lost,lost>won}';
end $$;

-- A share that a blocked wallet cannot take; a ride that staff pay in the customer's name.
do $$
declare
    driver uuid := pg_temp.person(7);
    customer uuid := pg_temp.person(8);
    his uuid := ledger.wallet_for(driver, 'GNF');
    p payments.payments;
    ride uuid;
begin
    update ledger.wallets set status = 'blocked' where id = his;
    p := pg_temp.ride(6, 'completed');
    perform pg_temp.traced('ride_share_suspended', p.purpose_id::text, '{"to": "wallet", "wallet_status": "blocked"}',
        jsonb_build_object('to', 'suspense', 'user_id', driver, 'amount', 5950));
    insert into taxi.trips (customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
        surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, status, search_radius_m)
    select customer, d.id, 'moto', 9.5, -13.7, 9.6, -13.7, 1000, 100, false, 100, 7000, 0, 0, 7000, 5950, 1050, 8500, 'GNF', 'completed', 5000
      from taxi.drivers d where d.user_id = driver returning id into ride;
    perform pg_temp.ask('authenticated', pg_temp.person(99), 'taxi_payment', jsonb_build_object('rideId', ride, 'paymentMethod', 'cash'));
    perform pg_temp.traced('ride_payment.in_anothers_name', ride::text, '{"payment_method": null}',
        jsonb_build_object('payment_method', 'cash', 'customer_id', customer), pg_temp.person(99));
    assert not exists (select from core.audit_logs where action = 'ride_payment.in_anothers_name' and target_id = p.purpose_id::text), 'he paid it himself';
end $$;

-- Roles, who may drive, settings and prices: also when an operator changes them in SQL, and then the session's name is there.
do $$
declare
    someone uuid := pg_temp.person(10);
    cab uuid;
    row_of text;
begin
    perform set_config('request.jwt.claims', '', true);
    insert into people.user_roles values (someone, 'agent');
    perform pg_temp.traced('role.added', someone::text, '{}', jsonb_build_object('role', 'agent', 'session_user', session_user));
    update people.user_roles set role = 'admin' where user_id = someone;
    perform pg_temp.traced('role.changed', someone::text, '{"role": "agent"}', '{"role": "admin"}');
    delete from people.user_roles where user_id = someone;
    perform pg_temp.traced('role.removed', someone::text, '{"role": "admin"}', '{}');
    insert into taxi.drivers (user_id) values (someone) returning id into cab;
    update taxi.drivers set kyc_verified = true, can_work = true where id = cab;
    perform pg_temp.traced('driver.changed', cab::text, '{"kyc_verified": false}', '{"kyc_verified": true, "can_work": true}');
    update taxi.drivers set is_online = true, status = 'available' where id = cab;
    perform pg_temp.traced('driver.changed', cab::text, '{"kyc_verified": false}', '{}');
    update core.settings set value = value + 1 where key = (select min(s.key) from core.settings s);
    assert (select count(*) > 0 from core.audit_logs where action = 'setting.changed' and target_type = 'core.settings'
        and (new ->> 'value')::bigint = (old ->> 'value')::bigint + 1);
    update ledger.risk_rules set value = value where currency = 'GNF';
    assert not exists (select from core.audit_logs where target_type = 'ledger.risk_rules' and action = 'setting.changed'), 'nothing changed';
    update ledger.risk_rules set value = value + 1 where currency = 'GNF' and key = (select min(key) from ledger.risk_rules);
    select target_id into row_of from core.audit_logs where target_type = 'ledger.risk_rules' and action = 'setting.changed';
    assert row_of = (select min(key) from ledger.risk_rules) || ':GNF', row_of;
end $$;

-- What sets prices, limits and roles is watched whichever way it is changed.
do $$
declare
    watched regclass;
begin
    foreach watched in array array['people.user_roles', 'core.settings', 'core.currencies', 'ledger.wallet_fees', 'ledger.wallet_limits', 'ledger.risk_rules',
        'payments.providers', 'payments.provider_currencies', 'payments.payout_rails', 'payments.paid_plans', 'taxi.pricing_config', 'taxi.service_areas']::regclass[] loop
        assert exists (select from pg_trigger t where t.tgrelid = watched and t.tgname = 'audited' and t.tgtype = 29), watched || ' is not watched';
    end loop;
end $$;

-- Of all this only what changed nothing lacks a before; nothing lacks an after.
do $$
begin
    assert (select array_agg(distinct a.action) from core.audit_logs a where a.old is null and a.created_at = now())
        = '{wallet_admin_refused,wallet_stats}', 'a decision without a before';
    assert not exists (select from core.audit_logs a where a.new is null), 'a decision without an after';
    perform pg_temp.stands();
end $$;
rollback;
