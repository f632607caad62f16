begin;
\ir lib/rides.psql
create function pg_temp.driver_row(who uuid) returns taxi.drivers language sql as $$ select * from taxi.drivers where user_id = who $$;
create function pg_temp.request(customer uuid) returns jsonb language sql as $$
    select jsonb_build_object('rideId', pg_temp.ask(customer, 'taxi_request_ride', pg_temp.route()) ->> 'rideId')
$$;

-- The tick widens, expires, rests silent drivers, frees stuck ones; twice in a minute it does nothing more.
do $$
declare
    waiting uuid := pg_temp.person(13);
    lost uuid := pg_temp.person(14);
    stuck uuid := pg_temp.driver(15, 2);
    silent uuid := pg_temp.driver(16, 2);
    kept uuid := pg_temp.person(17);
    r jsonb := pg_temp.request(kept);
    reply jsonb;
begin
    perform pg_temp.ask(pg_temp.driver(18, 1), 'taxi_accept_ride', r);
    update taxi.trips set requested_at = now() - interval '1 hour', dispatched_at = now() - interval '1 hour' where customer_id = kept;
    perform pg_temp.request(waiting);
    perform pg_temp.request(lost);
    update taxi.trips set requested_at = now() - interval '61 seconds', dispatched_at = now() - interval '61 seconds'
     where customer_id = waiting;
    update taxi.trips set requested_at = now() - interval '900 seconds' where customer_id = lost;
    update taxi.drivers set status = 'on_trip' where user_id = stuck;
    update taxi.driver_positions set seen_at = now() - interval '301 seconds' where driver_id = (pg_temp.driver_row(silent)).id;
    reply := taxi.dispatch_tick('{}');
    assert reply = '{"success": true, "widened": 1, "expired": 1, "drivers_offline": 1, "drivers_released": 1}', reply;
    assert (select search_radius_m from taxi.trips where customer_id = waiting) = 15000;
    assert (select status = 'cancelled' and cancel_reason = 'no_driver' from taxi.trips where customer_id = lost);
    assert (select count(*) from taxi.notifications where user_id = lost and type = 'ride_no_driver') = 1;
    assert (pg_temp.driver_row(stuck)).status = 'available' and (pg_temp.driver_row(silent)).status = 'offline';
    assert (select count(*) from core.outbox where channel = 'alert' and payload ->> 'type' = 'taxi_driver_stuck') = 1;
    assert (select status from taxi.trips where customer_id = kept) = 'accepted', 'the tick touched an accepted ride';
    reply := taxi.dispatch_tick('{}');
    assert reply = '{"success": true, "widened": 0, "expired": 0, "drivers_offline": 0, "drivers_released": 0}', reply;
    assert pg_temp.code((select d.user_id from taxi.drivers d where d.status = 'available' limit 1), 'taxi_accept_ride',
        (select jsonb_build_object('rideId', id) from taxi.trips where customer_id = lost)) = 'ALREADY_ASSIGNED', 'an expired ride';
end $$;

-- The tick is the service's alone.
do $$ begin
    assert not has_function_privilege('authenticated', 'api.taxi_dispatch_tick(jsonb)', 'execute');
    assert has_function_privilege('service_role', 'api.taxi_dispatch_tick(jsonb)', 'execute');
end $$;
rollback;
