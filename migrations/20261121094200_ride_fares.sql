-- What a ride costs: points, routes, surge, the fare in integers, and taxi-quote-fare.
-- Why:       one formula for quotes and rides, on the server only; a client's price or distance never reaches a ride.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

-- ------------------------------------------------------------------------------------------------------ reading points

create type taxi.place as (lat double precision, lng double precision, address text);

create function taxi.number_field(holder jsonb, name text, low numeric, high numeric, shown text)
    returns numeric language plpgsql immutable set search_path = '' as $$
declare
    given numeric;
begin
    if holder -> name is null or jsonb_typeof(holder -> name) = 'null' then
        return null;
    end if;
    if jsonb_typeof(holder -> name) = 'number' then
        given := (holder ->> name)::numeric;
    end if;
    if given is null or given < low or given > high then
        perform core.invalid(shown, format('must be a number from %s to %s', low, high));
    end if;
    return given;
end $$;

create function taxi.position_of(holder jsonb, prefix text)
    returns taxi.place language plpgsql immutable set search_path = '' as $$
declare
    -- Seven decimals are a centimetre; rounding first keeps 1e-400 from being an error of ours.
    lat numeric := round(taxi.number_field(holder, 'lat', -90, 90, prefix || 'lat'), 7);
    lng numeric := round(taxi.number_field(holder, 'lng', -180, 180, prefix || 'lng'), 7);
begin
    if lat is null or lng is null then
        perform core.invalid(prefix || case when lat is null then 'lat' else 'lng' end, 'is required');
    end if;
    return row(lat::double precision, lng::double precision, null)::taxi.place;
end $$;

create function taxi.place_field(ask jsonb, name text) returns taxi.place language plpgsql stable set search_path = '' as $$
declare
    found taxi.place;
begin
    if jsonb_typeof(ask -> name) is distinct from 'object' then
        perform core.invalid(name, 'must be {lat, lng, address?}');
    end if;
    found := taxi.position_of(ask -> name, name || '.');
    found.address := core.text_field(ask -> name, 'address', 0, 300);
    return found;
end $$;

create function taxi.area_currency(pickup taxi.place, dropoff taxi.place)
    returns text language plpgsql stable set search_path = '' as $$
declare
    found text;
begin
    select a.currency into found from taxi.service_areas a
     where a.is_active
       and pickup.lat between a.min_lat and a.max_lat and pickup.lng between a.min_lng and a.max_lng
       and dropoff.lat between a.min_lat and a.max_lat and dropoff.lng between a.min_lng and a.max_lng
     order by a.name limit 1;
    if found is null then
        perform core.refuse('OUT_OF_AREA', 400, 'we do not drive there');
    end if;
    return found;
end $$;

create function taxi.active_prices(vehicle text, currency text)
    returns taxi.pricing_config language plpgsql stable set search_path = '' as $$
declare
    found taxi.pricing_config;
begin
    select * into found from taxi.pricing_config c
     where c.vehicle_type = vehicle and c.currency = active_prices.currency and c.is_active;
    if not found.is_active or found.id is null then
        perform core.invalid('vehicleType', 'is not offered here');
    end if;
    return found;
end $$;

-- --------------------------------------------------------------------------------------------------- surge and the fare

create function taxi.surge_pct(demand bigint, drivers bigint, cap bigint)
    returns integer language sql immutable set search_path = '' as $$
    -- demand / drivers against 2, 1.5, 1 and 0.8, without a division.
    select least(cap, case
        when drivers = 0 then 150
        when demand > 2 * drivers then 200
        when 2 * demand > 3 * drivers then 175
        when demand > drivers then 150
        when 5 * demand > 4 * drivers then 125
        else 100 end)::integer
$$;

create function taxi.nearby(at_lat double precision, at_lng double precision, radius_m bigint, fresh_s integer)
    returns table (driver_id uuid, distance_m double precision) language sql stable set search_path = '' as $$
    -- A box of index cells first, then the exact circle. One degree of latitude is 111,195 m.
    with box as (
        select at_lat - a.tall as south, at_lat + a.tall as north, at_lng - a.wide as west, at_lng + a.wide as east
          from (select radius_m / 111195.0 as tall, radius_m / 111195.0 / greatest(cos(radians(at_lat)), 0.01) as wide) a
    ), found as (
        -- taxi.distance_m, written out: a call per driver costs more than all the rest of the search.
        select p.driver_id, 12742017.6 * asin(sqrt(least(1, sin(radians(p.lat - at_lat) / 2) ^ 2
                   + cos(radians(at_lat)) * cos(radians(p.lat)) * sin(radians(p.lng - at_lng) / 2) ^ 2))) as distance_m
          from box b
         cross join lateral generate_series(floor((b.south + 90) * 20)::integer, floor((b.north + 90) * 20)::integer) line
         cross join lateral (
            select q.driver_id, q.lat, q.lng from taxi.driver_positions q
             where q.cell between line * 7201 + floor((b.west + 180) * 20)::integer
                              and line * 7201 + floor((b.east + 180) * 20)::integer
               and q.usable and q.seen_at >= now() - make_interval(secs => fresh_s)
               and q.lat between b.south and b.north and q.lng between b.west and b.east
            offset 0) p
          join taxi.drivers d on d.id = p.driver_id
         where d.status = 'available' and d.is_online and d.can_work and d.kyc_verified
    )
    select f.driver_id, f.distance_m from found f where f.distance_m <= radius_m
$$;
comment on function taxi.nearby is 'Drivers who could take a ride now: available, online, allowed, verified, seen lately.';

create function taxi.surge_at(point taxi.place) returns integer language plpgsql stable set search_path = '' as $$
declare
    radius bigint := core.setting('taxi.offer_radius_m');
    tall double precision := radius / 111195.0;
    wide double precision := radius / 111195.0 / greatest(cos(radians(point.lat)), 0.01);
    demand bigint;
    drivers bigint;
begin
    select count(*) into demand
      from generate_series(floor((point.lat - tall + 90) * 20)::integer, floor((point.lat + tall + 90) * 20)::integer) line
      join taxi.trips t on t.status = 'requested' and t.requested_at >= now() - interval '10 minutes'
       and t.pickup_cell between line * 7201 + floor((point.lng - wide + 180) * 20)::integer
                             and line * 7201 + floor((point.lng + wide + 180) * 20)::integer
     where taxi.distance_m(point.lat, point.lng, t.pickup_lat, t.pickup_lng) <= radius;
    select count(*) into drivers from taxi.nearby(point.lat, point.lng, radius, 60);
    return taxi.surge_pct(demand, drivers, core.setting('taxi.surge_cap_pct'));
end $$;

create type taxi.fare as (
    distance_m integer, duration_s integer, estimated boolean, surge_pct integer, base_fare bigint, distance_cost bigint,
    time_cost bigint, price_total bigint, driver_share bigint, platform_fee bigint, driver_share_bps integer, currency text);

create function taxi.fare_of(prices taxi.pricing_config, metres bigint, seconds bigint, surge integer, estimated boolean)
    returns taxi.fare language plpgsql stable set search_path = '' as $$
declare
    f taxi.fare;
    -- In 1/60,000 of a minor unit, so that metres and seconds stay whole; times the surge, in 1/6,000,000.
    parts bigint := greatest(prices.minimum_fare * 60000,
        prices.base_fare * 60000 + metres * prices.per_km * 60 + seconds * prices.per_minute * 1000);
begin
    if metres > core.setting('taxi.max_distance_m') or seconds > core.setting('taxi.max_duration_s') then
        perform core.refuse('OUT_OF_AREA', 400, 'the route is too long');
    end if;
    f.distance_m := metres;
    f.duration_s := seconds;
    f.estimated := estimated;
    f.surge_pct := surge;
    -- The lines are rounded down and inform; the total is rounded once, half up, and decides.
    f.base_fare := prices.base_fare;
    f.distance_cost := metres * prices.per_km / 1000;
    f.time_cost := seconds * prices.per_minute / 60;
    f.price_total := (parts * surge + 3000000) / 6000000;
    f.driver_share := core.bps(f.price_total, prices.driver_share_bps);
    f.platform_fee := f.price_total - f.driver_share;
    f.driver_share_bps := prices.driver_share_bps;
    f.currency := prices.currency;
    return f;
end $$;

create function taxi.fare_between(vehicle text, pickup taxi.place, dropoff taxi.place)
    returns taxi.fare language plpgsql stable set search_path = '' as $$
declare
    prices taxi.pricing_config := taxi.active_prices(vehicle, taxi.area_currency(pickup, dropoff));
    -- No routing service is configured: the great circle, lengthened by roads, at 25 km/h; marked as estimated.
    metres bigint := round(taxi.distance_m(pickup.lat, pickup.lng, dropoff.lat, dropoff.lng) * 1.3);
begin
    return taxi.fare_of(prices, metres, (metres * 36 + 249) / 250, taxi.surge_at(pickup), true);
end $$;

create function taxi.fare_json(f taxi.fare, quote uuid, expires_at timestamptz)
    returns jsonb language sql stable set search_path = '' as $$
    select jsonb_strip_nulls(jsonb_build_object(
        'base_fare', f.base_fare, 'distance_cost', f.distance_cost, 'time_cost', f.time_cost,
        'surge_multiplier', round(f.surge_pct / 100.0, 2), 'total', f.price_total, 'driver_share', f.driver_share,
        'platform_fee', f.platform_fee, 'currency', f.currency, 'distance_m', f.distance_m, 'duration_s', f.duration_s,
        'binding', quote is not null, 'quote_id', quote, 'expires_at', taxi.utc(expires_at), 'estimated', f.estimated))
$$;

-- --------------------------------------------------------------------------------------------------- taxi-quote-fare

create function taxi.quote_by_distance(ask jsonb, vehicle text) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    km numeric := taxi.number_field(ask, 'distanceKm', 0, 100000, 'distanceKm');
    minutes numeric := taxi.number_field(ask, 'durationMin', 0, 100000, 'durationMin');
    here taxi.place;
    currency text := 'GNF';
    surge integer := 100;
begin
    if km is null or minutes is null then
        perform core.invalid(case when km is null then 'distanceKm' else 'durationMin' end, 'is required without two points');
    end if;
    if ask -> 'lat' is not null or ask -> 'lng' is not null then
        here := taxi.position_of(ask, '');
        currency := taxi.area_currency(here, here);
        surge := taxi.surge_at(here);
    end if;
    return taxi.fare_json(taxi.fare_of(taxi.active_prices(vehicle, currency), ceil(km * 1000)::bigint,
        ceil(minutes * 60)::bigint, surge, true), null, null);
end $$;

create function taxi.quote_fare(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    asker uuid := core.caller();
    vehicle text := coalesce(core.text_field(ask, 'vehicleType', 2, 20), 'moto');
    pickup taxi.place;
    dropoff taxi.place;
    f taxi.fare;
    expires timestamptz := now() + make_interval(secs => core.setting('taxi.quote_ttl_s'));
    quote uuid;
begin
    if ask -> 'pickup' is null and ask -> 'dropoff' is null then
        return '{"success": true}' || taxi.quote_by_distance(ask, vehicle);
    end if;
    pickup := taxi.place_field(ask, 'pickup');
    dropoff := taxi.place_field(ask, 'dropoff');
    f := taxi.fare_between(vehicle, pickup, dropoff);
    insert into taxi.quotes (user_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s,
        estimated, surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps,
        currency, expires_at)
    values (asker, vehicle, pickup.lat, pickup.lng, dropoff.lat, dropoff.lng, f.distance_m, f.duration_s,
        f.estimated, f.surge_pct, f.base_fare, f.distance_cost, f.time_cost, f.price_total, f.driver_share, f.platform_fee,
        f.driver_share_bps, f.currency, expires)
    returning id into quote;
    return '{"success": true}' || taxi.fare_json(f, quote, expires);
end $$;

create function api.taxi_quote_fare(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.quote_fare(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.quote_fare(jsonb), api.taxi_quote_fare(jsonb) to authenticated;
