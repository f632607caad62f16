begin;
\ir lib/rides.psql
create function pg_temp.driver_row(who uuid) returns taxi.drivers language sql as $$ select * from taxi.drivers where user_id = who $$;
create function pg_temp.request(customer uuid) returns jsonb language sql as $$
    select jsonb_build_object('rideId', pg_temp.ask(customer, 'taxi_request_ride', pg_temp.route()) ->> 'rideId')
$$;

-- Accept: the driver is on a trip, the customer is told, the others' offers close; asked again, the same answer.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    eve uuid := pg_temp.driver(3, 2);
    asked jsonb := pg_temp.request(alice);
    r uuid := (asked ->> 'rideId')::uuid;
    reply jsonb := pg_temp.ask(bob, 'taxi_accept_ride', asked);
begin
    assert reply ->> 'rideId' = r::text and reply -> 'ride' ->> 'status' = 'accepted', reply;
    assert (reply -> 'ride' ->> 'driver_id')::uuid = (pg_temp.driver_row(bob)).id, reply;
    assert (pg_temp.driver_row(bob)).status = 'on_trip';
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'ride_offer' and closed_at is null) = 0;
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'ride_accepted' and user_id = alice) = 1;
    assert pg_temp.ask(bob, 'taxi_accept_ride', asked) = reply, 'the winner asked again';
    assert pg_temp.ask(bob, 'taxi_accept_ride', asked || jsonb_build_object('driverId', bob)) = reply, 'by user id';
    assert pg_temp.ask(bob, 'taxi_accept_ride', asked || jsonb_build_object('driverId', (pg_temp.driver_row(bob)).id)) = reply;
    assert pg_temp.code(bob, 'taxi_accept_ride', asked || jsonb_build_object('driverId', eve)) = 'IDENTITY_MISMATCH';
    assert pg_temp.code(eve, 'taxi_accept_ride', asked) = 'ALREADY_ASSIGNED';
    assert (pg_temp.driver_row(eve)).status = 'available', 'a loser went on a trip';
    assert (select count(*) from taxi.audit_logs where ride_id = r and action = 'accept') = 1;
end $$;

-- Who may not accept, one reason at a time; nothing changes.
do $$
declare
    dan uuid := pg_temp.driver(4, 1);
    his uuid := (pg_temp.driver_row(dan)).id;
    carol uuid := pg_temp.person(5);
    asked jsonb := pg_temp.request(carol);
begin
    assert pg_temp.code(carol, 'taxi_accept_ride', asked) = 'FORBIDDEN', 'no driver';
    assert pg_temp.code(dan, 'taxi_accept_ride', '{}') = 'VALIDATION_ERROR';
    assert pg_temp.code(dan, 'taxi_accept_ride', '{"rideId": "x"}') = 'VALIDATION_ERROR';
    assert pg_temp.code(dan, 'taxi_accept_ride', '{"rideId": "00000000-0000-4000-8000-00000000ffff"}') = 'NOT_FOUND';
    assert pg_temp.code('00000000-0000-4000-8000-000000000002', 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'on a trip';
    update taxi.drivers set status = 'suspended' where id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'suspended';
    update taxi.drivers set status = 'offline', is_online = false where id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'offline';
    update taxi.drivers set status = 'available', is_online = true, can_work = false where id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'may not work';
    update taxi.drivers set can_work = true, kyc_verified = false where id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'not verified';
    update taxi.drivers set kyc_verified = true, vehicle_type = 'car' where id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'another vehicle';
    update taxi.drivers set vehicle_type = 'moto' where id = his;
    update taxi.driver_positions set seen_at = now() - interval '121 seconds' where driver_id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_NOT_AVAILABLE', 'silent';
    update taxi.driver_positions set seen_at = now() - interval '119 seconds', lat = 9.5 + 15.1 / 111.195 where driver_id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_TOO_FAR';
    update taxi.driver_positions set lat = 9.5 + 14.9 / 111.195, usable = false where driver_id = his;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_TOO_FAR', 'an impossible position';
    update taxi.driver_positions set usable = true where driver_id = his;
    perform pg_temp.ask(dan, 'taxi_refuse_ride', asked);
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'DRIVER_DECLINED';
    assert (select status = 'requested' and driver_id is null from taxi.trips where customer_id = carol);
    assert (pg_temp.driver_row(dan)).status = 'available';
    delete from taxi.declines;
    assert pg_temp.code(dan, 'taxi_accept_ride', asked) = 'ok', 'at 14.9 km, 119 s ago';
    assert pg_temp.code(dan, 'taxi_refuse_ride', asked) = 'RIDE_NOT_OPEN';
end $$;

-- Nobody drives himself.
do $$
declare
    finn uuid := pg_temp.driver(6, 1);
    asked jsonb;
begin
    update taxi.drivers set is_online = false, status = 'offline' where user_id = finn;
    asked := pg_temp.request(finn);
    update taxi.drivers set is_online = true, status = 'available' where user_id = finn;
    assert pg_temp.code(finn, 'taxi_accept_ride', asked) = 'FORBIDDEN';
end $$;

-- Refuse: only the own row, only while requested; the search widens, the next five are told once.
do $$
declare
    gina uuid := pg_temp.person(7);
    near uuid := pg_temp.driver(30, -1);
    asked jsonb := pg_temp.request(gina);
    r uuid := (asked ->> 'rideId')::uuid;
    told bigint := (select count(*) from taxi.notifications where ride_id = r and type = 'ride_offer');
begin
    perform pg_temp.driver(30 + n, 6 + n) from generate_series(1, 7) n;
    assert pg_temp.ask(near, 'taxi_refuse_ride', asked) ->> 'driversDeclined' = '1';
    assert (select search_radius_m from taxi.trips where id = r) = 15000;
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'ride_offer') = told + 5, 'the next five';
    assert (select closed_at is not null from taxi.notifications where ride_id = r and user_id = near), 'his own offer closes';
    assert pg_temp.ask(near, 'taxi_refuse_ride', asked) ->> 'driversDeclined' = '1', 'a repeat counts';
    assert (select count(*) from taxi.notifications where ride_id = r and type = 'ride_offer') = told + 5, 'a repeat tells';
    assert pg_temp.code(near, 'taxi_refuse_ride', asked || jsonb_build_object('driverId', pg_temp.person(8))) = 'IDENTITY_MISMATCH';
    assert pg_temp.code(gina, 'taxi_refuse_ride', asked) = 'FORBIDDEN';
    assert pg_temp.code(near, 'taxi_refuse_ride', '{"rideId": "00000000-0000-4000-8000-00000000ffff"}') = 'NOT_FOUND';
    assert (select count(*) from taxi.declines where ride_id = r) = 1;
end $$;

-- Heartbeat: online, positions, the impossible jump, tracking every ten seconds, no leaving during a ride.
do $$
declare
    hugo uuid := pg_temp.driver(9, 3);
    his uuid := (pg_temp.driver_row(hugo)).id;
    r jsonb;
begin
    assert pg_temp.ask(hugo, 'taxi_driver_heartbeat', '{"is_online": false}') = '{"ok": true, "success": true}';
    assert ((pg_temp.driver_row(hugo)).status, (pg_temp.driver_row(hugo)).is_online) = ('offline', false);
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": true}') = 'VALIDATION_ERROR', 'online without a position';
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": 1, "lat": 9.5, "lng": -13.7}') = 'VALIDATION_ERROR';
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 91, "lng": -13.7}') = 'VALIDATION_ERROR';
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9, "lng": -13, "heading": 360}') = 'VALIDATION_ERROR';
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9, "lng": -13, "speed": 201}') = 'VALIDATION_ERROR';
    assert pg_temp.code(pg_temp.person(10), 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9, "lng": -13}') = 'FORBIDDEN';
    assert (pg_temp.driver_row(hugo)).status = 'offline', 'a refused heartbeat changed something';
    update taxi.driver_positions set lat = 9.5, lng = -13.7, seen_at = now() - interval '60 seconds' where driver_id = his;
    perform pg_temp.ask(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9.5299, "lng": -13.7, "heading": 359, "speed": 200}');
    assert (select usable and heading = 359 from taxi.driver_positions where driver_id = his), '3.32 km in a minute is possible';
    assert (pg_temp.driver_row(hugo)).status = 'available';
    update taxi.driver_positions set seen_at = now() - interval '60 seconds' where driver_id = his;
    perform pg_temp.ask(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9.56, "lng": -13.7}');
    assert (select not usable from taxi.driver_positions where driver_id = his), '3.35 km in a minute is not';
    update taxi.driver_positions set lat = 9.5, usable = true where driver_id = his;
    r := pg_temp.request(pg_temp.person(11));
    perform pg_temp.ask(hugo, 'taxi_accept_ride', r);
    perform pg_temp.ask(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9.5, "lng": -13.7}');
    perform pg_temp.ask(hugo, 'taxi_driver_heartbeat', '{"is_online": true, "lat": 9.5, "lng": -13.7}');
    assert (select count(*) from taxi.ride_tracking where driver_id = his) = 1, 'one row per ten seconds';
    assert pg_temp.code(hugo, 'taxi_driver_heartbeat', '{"is_online": false}') = 'ACTIVE_RIDE_EXISTS';
    assert ((pg_temp.driver_row(hugo)).status, (pg_temp.driver_row(hugo)).is_online) = ('on_trip', true);
    perform pg_temp.driver(12, 4);
    update taxi.drivers set status = 'suspended' where user_id = '00000000-0000-4000-8000-000000000012';
    perform pg_temp.ask('00000000-0000-4000-8000-000000000012', 'taxi_driver_heartbeat', '{"is_online": false}');
    assert (pg_temp.driver_row('00000000-0000-4000-8000-000000000012')).status = 'suspended', 'a heartbeat lifted a suspension';
end $$;

-- Closed to whoever has no token.
do $$ begin
    assert not has_function_privilege('anon', 'api.taxi_accept_ride(jsonb)', 'execute');
    assert not has_function_privilege('anon', 'api.taxi_driver_heartbeat(jsonb)', 'execute');
end $$;
rollback;
