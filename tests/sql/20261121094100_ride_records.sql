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

-- Customer and driver see their ride and what belongs to it; a stranger sees nothing; nobody writes.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    eve uuid := pg_temp.driver(3, 2);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
    seen integer;
    who uuid;
    relation text;
begin
    perform pg_temp.ask(bob, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9.509, "lng": -13.7}');
    perform pg_temp.ask(alice, 'taxi_payment', jsonb_build_object('rideId', r, 'paymentMethod', 'cash'));
    perform set_config('role', 'authenticated', true);
    foreach who in array array[alice, bob, eve] loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', who)::text, true);
        foreach relation in array array['taxi_trips', 'taxi_transactions', 'taxi_ride_tracking'] loop
            execute format('select count(*) from api.%I', relation) into seen;
            assert seen = case when who = eve then 0 else 1 end, relation || ' shows ' || seen || ' to ' || who;
        end loop;
    end loop;
    perform set_config('request.jwt.claims', jsonb_build_object('sub', alice)::text, true);
    assert (select count(*) from api.taxi_drivers) = 0, 'a customer reads drivers';
    assert (select string_agg(type, ',') from api.taxi_notifications) = 'ride_accepted';
    assert (select distance_km from api.taxi_trips) = round((select distance_m from api.taxi_trips) / 1000.0, 2);
    perform set_config('request.jwt.claims', jsonb_build_object('sub', bob)::text, true);
    assert (select status || ' ' || last_lat from api.taxi_drivers) = 'on_trip 9.509';
    assert (select count(*) from api.taxi_pricing_config) = 1;
    foreach relation in array array['taxi_trips', 'taxi_drivers', 'taxi_transactions', 'taxi_driver_dues', 'taxi_quotes'] loop
        begin
            execute format('delete from api.%I', relation);
            assert false, relation || ' can be deleted from';
        exception when insufficient_privilege or object_not_in_prerequisite_state then null;
        end;
    end loop;
    begin
        update taxi.trips set price_total = 1, driver_share = 1, platform_fee = 0;
        assert false, 'a driver edits the price';
    exception when insufficient_privilege then null;
    end;
    begin
        update api.taxi_trips set status = 'completed';
        assert false, 'a driver sets the state';
    exception when insufficient_privilege then null;
    end;
    perform set_config('role', 'none', true);
end $$;

-- A reader marks his own notices as read, and changes nothing else in them.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    marked integer;
begin
    perform set_config('role', 'authenticated', true);
    perform set_config('request.jwt.claims', jsonb_build_object('sub', alice)::text, true);
    update api.taxi_notifications set read = true;
    get diagnostics marked = row_count;
    assert marked = 1, marked || ' notices were marked';
    begin
        update api.taxi_notifications set payload = '{}';
        assert false, 'a notice was rewritten';
    exception when insufficient_privilege then null;
    end;
    perform set_config('role', 'none', true);
    assert (select count(*) from taxi.notifications where read) = 1;
end $$;

-- The audit trail is append-only, partitioned, and closed to clients.
do $$ begin
    assert (select count(*) from taxi.audit_logs_default) = 0, 'this month has no partition';
    assert exists (select from taxi.audit_logs);
    begin
        delete from taxi.audit_logs;
        assert false, 'audit lines were deleted';
    exception when raise_exception then assert sqlerrm like '%append-only%', sqlerrm;
    end;
    assert not has_table_privilege('authenticated', 'taxi.audit_logs', 'select');
    assert not has_table_privilege('anon', 'api.taxi_trips', 'select');
end $$;

-- Times leave in UTC with a Z; a legacy key becomes the key, the new spelling wins.
do $$ begin
    assert taxi.utc('2026-11-21 12:30:00.5+01') = '2026-11-21T11:30:00.500Z';
    assert taxi.with_key('{"idempotencyKey": "k", "a": 1}') = '{"idempotency_key": "k", "a": 1}';
    assert taxi.with_key('{"idempotencyKey": "k", "idempotency_key": "j"}') = '{"idempotency_key": "j"}';
    assert taxi.with_key('{"a": 1}') = '{"a": 1}';
end $$;
rollback;
