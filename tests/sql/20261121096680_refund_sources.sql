begin;
\ir lib/refunds.psql

-- Where the money of a settled payment lies, by purpose and settlement; together it is what was captured, to the unit.
do $$
declare
    p payments.payments;
    c record;
    plan jsonb := '{"purpose": "plan_purchase", "amount": null, "plan_id": "premium_subscription"}';
begin
    for c in select * from (values (1, '{}'::jsonb, null::bigint, '(100000,500,0,0)'), (2, '{}', 100700, '(100200,500,0,0)'), (3, '{}', 100499, '(0,0,0,100499)'),
        (4, plan, null, '(0,15000,0,0)'), (5, plan, 15400, '(400,15000,0,0)')) as t (n, more, verified, parts)
    loop
        p := pg_temp.paid(c.n, c.more, c.verified);
        assert payments.parts_of(p)::text = c.parts, format('%s %s', c.n, payments.parts_of(p));
        assert payments.total(payments.parts_of(p)) = p.verified_amount and payments.left_of(p) = payments.parts_of(p);
    end loop;
    p := pg_temp.paid(1, '{"amount": 5000}');
    update ledger.wallets set status = 'blocked' where user_id = pg_temp.person(1);
    p := pg_temp.ride(6, 'completed');
    assert payments.parts_of(p) = (0, 0, 7000, 0)::payments.parts and not payments.in_ride_clearing(p), 'shared out: the platform pays';
    p := pg_temp.ride(8, 'accepted');
    assert payments.in_ride_clearing(p);
    perform pg_temp.ask('authenticated', pg_temp.person(8), 'taxi_update_ride_status', jsonb_build_object('rideId', p.purpose_id, 'status', 'cancelled', 'reason', 'rain'));
    assert payments.parts_of(p) = (7000, 0, 0, 0)::payments.parts and not payments.in_ride_clearing(p), 'in the customer''s wallet';
    perform pg_temp.stands();
end $$;

-- What was taken counts while it is pending, and no longer when it failed; what losses paid for another part is gone from that part.
do $$
declare
    p payments.payments := pg_temp.paid(10);
    r uuid;
begin
    insert into payments.payment_refunds (payment_id, amount, from_wallet, currency, reason, destination) values (p.id, 30000, 30000, 'GNF', 'test', 'original') returning id into r;
    assert payments.left_of(p) = (70000, 500, 0, 0)::payments.parts;
    update payments.payment_refunds set status = 'failed' where id = r;
    assert payments.left_of(p) = (100000, 500, 0, 0)::payments.parts;
    insert into payments.disputes (provider, dispute_id, payment_id, amount, currency, state, booked, from_wallet, from_losses)
    values ('stripe', 'd-1', p.id, 50000, 'GNF', 'lost', true, 10000, 40000);
    assert payments.left_of(p) = (50000, 500, 0, 0)::payments.parts, 'refunds and chargebacks share one cap';
    update payments.disputes set state = 'won';
    assert payments.total(payments.left_of(p)) = 100500;
    assert pg_temp.code(format('insert into payments.payment_refunds (payment_id, amount, from_wallet, currency, reason, destination)
        values (%L, 2, 1, ''GNF'', ''test'', ''wallet'')', p.id)) = '23514', 'a refund from nowhere';
    assert pg_temp.code(format('insert into payments.disputes (provider, dispute_id, payment_id, amount, currency, state)
        values (''stripe'', ''d-1'', %L, 1, ''GNF'', ''open'')', p.id)) = '23505';
end $$;

-- Nobody reads or writes these rows from outside.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['payment_refunds', 'disputes'] loop
            assert pg_temp.code(format('select from payments.%I', target)) = '42501' and pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        assert pg_temp.code('select payments.refund_finished(null, ''failed'')') = '42501';
        reset role;
    end loop;
end $$;
rollback;
