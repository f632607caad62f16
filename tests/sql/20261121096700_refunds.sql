begin;
\ir lib/refunds.psql

-- 30, 30, 40 and then 1: refunds, pending ones included, never exceed what was captured; the fee goes back with the last part alone.
do $$
declare
    p payments.payments := pg_temp.paid(1);
    r jsonb := pg_temp.refund(p, '{"amount": 30000}');
begin
    assert current_setting('response.status') = '201' and r -> 'refund' @> '{"status": "pending", "amount": 30000, "remaining": 70500}', r::text;
    assert pg_temp.balance(1) = 70000 and pg_temp.platform('payout_clearing') = 30000, 'the wallet is debited first';
    assert pg_temp.refund(p, '{"amount": 30000}') -> 'refund' ->> 'remaining' = '40500' and pg_temp.refused(p, '{"amount": 40501}') = 'REFUND_EXCEEDS_CAPTURED';
    assert pg_temp.refused(p, '{"amount": 40001}') = 'REFUND_EXCEEDS_CAPTURED', 'a part of the fee';
    assert pg_temp.refund(p, '{"amount": 40000}') -> 'refund' ->> 'remaining' = '500' and pg_temp.balance(1) = 0 and pg_temp.platform('platform_fees') = 500;
    assert pg_temp.refused(p, '{"amount": 501}') = 'REFUND_EXCEEDS_CAPTURED';
    assert pg_temp.refund(p) -> 'refund' ->> 'amount' = '500' and pg_temp.platform('platform_fees') = 0, 'all that remains';
    assert pg_temp.refused(p, '{"amount": 1}') = 'REFUND_EXCEEDS_CAPTURED' and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED';
    assert pg_temp.now(p) = 'success settled' and pg_temp.platform('payout_clearing') = 100500, 'nothing is refunded before it has arrived';
    perform payments.finish_payout(o, 'completed', null) from payments.payouts o where o.user_id = pg_temp.person(1);
    assert pg_temp.now(p) = 'refunded settled' and pg_temp.platform('payout_clearing') = 0 and pg_temp.platform('provider_clearing') = 0;
    assert pg_temp.says(p.id) = 'already' and pg_temp.now(p) = 'refunded settled';
    perform pg_temp.stands();
end $$;

-- A refund that fails gives capacity and money back, once; one that turns out paid after all is the platform's loss and counts.
do $$
declare
    p payments.payments := pg_temp.paid(2);
    r jsonb := pg_temp.refund(p);
begin
    assert pg_temp.left_of(p) = 0 and pg_temp.balance(2) = 0;
    assert pg_temp.finish(r, 'failed') = 'failed' and pg_temp.finish(r, 'failed') = 'already';
    assert pg_temp.balance(2) = 100000 and pg_temp.platform('platform_fees') = 500 and pg_temp.left_of(p) = 100500 and pg_temp.refunds(p) = 'original 100500 failed';
    assert pg_temp.finish(r, 'completed') = 'late_completion' and pg_temp.balance(2) = 100000 and pg_temp.platform('losses') = -100500;
    assert pg_temp.refunds(p) = 'original 100500 succeeded' and pg_temp.now(p) = 'refunded settled' and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED';
    p := pg_temp.paid(3);
    r := pg_temp.refund(p, '{"amount": 60000}');
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(3);
    assert pg_temp.finish(r, 'failed') = 'failed' and pg_temp.balance(3) = 40000 and pg_temp.platform('suspense') = 60000, 'a blocked wallet gets nothing back';
    assert pg_temp.refused(p, '{"amount": 1000}') = 'NOT_REFUNDABLE', 'nor does it give';
    perform pg_temp.stands();
end $$;

-- To the card through its provider; to the paying number through a rail; else by hand.
do $$
declare
    p payments.payments := pg_temp.paid(4);
    o payments.payouts := pg_temp.payout(pg_temp.refund(p, '{"amount": 1000}'));
    due jsonb;
begin
    assert (o.kind, o.provider, o.method, o.destination, o.amount, o.fee, o.user_id) = ('refund', 'stripe', 'card', p.provider_payment_id, 1000, 0, p.user_id), o::text;
    due := pg_temp.service('payout_claim', '{"providers": ["stripe"]}') -> 'due';
    assert due @> jsonb_build_array(jsonb_build_object('payout_id', o.id, 'provider', 'stripe', 'destination', p.provider_payment_id, 'amount', 1000)), due::text;
    p := pg_temp.paid(4, '{"provider": "mtn_momo", "currency": "XOF", "phone": "2250500000001", "amount": 5000}');
    o := pg_temp.payout(pg_temp.refund(p, '{"amount": 1000}'));
    assert (o.method, o.destination, o.currency) = ('mtn_momo', '2250500000001', 'XOF') and (payments.rail_of(o)).provider_method = 'mtn_ci', o::text;
    p := pg_temp.paid(4, '{"provider": "moneroo"}');
    o := pg_temp.payout(pg_temp.refund(p, '{"amount": 1000}'));
    assert o.destination = 'moneroo ' || p.provider_payment_id and pg_temp.service('payout_claim', '{"providers": ["moneroo"]}') ->> 'manual' = '1';
    assert (select status from payments.payouts where id = o.id) = 'manual', 'nobody knows the number';
    p := pg_temp.paid(4, '{"provider": "wave", "currency": "XOF", "amount": 5000, "customer": {"phone": "+2250700000009"}}');
    o := pg_temp.payout(pg_temp.refund(p, '{"amount": 1000}'));
    assert (o.method, o.destination) = ('wave', 'wave ' || p.provider_payment_id) and (payments.rail_of(o)).provider is null, 'a number that somebody typed has paid nothing';
end $$;

-- A deposit is refundable up to what the wallet still holds, and not from the wallet into itself.
do $$
declare
    p payments.payments := pg_temp.paid(5);
    payouts bigint := (select count(*) from payments.payouts);
begin
    assert pg_temp.refused(p, '{"destination": "wallet"}') = 'NOT_REFUNDABLE' and pg_temp.refused(p, '{"destination": "wallet", "amount": 1000}') = 'NOT_REFUNDABLE';
    perform pg_temp.ask('authenticated', pg_temp.person(5), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 50000, 'recipient_id', pg_temp.person(6)));
    assert pg_temp.refused(p) = 'INSUFFICIENT_FUNDS' and pg_temp.refused(p, '{"amount": 49501}') = 'INSUFFICIENT_FUNDS' and pg_temp.refused(p, '{"amount": 49500}') = 'ok';
    assert pg_temp.balance(5) = 0 and (select count(*) from payments.payouts) = payouts + 1, 'a refused refund left a payout';
    perform pg_temp.stands();
end $$;

-- A plan is paid back by the platform, into the wallet at once; with the whole price it ends, with a part it stays.
do $$
declare
    p payments.payments := pg_temp.paid(7, '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}');
    r jsonb := pg_temp.refund(p, '{"destination": "wallet", "amount": 5000}');
    fees bigint := pg_temp.platform('platform_fees', 'XAF');
begin
    assert r -> 'refund' @> '{"status": "succeeded", "amount": 5000, "remaining": 10000, "currency": "XAF"}' and pg_temp.balance(7, 'XAF') = 5000, r::text;
    assert fees = 10000 and (select status from payments.paid_entitlements where id = p.purpose_id) = 'active' and pg_temp.now(p) = 'success settled';
    r := pg_temp.refund(p, '{"destination": "wallet"}');
    assert pg_temp.balance(7, 'XAF') = 15000 and pg_temp.platform('platform_fees', 'XAF') = 0 and pg_temp.now(p) = 'refunded settled';
    assert (select status = 'expired' and expires_at <= now() from payments.paid_entitlements where id = p.purpose_id), 'a plan that was paid back runs on';
    assert pg_temp.refused(p, '{"destination": "wallet"}') = 'REFUND_EXCEEDS_CAPTURED';
    perform pg_temp.stands();
end $$;

-- While the ride runs its money waits: cancel it. Once it is shared out, the platform bears the refund, in an entry of its own.
do $$
declare
    p payments.payments := pg_temp.ride(8, 'accepted');
    losses bigint := pg_temp.platform('losses');
begin
    assert pg_temp.refused(p, '{"destination": "wallet"}') = 'NOT_REFUNDABLE' and pg_temp.platform('ride_clearing') = 7000;
    perform pg_temp.ask('authenticated', pg_temp.person(8), 'taxi_update_ride_status', jsonb_build_object('rideId', p.purpose_id, 'status', 'cancelled', 'reason', 'rain'));
    assert pg_temp.balance(8) = 7000 and pg_temp.refused(p, '{"destination": "wallet"}') = 'NOT_REFUNDABLE', 'it is in the wallet already';
    assert pg_temp.refused(p) = 'ok' and pg_temp.balance(8) = 0 and pg_temp.platform('losses') = losses, 'but may go back to the card';
    p := pg_temp.ride(10, 'completed');
    assert pg_temp.balance(11) = 5950 and pg_temp.refused(p, '{"destination": "wallet", "amount": 2000}') = 'ok';
    assert pg_temp.balance(10) = 2000 and pg_temp.balance(11) = 5950 and pg_temp.platform('losses') = losses - 2000, 'the driver keeps his share';
    perform pg_temp.stands();
end $$;

-- Who asks, and for what: admins alone, not about their own money, with a key and a reason, for money that came.
do $$
declare
    p payments.payments := pg_temp.paid(12);
    open uuid := (pg_temp.ask('authenticated', pg_temp.person(12), 'payment_begin', '{"provider": "moneroo", "purpose": "wallet_deposit", "amount": 2000}') -> 'payment' ->> 'id')::uuid;
    under payments.payments := pg_temp.paid(13, '{"amount": 3000}', 3000);
    own payments.payments;
    key jsonb := '{"idempotency_key": "the-same-key", "amount": 1000}';
    first jsonb;
begin
    assert pg_temp.refused(p, '{}', 12) = 'FORBIDDEN' and pg_temp.refused(p, '{}', 14) = 'FORBIDDEN';
    own := pg_temp.paid(99, '{"amount": 4000}');
    assert pg_temp.refused(own) = 'FORBIDDEN', 'his own';
    assert pg_temp.refused(p, '{"idempotency_key": null}') = 'VALIDATION_ERROR' and pg_temp.refused(p, '{"reason": null}') = 'VALIDATION_ERROR'
        and pg_temp.refused(p, '{"reason": "no"}') = 'VALIDATION_ERROR' and pg_temp.refused(p, '{"destination": "mine"}') = 'VALIDATION_ERROR'
        and pg_temp.refused(p, '{"amount": 0}') = 'VALIDATION_ERROR' and pg_temp.refused(p, '{"amount": -5}') = 'VALIDATION_ERROR'
        and pg_temp.refused(p, '{"amount": 1.5}') = 'VALIDATION_ERROR' and pg_temp.refused(p, '{"payment_id": null}') = 'VALIDATION_ERROR';
    assert pg_temp.refused(p, jsonb_build_object('payment_id', gen_random_uuid())) = 'NOT_FOUND' and pg_temp.refused(p, '{"payment_id": "py_nobody"}') = 'NOT_FOUND';
    assert pg_temp.refused(p, jsonb_build_object('payment_id', open)) = 'NOT_REFUNDABLE', 'no money came';
    assert pg_temp.refused(under) = 'NOT_REFUNDABLE', 'in suspense: wallet-admin releases it';
    assert pg_temp.left_of(p) = 100500 and not exists (select from payments.payment_refunds where payment_id in (p.id, under.id, own.id)), 'a refusal took something';
    first := pg_temp.refund(p, key || jsonb_build_object('payment_id', p.provider_payment_id));
    assert first -> 'refund' ->> 'payment_id' = p.id::text, 'by the provider''s id';
    assert pg_temp.refund(p, key || jsonb_build_object('payment_id', p.provider_payment_id)) = first and pg_temp.left_of(p) = 99500, 'sent twice';
    assert pg_temp.refused(p, key || '{"amount": 1001}') = 'IDEMPOTENCY_MISMATCH';
    delete from core.idempotency_keys;
    assert pg_temp.refused(p, key) = 'IDEMPOTENCY_MISMATCH' and pg_temp.left_of(p) = 99500, 'its key is used up for ever';
    update payments.payments set disputed_at = now() where id = p.id;
    assert pg_temp.refused(p) = 'IN_DISPUTE';
    assert (select count(*) from core.audit_logs where action = 'payment_refund' and target_id = p.id::text and actor_id = pg_temp.person(99)) = 1;
    perform pg_temp.stands();
end $$;

-- A refund that fails asks the provider once more: what a dashboard gave back meanwhile had been taken for it.
do $$
declare
    p payments.payments := pg_temp.paid(15);
    r jsonb := pg_temp.refund(p);
    due jsonb;
begin
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.refunds(p) = 'original 100500 pending';
    perform pg_temp.finish(r, 'failed'), pg_temp.finish(r, 'failed');
    due := pg_temp.service('payment_sweep', '{"providers": ["stripe"]}') -> 'payments';
    assert due @> jsonb_build_array(jsonb_build_object('payment_id', p.id)), due::text;
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.balance(15) = 0 and pg_temp.now(p) = 'refunded settled';
    perform pg_temp.stands();
end $$;

-- Given up by us, given once more, and then paid after all: more than everything is refunded, too.
do $$
declare
    p payments.payments := pg_temp.paid(16, '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}');
    r jsonb := pg_temp.refund(p, '{"amount": 10000}');
begin
    perform pg_temp.finish(r, 'failed');
    perform pg_temp.refund(p, '{"amount": 8000, "destination": "wallet"}');
    assert pg_temp.finish(r, 'completed') = 'late_completion' and pg_temp.now(p) = 'refunded settled';
    assert (select status from payments.paid_entitlements where payment_id = p.id) = 'expired';
    perform pg_temp.stands();
end $$;
-- The card's bank sends a refund back after it was paid: the capacity and the money come home, once.
do $$
declare
    p payments.payments := pg_temp.paid(81);
    r jsonb := pg_temp.refund(p);
begin
    assert pg_temp.finish(r, 'completed') = 'completed' and pg_temp.balance(81) = 0 and pg_temp.now(p) = 'refunded settled';
    assert pg_temp.finish(r, 'failed') = 'late_failure' and pg_temp.finish(r, 'failed') = 'already';
    assert pg_temp.balance(81) = 100000 and pg_temp.now(p) = 'success settled' and pg_temp.left_of(p) = 100500, pg_temp.now(p);
    perform pg_temp.stands();
end $$;
rollback;
