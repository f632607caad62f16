-- Drivers: heartbeat, accept, refuse.
-- Why:       two drivers can never both win and a driver never holds two rides: the decision is one conditional update, and
--            who changed no row has lost.
-- Locks:     ride, then driver; accepting waits for a ride's row at most 2 s, and no lock outlives the answer.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

-- ---------------------------------------------------------------------------------------------- taxi-driver-heartbeat

create function taxi.set_online(driver taxi.drivers, online boolean) returns void language plpgsql set search_path = '' as $$
declare
    active uuid;
begin
    if driver.is_online = online then
        return;
    end if;
    -- on_trip is accept's word alone: under the row lock this either precedes an accept or sees it.
    update taxi.drivers d set is_online = online,
           status = case when d.status = 'suspended' then 'suspended' when online then 'available' else 'offline' end
     where d.id = driver.id and d.status <> 'on_trip';
    if not found and not online then
        select t.id into active from taxi.trips t
         where t.driver_id = driver.id and t.status in ('accepted', 'arriving', 'picked_up', 'in_progress');
        perform core.refuse('ACTIVE_RIDE_EXISTS', 409, 'finish your ride before going offline',
            jsonb_build_object('ride_id', active));
    end if;
end $$;

create function taxi.save_position(driver uuid, here taxi.place, heading integer, speed integer)
    returns void language plpgsql set search_path = '' as $$
declare
    last taxi.driver_positions;
    plausible boolean := true;
    track boolean;
    ride uuid;
begin
    select * into last from taxi.driver_positions p where p.driver_id = driver for no key update;
    if found then
        -- More than 200 km/h since the last fix; two fixes in one second are judged as one second.
        plausible := taxi.distance_m(last.lat, last.lng, here.lat, here.lng) * 3.6
            <= 200 * greatest(1, extract(epoch from now() - last.seen_at));
    end if;
    select t.id into ride from taxi.trips t
     where t.driver_id = driver and t.status in ('accepted', 'arriving', 'picked_up', 'in_progress');
    track := ride is not null and (last.tracked_at is null or last.tracked_at <= now() - interval '10 seconds');
    insert into taxi.driver_positions as p (driver_id, lat, lng, heading, speed, usable, tracked_at)
    values (driver, here.lat, here.lng, heading, speed, plausible, case when track then now() end)
        on conflict (driver_id) do update set lat = excluded.lat, lng = excluded.lng, heading = excluded.heading,
           speed = excluded.speed, usable = excluded.usable, tracked_at = coalesce(excluded.tracked_at, p.tracked_at),
           seen_at = now();
    if track then
        insert into taxi.ride_tracking (ride_id, driver_id, lat, lng, heading, speed)
        values (ride, driver, here.lat, here.lng, heading, speed) on conflict do nothing;
    end if;
end $$;

create function taxi.driver_heartbeat(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    driver taxi.drivers := taxi.caller_driver(ask);
    online boolean;
    heading numeric := taxi.number_field(ask, 'heading', 0, 359, 'heading');
    speed numeric := taxi.number_field(ask, 'speed', 0, 200, 'speed');
begin
    if jsonb_typeof(ask -> 'is_online') is distinct from 'boolean' then
        perform core.invalid('is_online', 'must be true or false');
    end if;
    online := (ask ->> 'is_online')::boolean;
    perform taxi.set_online(driver, online);
    -- Whoever goes offline may not know where he is any more.
    if online or ask -> 'lat' is not null or ask -> 'lng' is not null then
        perform taxi.save_position(driver.id, taxi.position_of(ask, ''), round(heading)::integer, round(speed)::integer);
    end if;
    return '{"ok": true, "success": true}';
end $$;

-- -------------------------------------------------------------------------------------------------- taxi-accept-ride

create function taxi.accepted_before(ride taxi.trips, driver taxi.drivers)
    returns jsonb language plpgsql stable set search_path = '' as $$
begin
    -- A lost answer is asked for again: the winner hears that he won, everybody else that it is gone.
    if ride.driver_id is distinct from driver.id or ride.status = 'cancelled' then
        perform core.refuse('ALREADY_ASSIGNED', 409, 'this ride is no longer open');
    end if;
    return jsonb_build_object('success', true, 'rideId', ride.id, 'ride', taxi.ride_json(ride));
end $$;

create function taxi.check_may_accept(ride taxi.trips, driver taxi.drivers)
    returns void language plpgsql stable set search_path = '' as $$
declare
    here taxi.driver_positions;
begin
    if ride.customer_id = driver.user_id then
        perform core.refuse('FORBIDDEN', 403, 'nobody drives himself');
    elsif ride.requested_at <= clock_timestamp() - make_interval(secs => core.setting('taxi.no_driver_after_s')) then
        -- Over by the server's clock, though the tick that says so has not come yet.
        perform core.refuse('ALREADY_ASSIGNED', 409, 'this ride is no longer offered');
    end if;
    select * into here from taxi.driver_positions p
     where p.driver_id = driver.id and p.seen_at >= now() - interval '120 seconds';
    if not found or not driver.is_online or driver.status <> 'available' or not driver.can_work or not driver.kyc_verified
        or driver.vehicle_type <> ride.vehicle_type then
        perform core.refuse('DRIVER_NOT_AVAILABLE', 409, 'you cannot take rides now');
    end if;
    if not here.usable or taxi.distance_m(here.lat, here.lng, ride.pickup_lat, ride.pickup_lng)
        > core.setting('taxi.wide_radius_m') then
        perform core.refuse('DRIVER_TOO_FAR', 409, 'you are too far from the pickup');
    end if;
end $$;

create function taxi.win_ride(wanted uuid, driver taxi.drivers) returns taxi.trips language plpgsql set search_path = '' as $$
declare
    ride taxi.trips;
    broken text;
begin
    -- Waits for whoever is deciding about this ride, then looks again: of any number of drivers, one changes a row.
    update taxi.trips t set status = 'accepted', driver_id = driver.id, accepted_at = now()
     where t.id = wanted and t.status = 'requested' and t.driver_id is null
    returning * into ride;
    if not found then
        return null;
    end if;
    if exists (select from taxi.declines d where d.ride_id = wanted and d.driver_id = driver.id) then
        perform core.refuse('DRIVER_DECLINED', 409, 'you declined this ride');
    end if;
    update taxi.drivers d set status = 'on_trip'
     where d.id = driver.id and d.status = 'available' and d.is_online and d.can_work and d.kyc_verified;
    if not found then
        perform core.refuse('DRIVER_NOT_AVAILABLE', 409, 'you cannot take rides now');
    end if;
    return ride;
exception
    when lock_not_available then
        perform core.refuse('LOCKED', 409, 'somebody is deciding about this ride', null, 'try again');
    when unique_violation then
        get stacked diagnostics broken = constraint_name;
        if broken <> 'trips_one_active_per_driver' then raise; end if;
        perform core.refuse('DRIVER_NOT_AVAILABLE', 409, 'you already have a ride');
end $$;

create function taxi.accept_ride(ask jsonb) returns jsonb language plpgsql security definer
    set search_path = '' set lock_timeout = '2s' as $$
declare
    driver taxi.drivers := taxi.caller_driver(ask);
    wanted uuid := taxi.required_ride(ask);
    ride taxi.trips;
begin
    select * into ride from taxi.trips t where t.id = wanted;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such ride');
    end if;
    -- Most late drivers are answered here, without waiting for anybody's lock.
    if ride.status <> 'requested' then
        return taxi.accepted_before(ride, driver);
    end if;
    perform taxi.check_may_accept(ride, driver);
    ride := taxi.win_ride(wanted, driver);
    if ride.id is null then
        select * into ride from taxi.trips t where t.id = wanted;
        return taxi.accepted_before(ride, driver);
    end if;
    perform taxi.log(ride.id, 'accept', 'requested', 'accepted', null, driver.id);
    perform taxi.close_offers(ride.id);
    perform taxi.notify(ride.id, ride.customer_id, 'ride_accepted', jsonb_build_object('ride_code', ride.ride_code,
        'driver_id', driver.id, 'rating', driver.rating, 'vehicle_type', driver.vehicle_type,
        'vehicle_plate', driver.vehicle_plate, 'vehicle_model', driver.vehicle_model));
    return jsonb_build_object('success', true, 'rideId', ride.id, 'ride', taxi.ride_json(ride));
end $$;

-- -------------------------------------------------------------------------------------------------- taxi-refuse-ride

create function taxi.refuse_ride(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    driver taxi.drivers := taxi.caller_driver(ask);
    wanted uuid := taxi.required_ride(ask);
    wide bigint := core.setting('taxi.wide_radius_m');
    ride taxi.trips;
begin
    select * into ride from taxi.trips t where t.id = wanted for no key update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such ride');
    elsif ride.status <> 'requested' then
        perform core.refuse('RIDE_NOT_OPEN', 409, 'this ride is no longer open');
    end if;
    insert into taxi.declines (ride_id, driver_id) values (wanted, driver.id) on conflict do nothing;
    if found then
        update taxi.notifications n set closed_at = now()
         where n.ride_id = wanted and n.driver_id = driver.id and n.type = 'ride_offer' and n.closed_at is null;
        update taxi.trips t set search_radius_m = greatest(t.search_radius_m, wide) where t.id = wanted;
        perform taxi.offer(array[wanted], wide, 20, 5);
        perform taxi.log(wanted, 'decline', 'requested', 'requested', null, driver.id);
    end if;
    return jsonb_build_object('success', true, 'driversDeclined',
        (select count(*) from taxi.declines d where d.ride_id = wanted));
end $$;

create function api.taxi_driver_heartbeat(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.driver_heartbeat(ask);
create function api.taxi_accept_ride(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.accept_ride(ask);
create function api.taxi_refuse_ride(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.refuse_ride(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.driver_heartbeat(jsonb), api.taxi_driver_heartbeat(jsonb), taxi.accept_ride(jsonb),
    api.taxi_accept_ride(jsonb), taxi.refuse_ride(jsonb), api.taxi_refuse_ride(jsonb) to authenticated;
