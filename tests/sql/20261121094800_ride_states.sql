begin;
\ir lib/rides.psql
-- A ride of n's own driver, moved forward to a state.
create function pg_temp.ride(customer uuid, driver uuid, upto text) returns uuid language plpgsql as $$
declare
    made uuid := (pg_temp.ask(customer, 'taxi_request_ride', pg_temp.route()) ->> 'rideId')::uuid;
    step text;
begin
    if upto <> 'requested' then
        perform pg_temp.ask(driver, 'taxi_accept_ride', jsonb_build_object('rideId', made));
    end if;
    foreach step in array array['picked_up', 'in_progress', 'completed'] loop
        exit when upto in ('requested', 'accepted') or (select status from taxi.trips where id = made) = upto;
        perform pg_temp.ask(driver, 'taxi_update_ride_status', jsonb_build_object('rideId', made, 'status', step));
    end loop;
    return made;
end $$;
create function pg_temp.step(who uuid, ride uuid, target text) returns text language sql as $$
    select pg_temp.code(who, 'taxi_update_ride_status', jsonb_build_object('rideId', ride, 'status', target, 'reason', 'because'))
$$;
create function pg_temp.state(ride uuid) returns text language sql as $$ select status from taxi.trips where id = ride $$;

-- A ride from start to end; `started` is picked_up; a repeat changes nothing; the driver is free again.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
    reply jsonb;
begin
    assert pg_temp.step(bob, r, 'accepted') = 'ok', 'the driver repeats his accept';
    assert pg_temp.step(bob, r, 'arriving') = 'ok' and pg_temp.step(bob, r, 'arriving') = 'ok';
    assert (select count(*) from taxi.audit_logs where ride_id = r and to_status = 'arriving') = 1;
    assert pg_temp.step(bob, r, 'started') = 'ok' and pg_temp.state(r) = 'picked_up';
    assert (select started_at is not null and completed_at is null from taxi.trips where id = r);
    assert pg_temp.step(bob, r, 'in_progress') = 'ok';
    reply := pg_temp.ask(bob, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'completed'));
    assert reply -> 'ride' ->> 'status' = 'completed' and reply -> 'ride' ->> 'completed_at' like '%Z', reply;
    assert (select status from taxi.drivers where user_id = bob) = 'available';
    assert (select count(*) from taxi.notifications where ride_id = r and user_id = alice and type = 'payment_due') = 1;
    assert pg_temp.step(bob, r, 'completed') = 'ok', 'completed again';
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'payment_due') = 1;
    assert pg_temp.step(alice, r, 'cancelled') = 'INVALID_TRANSITION', 'cancelled after completed';
    assert pg_temp.step(bob, r, 'arriving') = 'INVALID_TRANSITION';
end $$;

-- Every state against every target and every actor: what the table does not allow is refused, and the state stays.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    bob uuid := '00000000-0000-4000-8000-000000000002';
    root uuid := pg_temp.person(3);
    line record;
    r uuid;
    code text;
    wanted text;
begin
    insert into people.user_roles values (root, 'admin');
    for line in
        select s, t, a from unnest(array['requested', 'accepted', 'picked_up', 'in_progress']) s,
               unnest(array['requested', 'accepted', 'arriving', 'picked_up', 'in_progress', 'completed', 'cancelled']) t,
               unnest(array['customer', 'driver', 'admin']) a where s <> t
    loop
        begin
            r := pg_temp.ride(alice, bob, line.s);
            code := pg_temp.step(case line.a when 'customer' then alice when 'driver' then bob else root end, r, line.t);
            wanted := case
                when line.s = 'requested' and line.a = 'driver' then 'NOT_FOUND'
                when exists (select from taxi.transitions x where (x.from_status, x.to_status, x.actor) = (line.s, line.t, line.a)) then 'ok'
                when exists (select from taxi.transitions x where (x.from_status, x.to_status) = (line.s, line.t)) then 'FORBIDDEN'
                else 'INVALID_TRANSITION' end;
            assert code = wanted, format('%s to %s by %s: %s, not %s', line.s, line.t, line.a, code, wanted);
            assert pg_temp.state(r) = case wanted when 'ok' then line.t else line.s end, 'the state moved';
            raise exception 'undo' using errcode = 'XX999';
        exception when sqlstate 'XX999' then null;
        end;
    end loop;
end $$;

-- Strangers, bad bodies, reasons.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    bob uuid := '00000000-0000-4000-8000-000000000002';
    eve uuid := pg_temp.driver(4, 2);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
begin
    assert pg_temp.step(eve, r, 'arriving') = 'NOT_FOUND' and pg_temp.step(eve, r, 'cancelled') = 'NOT_FOUND';
    assert pg_temp.step(bob, '00000000-0000-4000-8000-00000000ffff', 'arriving') = 'NOT_FOUND';
    assert pg_temp.step(bob, r, 'flying') = 'VALIDATION_ERROR';
    assert pg_temp.code(alice, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'cancelled')) = 'VALIDATION_ERROR';
    assert pg_temp.code(alice, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'cancelled', 'reason',
        repeat('x', 301))) = 'VALIDATION_ERROR';
    assert pg_temp.code(alice, 'taxi_update_ride_status', jsonb_build_object('rideId', r)) = 'VALIDATION_ERROR';
    assert pg_temp.code(null, 'taxi_update_ride_status', jsonb_build_object('rideId', r, 'status', 'arriving')) = 'UNAUTHENTICATED';
    assert pg_temp.state(r) = 'accepted';
    -- Before the pick-up nothing is due; who cancelled may repeat it, the other side learns that it is over.
    assert pg_temp.step(alice, r, 'cancelled') = 'ok' and pg_temp.step(alice, r, 'cancelled') = 'ok';
    assert pg_temp.step(bob, r, 'cancelled') = 'INVALID_TRANSITION';
    assert (select cancellation_fee = 0 and cancel_reason = 'because' and cancelled_by = alice from taxi.trips where id = r);
    assert (select status from taxi.drivers where user_id = bob) = 'available';
    assert (select count(*) from taxi.notifications where ride_id = r and user_id = bob and type = 'ride_cancelled') = 1;
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'payment_due') = 0;
    -- From the pick-up on the whole price is due.
    r := pg_temp.ride(alice, bob, 'picked_up');
    assert pg_temp.step(alice, r, 'cancelled') = 'ok';
    assert (select cancellation_fee = price_total from taxi.trips where id = r);
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'payment_due') = 1;
    -- A driver who was suspended meanwhile stays so.
    r := pg_temp.ride(alice, bob, 'in_progress');
    update taxi.drivers set status = 'suspended' where user_id = bob;
    assert pg_temp.step(bob, r, 'completed') = 'ok';
    assert (select status from taxi.drivers where user_id = bob) = 'suspended';
end $$;
rollback;
