begin;
\ir lib/refunds.psql

create function pg_temp.disputed(p payments.payments, state text, amount bigint default null, id text default 'dp_1') returns text language sql as $$
    select pg_temp.says(p.id, jsonb_build_object('dispute', jsonb_build_object('id', id || p.id, 'state', state, 'amount', coalesce(amount, p.verified_amount))))
$$;
create function pg_temp.state(p payments.payments) returns text language sql as $$
    select string_agg(d.state || case when d.booked then ' booked' else '' end, ',') || case when x.disputed_at is not null then ' frozen' else '' end
      from payments.disputes d join payments.payments x on x.id = d.payment_id where x.id = p.id group by x.disputed_at
$$;

-- What was refunded in the provider's dashboard is written down once, as far as the wallet reaches, the rest to losses; then the API refuses.
do $$
declare
    p payments.payments := pg_temp.paid(1);
begin
    assert pg_temp.says(p.id, '{"refunded": 0}') = 'already' and pg_temp.refunds(p) is null;
    assert pg_temp.says(p.id, '{"refunded": 40000}') = 'already' and pg_temp.says(p.id, '{"refunded": 40000}') = 'already';
    assert pg_temp.refunds(p) = 'provider 40000 succeeded' and pg_temp.balance(1) = 60000 and pg_temp.platform('provider_clearing') = -60500;
    assert pg_temp.refused(p, '{"amount": 60501}') = 'REFUND_EXCEEDS_CAPTURED' and pg_temp.alerts('refunded_at_provider', '%') = 1;
    perform pg_temp.ask('authenticated', pg_temp.person(1), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 50000, 'recipient_id', pg_temp.person(2)));
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.now(p) = 'refunded settled';
    assert pg_temp.balance(1) = 0 and pg_temp.platform('losses') = -50500 and pg_temp.platform('provider_clearing') = 0, 'the wallet held 9 500, the fee 500';
    assert pg_temp.says(p.id, '{"refunded": 100500}') = 'already' and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED' and pg_temp.platform('losses') = -50500;
    assert pg_temp.says(p.id, '{"refunded": 101500}') = 'already' and pg_temp.refunds(p) = 'provider 0 succeeded +1000, provider 40000 succeeded, provider 60500 succeeded',
        'more than was captured is the platform''s, and said';
    perform pg_temp.stands();
end $$;

-- Our own refunds show at the provider too, and are not booked twice, in whichever order they are seen.
do $$
declare
    p payments.payments := pg_temp.paid(3);
    r jsonb := pg_temp.refund(p, '{"amount": 30000}');
    losses bigint := pg_temp.platform('losses');
begin
    assert pg_temp.says(p.id, '{"refunded": 30000}') = 'already' and pg_temp.refunds(p) = 'original 30000 pending', 'seen before its payout said so';
    perform pg_temp.finish(r, 'completed');
    assert pg_temp.says(p.id, '{"refunded": 30000}') = 'already' and pg_temp.refunds(p) = 'original 30000 succeeded';
    assert pg_temp.says(p.id, '{"refunded": 50000}') = 'already' and pg_temp.refunds(p) = 'original 30000 succeeded, provider 20000 succeeded';
    r := pg_temp.refund(p, '{"amount": 10000}');
    perform pg_temp.finish(r, 'failed');
    assert pg_temp.balance(3) = 50000;
    assert pg_temp.says(p.id, '{"refunded": 60000}') = 'already' and pg_temp.balance(3) = 40000, 'given up by us, done there: booked as the dashboard''s';
    assert pg_temp.finish(r, 'completed') = 'late_completion' and pg_temp.platform('losses') = losses and pg_temp.balance(3) = 40000, 'and not once more';
    assert pg_temp.left_of(p) = 40500 and pg_temp.platform('payout_clearing') = 0;
    perform pg_temp.stands();
end $$;

-- A dispute freezes the payment; lost it is booked once, within what is left; won it is reversed once, to the unit.
do $$
declare
    p payments.payments := pg_temp.paid(5);
    losses bigint := pg_temp.platform('losses');
    fees bigint := pg_temp.platform('platform_fees');
    clearing bigint := pg_temp.platform('provider_clearing');
begin
    perform pg_temp.refund(p, '{"amount": 20000}');
    assert pg_temp.disputed(p, 'open') = 'already' and pg_temp.disputed(p, 'open') = 'already' and pg_temp.state(p) = 'open frozen';
    assert pg_temp.refused(p) = 'IN_DISPUTE' and pg_temp.alerts('dispute_opened', '%') = 1 and pg_temp.balance(5) = 80000;
    perform pg_temp.ask('authenticated', pg_temp.person(5), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 50000, 'recipient_id', pg_temp.person(6)));
    assert pg_temp.disputed(p, 'lost') = 'already' and pg_temp.disputed(p, 'lost') = 'already' and pg_temp.disputed(p, 'open') = 'already';
    assert pg_temp.state(p) = 'lost booked' and pg_temp.balance(5) = 0 and pg_temp.left_of(p) = 0 and pg_temp.refused(p) = 'REFUND_EXCEEDS_CAPTURED';
    -- 100 500 were taken: 29 500 that the wallet held, the fee of the deposit, and the platform bears the rest.
    assert (select (from_wallet, from_fees, from_losses, excess) = (29500, 500, 50500, 20000) from payments.disputes where payment_id = p.id);
    assert pg_temp.platform('losses') = losses - 70500 and pg_temp.platform('provider_clearing') = clearing + 100500;
    assert pg_temp.disputed(p, 'won') = 'already' and pg_temp.disputed(p, 'won') = 'already' and pg_temp.disputed(p, 'lost') = 'already';
    assert pg_temp.state(p) = 'won booked' and pg_temp.balance(5) = 29500 and pg_temp.platform('losses') = losses and pg_temp.left_of(p) = 80500;
    assert pg_temp.platform('provider_clearing') = clearing and pg_temp.platform('platform_fees') = fees + 500, 'the fee of the transfer';
    assert pg_temp.refused(p, '{"amount": 29500}') = 'ok', 'free again';
    perform pg_temp.stands();
end $$;

-- Lost and won in any order, however often, net to zero; a part of the amount, and two disputes, each for itself.
do $$
declare
    words text[];
    p payments.payments;
    word text;
    before bigint;
begin
    foreach words slice 1 in array array[array['won', 'lost', 'won'], array['lost', 'won', 'lost'], array['open', 'won', 'lost'], array['lost', 'open', 'won']] loop
        p := pg_temp.paid(7);
        before := pg_temp.balance(7);
        foreach word in array words loop
            perform pg_temp.disputed(p, word);
        end loop;
        assert pg_temp.balance(7) = before and pg_temp.left_of(p) = 100500 and pg_temp.state(p) ~ '^won( booked)?$', words::text;
        delete from payments.disputes;
    end loop;
    p := pg_temp.paid(8);
    perform pg_temp.disputed(p, 'lost', 60000);
    perform pg_temp.disputed(p, 'open', 30000, 'dp_2');
    assert pg_temp.balance(8) = 40000 and pg_temp.left_of(p) = 40500 and pg_temp.state(p) like '% frozen' and pg_temp.refused(p) = 'IN_DISPUTE';
    perform pg_temp.disputed(p, 'won', 30000, 'dp_2');
    assert pg_temp.balance(8) = 40000 and pg_temp.state(p) not like '% frozen' and pg_temp.refused(p, '{"amount": 40000}') = 'ok';
    perform pg_temp.disputed(p, 'lost', null, 'dp_3');
    assert pg_temp.left_of(p) = 0 and pg_temp.alerts('unreadable_dispute', '%') = 0;
    perform pg_temp.says(p.id, '{"dispute": {"id": "x", "state": "maybe", "amount": 1}}');
    assert pg_temp.alerts('unreadable_dispute', p.id::text) = 1;
    perform pg_temp.stands();
end $$;

-- Money that waits in suspense goes back from there, whole, and is not released a second time; a ride's is borne by the platform.
do $$
declare
    p payments.payments := pg_temp.paid(9, '{}', 90000);
    held bigint := pg_temp.platform('suspense');
    ride payments.payments := pg_temp.ride(10, 'accepted');
    losses bigint := pg_temp.platform('losses');
begin
    assert pg_temp.now(p) = 'success underpaid' and pg_temp.says(p.id, '{"refunded": 90000}') = 'already';
    assert pg_temp.platform('suspense') = held - 90000 and pg_temp.now(p) = 'refunded underpaid' and pg_temp.platform('losses') = losses;
    assert payments.put_aside_as(p) is null, 'an admin could release it again';
    assert pg_temp.says(ride.id, '{"refunded": 7000}') = 'already' and pg_temp.platform('losses') = losses - 7000 and pg_temp.platform('ride_clearing') = 7000;
    perform pg_temp.ask('authenticated', pg_temp.person(10), 'taxi_update_ride_status', jsonb_build_object('rideId', ride.purpose_id, 'status', 'cancelled', 'reason', 'rain'));
    assert pg_temp.balance(10) = 0 and pg_temp.platform('losses') = losses and pg_temp.platform('ride_clearing') = 0, 'given back twice: at the bank and in the wallet';
    perform pg_temp.stands();
end $$;

-- What the bank took while a refund of ours held the money is made good when that refund fails, and is part of what may be won back.
do $$
declare
    p payments.payments := pg_temp.paid(12);
    losses bigint := pg_temp.platform('losses');
    fees bigint := pg_temp.platform('platform_fees');
    under_way bigint := pg_temp.platform('payout_clearing');
    r jsonb := pg_temp.refund(p);
begin
    assert pg_temp.balance(12) = 0 and pg_temp.disputed(p, 'lost') = 'already' and pg_temp.platform('losses') = losses - 100500, 'all of it was on its way';
    assert pg_temp.finish(r, 'failed') = 'failed' and pg_temp.balance(12) = 0 and pg_temp.platform('losses') = losses, 'given back twice: by the bank and by us';
    assert pg_temp.left_of(p) = 0 and (select (from_wallet, from_fees, from_losses, excess) = (100000, 500, 0, 0) from payments.disputes where payment_id = p.id);
    assert pg_temp.disputed(p, 'won') = 'already' and pg_temp.balance(12) = 100000 and pg_temp.platform('losses') = losses;
    assert pg_temp.left_of(p) = 100500 and pg_temp.platform('payout_clearing') = under_way and pg_temp.platform('platform_fees') = fees;
    -- A part: what the payer had spent stays the platform's loss, what comes home makes good what was taken beyond the cap.
    p := pg_temp.paid(13);
    r := pg_temp.refund(p, '{"amount": 60000}');
    perform pg_temp.ask('authenticated', pg_temp.person(13), 'wallet_operations', jsonb_build_object('operation', 'transfer', 'amount', 30000, 'recipient_id', pg_temp.person(14)));
    perform pg_temp.disputed(p, 'lost');
    assert (select (from_wallet, from_fees, from_losses, excess) = (9700, 500, 30300, 60000) from payments.disputes where payment_id = p.id);
    perform pg_temp.finish(r, 'failed');
    assert (select (from_wallet, from_fees, from_losses, excess) = (69700, 500, 30300, 0) from payments.disputes where payment_id = p.id);
    assert pg_temp.balance(13) = 0 and pg_temp.platform('losses') = losses - 30300 and pg_temp.left_of(p) = 0;
    perform pg_temp.stands();
end $$;

-- Released to the payer, what was put aside is his wallet's: the bank takes it back from there.
do $$
declare
    p payments.payments := pg_temp.paid(15, '{}', 50000);
    losses bigint := pg_temp.platform('losses');
begin
    perform pg_temp.ask('authenticated', pg_temp.person(99), 'wallet_admin', jsonb_build_object('action', 'release_suspense', 'reason', 'he paid too little',
        'entry_id', payments.put_aside_as(p), 'to_user_id', pg_temp.person(15)));
    assert pg_temp.balance(15) = 50000 and pg_temp.left_of(p) = 50000;
    perform pg_temp.disputed(p, 'lost', 20000);
    assert pg_temp.balance(15) = 30000 and pg_temp.platform('losses') = losses and pg_temp.left_of(p) = 30000;
    assert pg_temp.refused(p, '{"amount": 30000}') = 'ok' and pg_temp.balance(15) = 0 and pg_temp.left_of(p) = 0;
    perform pg_temp.stands();
end $$;
-- A blocked wallet pays for what its owner's bank has taken back; it keeps nothing to spend when it is unblocked.
do $$
declare
    p payments.payments := pg_temp.paid(71);
    before bigint := pg_temp.platform('losses');
begin
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(71);
    perform pg_temp.disputed(p, 'lost');
    assert pg_temp.balance(71) = 0 and pg_temp.platform('losses') = before, 'the wallet, not the platform';
    assert pg_temp.code(format('select ledger.post(''transfer'', ''GNF'', array[(%L::uuid, -1)::ledger.leg,
        (ledger.platform_account(''losses'', ''GNF''), 1)::ledger.leg], null, null, 1)',
        ledger.wallet_for(pg_temp.person(71), 'GNF'))) = 'WALLET_BLOCKED', 'and nothing else leaves it';
    perform pg_temp.stands();
end $$;

-- A ride is cancelled while the bank asks for its money: the refund waits.
do $$
declare
    p payments.payments := pg_temp.ride(73, 'accepted');
    held bigint := pg_temp.platform('suspense');
begin
    perform pg_temp.disputed(p, 'open');
    update taxi.trips set status = 'cancelled', cancellation_fee = 0 where id = p.purpose_id;
    perform taxi.settle_ended(t) from taxi.trips t where t.id = p.purpose_id;
    assert pg_temp.balance(73) = 0 and pg_temp.platform('suspense') = held + 7000
       and (select count(*) from core.outbox where payload ->> 'ride_id' = p.purpose_id::text and payload ->> 'type' = 'ride_refund_disputed') = 1;
    perform pg_temp.stands();
end $$;
-- Asked before our own refund failed, answered after: the answer still counts it, and nothing is booked on that.
do $$ declare
    p payments.payments := pg_temp.paid(75);
    r jsonb := pg_temp.refund(p, '{"amount": 40000}');
begin
    perform pg_temp.finish(r, 'failed'), pg_temp.says(p.id, jsonb_build_object('refunded', 40000, 'as_of', now() - interval '1 second'));
    assert pg_temp.balance(75) = 100000 and pg_temp.refunds(p) = 'original 40000 failed', pg_temp.refunds(p);
    perform pg_temp.says(p.id, jsonb_build_object('refunded', 40000));
    assert pg_temp.balance(75) = 60000, 'and asked again, it was paid there after all';
end $$;
rollback;
