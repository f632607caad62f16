-- A ride is requested, and drivers near it are told: taxi-request-ride and the offers every later step re-uses.
-- Why:       price, shares and customer are frozen by the server in the statement that makes the ride; offers are written
--            in one statement, never one by one.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

-- ------------------------------------------------------------------------------------------------------------- offers

create function taxi.dues_of(driver uuid, currency text) returns bigint language sql stable set search_path = '' as $$
    select coalesce(sum(d.amount - d.settled_amount), 0)::bigint from taxi.driver_dues d
     where d.driver_id = driver and d.currency = dues_of.currency and d.settled_amount < d.amount
$$;

create function taxi.offer(rides uuid[], radius_m bigint, pool integer, take integer)
    returns integer language plpgsql set search_path = '' as $$
declare
    dues_limit bigint := core.setting('taxi.dues_limit');
    lifetime interval := make_interval(secs => core.setting('taxi.no_driver_after_s'));
    told integer;
begin
    -- Per ride: the `pool` best drivers who have not declined (null: as many as it needs); of those, the first `take` who
    -- have no offer yet.
    with best as (
        select t.id as ride_id, c.driver_id, c.rank
          from taxi.trips t
         cross join lateral (
            select s.driver_id, s.rank
              from (select n.driver_id, row_number() over (order by n.distance_m, d.rating desc, d.id) as rank
                      from taxi.nearby(t.pickup_lat, t.pickup_lng, radius_m, 60) n
                      join taxi.drivers d on d.id = n.driver_id
                     where d.vehicle_type = t.vehicle_type and d.user_id <> t.customer_id
                     order by rank offset 0) s
             -- Asked of one driver after the other, nearest first, until there are enough: the fence above keeps it so.
             where taxi.dues_of(s.driver_id, t.currency) <= dues_limit
               and (select count(*) from taxi.declines x where x.ride_id = t.id and x.driver_id = s.driver_id) = 0
             order by s.rank
             limit coalesce(pool, take + (select count(*) from taxi.notifications o
                                           where o.ride_id = t.id and o.type = 'ride_offer'))) c
         where t.id = any (rides) and t.status = 'requested'
    ), fresh as (
        select b.*, row_number() over (partition by b.ride_id order by b.rank) as turn
          from best b
         where not exists (select from taxi.notifications o
                            where o.ride_id = b.ride_id and o.driver_id = b.driver_id and o.type = 'ride_offer')
    ), written as (
        insert into taxi.notifications (ride_id, user_id, driver_id, type, payload, expires_at)
        select t.id, d.user_id, d.id, 'ride_offer', jsonb_build_object('ride_code', t.ride_code,
                   'pickup', jsonb_build_object('lat', t.pickup_lat, 'lng', t.pickup_lng, 'address', t.pickup_address),
                   'dropoff', jsonb_build_object('lat', t.dropoff_lat, 'lng', t.dropoff_lng, 'address', t.dropoff_address),
                   'distance_m', t.distance_m, 'price_total', t.price_total, 'driver_share', t.driver_share,
                   'currency', t.currency), t.requested_at + lifetime
          from fresh f join taxi.trips t on t.id = f.ride_id join taxi.drivers d on d.id = f.driver_id
         where f.turn <= take
            on conflict (ride_id, driver_id) where type = 'ride_offer' do nothing
        returning id, ride_id, user_id
    ), pushed as (
        insert into core.outbox (channel, payload, dedupe_key)
        select 'push', jsonb_build_object('type', 'ride_offer', 'ride_id', w.ride_id, 'user_ids', jsonb_agg(w.user_id)),
               'taxi_offer:' || min(w.id::text)
          from written w group by w.ride_id
    )
    select count(*) into told from written;
    return told;
end $$;
comment on function taxi.offer is 'Tells the next drivers about open rides, in one statement; returns how many were told.';

create function taxi.close_offers(ride uuid) returns void language sql set search_path = '' as $$
    update taxi.notifications n set closed_at = now(), expires_at = least(n.expires_at, now())
     where n.ride_id = ride and n.type = 'ride_offer' and n.closed_at is null
$$;

-- ------------------------------------------------------------------------------------------------- taxi-request-ride

create function taxi.fare_of_quote(quote uuid, asker uuid, vehicle text, pickup taxi.place, dropoff taxi.place)
    returns taxi.fare language plpgsql stable set search_path = '' as $$
declare
    q taxi.quotes;
begin
    -- The day bounds the months that are read; a quote lives minutes.
    select * into q from taxi.quotes x
     where x.id = quote and x.user_id = asker and x.created_at > now() - interval '1 day' and x.expires_at > now();
    if not found or q.vehicle_type <> vehicle
        or taxi.distance_m(q.pickup_lat, q.pickup_lng, pickup.lat, pickup.lng) > 100
        or taxi.distance_m(q.dropoff_lat, q.dropoff_lng, dropoff.lat, dropoff.lng) > 100 then
        perform core.refuse('QUOTE_EXPIRED', 409, 'this quote cannot be used', null, 'ask for a new quote');
    end if;
    return row(q.distance_m, q.duration_s, q.estimated, q.surge_pct, q.base_fare, q.distance_cost, q.time_cost, q.price_total,
        q.driver_share, q.platform_fee, q.driver_share_bps, q.currency)::taxi.fare;
end $$;

create function taxi.refuse_second_ride(asker uuid) returns void language plpgsql set search_path = '' as $$
declare
    active uuid;
begin
    select t.id into active from taxi.trips t
     where t.customer_id = asker and t.status in ('requested', 'accepted', 'arriving', 'picked_up', 'in_progress');
    if found then
        perform core.refuse('ACTIVE_RIDE_EXISTS', 409, 'you already have a ride', jsonb_build_object('ride_id', active));
    end if;
end $$;

create function taxi.insert_ride(asker uuid, ask jsonb, vehicle text, pickup taxi.place, dropoff taxi.place, f taxi.fare)
    returns taxi.trips language plpgsql set search_path = '' as $$
declare
    ride taxi.trips;
    broken text;
begin
    insert into taxi.trips (customer_id, vehicle_type, pickup_lat, pickup_lng, pickup_address, dropoff_lat, dropoff_lng,
        dropoff_address, distance_m, duration_s, estimated, surge_pct, base_fare, distance_cost, time_cost, price_total,
        driver_share, platform_fee, driver_share_bps, currency, quote_id, idempotency_key, search_radius_m)
    values (asker, vehicle, pickup.lat, pickup.lng, pickup.address, dropoff.lat, dropoff.lng,
        dropoff.address, f.distance_m, f.duration_s, f.estimated, f.surge_pct, f.base_fare, f.distance_cost, f.time_cost,
        f.price_total, f.driver_share, f.platform_fee, f.driver_share_bps, f.currency, core.uuid_field(ask, 'quoteId'),
        ask ->> 'idempotency_key', core.setting('taxi.offer_radius_m'))
    returning * into ride;
    return ride;
exception when unique_violation then
    -- Two requests at once: the index let one through.
    get stacked diagnostics broken = constraint_name;
    if broken = 'trips_one_active_per_customer' then
        perform taxi.refuse_second_ride(asker);
        perform core.refuse('ACTIVE_RIDE_EXISTS', 409, 'you had a ride until this moment', null, 'ask again');
    elsif broken = 'trips_one_per_key' then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for an earlier ride');
    end if;
    raise;
end $$;

create function taxi.request_ride(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    asker uuid := core.caller();
    asked jsonb := taxi.with_key(ask);
    done jsonb := core.replay('taxi-request-ride', asked);
    vehicle text := coalesce(core.text_field(asked, 'vehicleType', 2, 20), 'moto');
    quote uuid := core.uuid_field(asked, 'quoteId');
    pickup taxi.place;
    dropoff taxi.place;
    f taxi.fare;
    ride taxi.trips;
    told integer;
begin
    if done is not null then
        return done;
    end if;
    pickup := taxi.place_field(asked, 'pickup');
    dropoff := taxi.place_field(asked, 'dropoff');
    if exists (select from taxi.drivers d where d.user_id = asker and d.is_online) then
        perform core.refuse('FORBIDDEN', 403, 'a driver who is online cannot request a ride', null, 'go offline first');
    end if;
    if taxi.distance_m(pickup.lat, pickup.lng, dropoff.lat, dropoff.lng) < 100 then
        perform core.invalid('dropoff', 'must be at least 100 m from the pickup');
    end if;
    perform taxi.refuse_second_ride(asker);
    if quote is null then
        f := taxi.fare_between(vehicle, pickup, dropoff);
    else
        f := taxi.fare_of_quote(quote, asker, vehicle, pickup, dropoff);
    end if;
    ride := taxi.insert_ride(asker, asked, vehicle, pickup, dropoff, f);
    told := taxi.offer(array[ride.id], core.setting('taxi.offer_radius_m'), 10, 10);
    perform taxi.log(ride.id, 'request', null, 'requested', jsonb_build_object('price_total', ride.price_total, 'told', told));
    return core.remember('taxi-request-ride', asked, jsonb_build_object('success', true, 'rideId', ride.id,
        'rideCode', ride.ride_code, 'status', ride.status, 'fare', taxi.fare_json(f, quote, null) || '{"binding": true}',
        'notifiedDrivers', told), 201);
end $$;

create function api.taxi_request_ride(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.request_ride(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.request_ride(jsonb), api.taxi_request_ride(jsonb) to authenticated;
