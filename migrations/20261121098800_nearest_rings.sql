-- The nearest drivers of a full city: read in growing rings until there are enough, not all within five kilometres at once.
-- Why:       with 100,000 drivers in one city a search read 17,000 positions and 6,000 drivers to find ten. What lies beyond a ring
--            is farther than what lies in it, so who is found, and in which order, is the same. Cells are a hundredth of a degree.
-- Locks:     taxi.driver_positions, while it is written anew (100,000 drivers: about a second).
-- Old code:  keeps working; the functions answer the same, and nobody but them reads the cell of a driver.
-- Undo:      create taxi.nearby, taxi.surge_at and taxi.offer as their own migrations do; drop taxi.nearest, taxi.ring, taxi.rings;
--            drop column cell, add it as 20261121094000_rides.sql does, with its index; drop taxi.block.

create function taxi.block(lat double precision, lng double precision) returns integer
    language sql immutable strict parallel safe set search_path = '' as $$
    -- A hundredth of a degree, about 1.1 km: a small ring reads little else, and a heartbeat seldom leaves its block.
    select floor((lat + 90) * 100)::integer * 36001 + floor((lng + 180) * 100)::integer
$$;

-- squawk-ignore ban-drop-column
alter table taxi.driver_positions drop column cell;
-- A call, not the formula: each heartbeat reads the expression anew, and the longer text costs more than the call.
-- squawk-ignore adding-field-with-default
alter table taxi.driver_positions add column cell integer not null generated always as (taxi.block(lat, lng)) stored;
-- squawk-ignore require-concurrent-index-creation
create index driver_positions_cell on taxi.driver_positions (cell);
analyze taxi.driver_positions;

create function taxi.rings(at_lat double precision, radius_m bigint)
    returns double precision[] language plpgsql immutable set search_path = '' as $$
begin
    -- How far each look goes; the last one sees what a single look would. Near the poles a box misses parts of its circle.
    return array(select r from unnest(array[500, 1000, 2000, 4000, 8000]) r where r < radius_m and abs(at_lat) <= 80)::double precision[]
        || radius_m::double precision;
end $$;

create function taxi.ring(at_lat double precision, at_lng double precision, radius_m bigint, inner_m double precision,
        outer_m double precision, fresh_s integer)
    returns table (driver_id uuid, distance_m double precision, user_id uuid, vehicle_type text, rating numeric)
    language plpgsql stable rows 20 set search_path = '' as $$
declare
    -- One degree of latitude is 111,195 m. A circle is a little wider than its box: of the next ring's side, so that no driver
    -- falls between two rings; of the whole search, as ever.
    reach double precision := least(outer_m * 1.1, radius_m);
    tall double precision := reach / 111195.0;
    wide double precision := reach / 111195.0 / greatest(cos(radians(at_lat)), 0.01);
begin
    -- A box of index cells first, then the exact ring, then who of its drivers is free: each step on what the one before left.
    return query
    select n.driver_id, n.distance_m, d.user_id, d.vehicle_type, d.rating
      from (select m.driver_id, m.distance_m
              -- taxi.distance_m, written out: a call per driver costs more than all the rest of the search.
              from (select p.driver_id, 12742017.6 * asin(sqrt(least(1, sin(radians(p.lat - at_lat) / 2) ^ 2
                               + cos(radians(at_lat)) * cos(radians(p.lat)) * sin(radians(p.lng - at_lng) / 2) ^ 2))) as distance_m
                      from generate_series(floor((at_lat - tall + 90) * 100)::integer, floor((at_lat + tall + 90) * 100)::integer) line
                     cross join lateral (
                        select q.driver_id, q.lat, q.lng from taxi.driver_positions q
                         where q.cell between line * 36001 + floor((at_lng - wide + 180) * 100)::integer
                                          and line * 36001 + floor((at_lng + wide + 180) * 100)::integer
                           and q.usable and q.seen_at >= now() - make_interval(secs => fresh_s)
                           and q.lat between at_lat - tall and at_lat + tall and q.lng between at_lng - wide and at_lng + wide
                        offset 0) p
                    offset 0) m
             where m.distance_m > inner_m and m.distance_m <= outer_m
            offset 0) n
      join taxi.drivers d on d.id = n.driver_id
     where d.status = 'available' and d.is_online and d.can_work and d.kyc_verified;
end $$;
comment on function taxi.ring is 'Drivers who could take a ride now, farther than the inner and no farther than the outer circle.';

create or replace function taxi.nearby(at_lat double precision, at_lng double precision, radius_m bigint, fresh_s integer)
    returns table (driver_id uuid, distance_m double precision) language sql stable rows 20 set search_path = '' as $$
    select r.driver_id, r.distance_m from taxi.ring(at_lat, at_lng, radius_m, -1, radius_m, fresh_s) r
$$;

create function taxi.nearest(ride taxi.trips, radius_m bigint, wanted bigint, dues_limit bigint)
    returns table (driver_id uuid, rank bigint) language plpgsql stable rows 20 set search_path = '' as $$
declare
    inner_m double precision := -1;
    outer_m double precision;
begin
    -- Stable, so all rings see the drivers of one moment: that of the statement that asks.
    rank := 0;
    foreach outer_m in array taxi.rings(ride.pickup_lat, radius_m) loop
        for driver_id in
            select s.driver_id
              from (select r.driver_id, r.distance_m, r.rating
                      from taxi.ring(ride.pickup_lat, ride.pickup_lng, nearest.radius_m, inner_m, outer_m, 60) r
                     where r.vehicle_type = ride.vehicle_type and r.user_id <> ride.customer_id
                     order by r.distance_m, r.rating desc, r.driver_id offset 0) s
             -- Asked of one driver after the other, nearest first, until there are enough: the fence above keeps it so.
             where taxi.dues_of(s.driver_id, ride.currency) <= dues_limit
               and (select count(*) from taxi.declines x where x.ride_id = ride.id and x.driver_id = s.driver_id) = 0
             order by s.distance_m, s.rating desc, s.driver_id
             limit wanted - rank loop
            rank := rank + 1;
            return next;
        end loop;
        exit when rank >= wanted;
        inner_m := outer_m;
    end loop;
end $$;
comment on function taxi.nearest is 'The best drivers for a ride: free, of its kind, not over the dues limit, not declined; nearest first.';

create or replace function taxi.surge_at(point taxi.place) returns integer language plpgsql stable set search_path = '' as $$
declare
    radius bigint := core.setting('taxi.offer_radius_m');
    tall double precision := radius / 111195.0;
    wide double precision := radius / 111195.0 / greatest(cos(radians(point.lat)), 0.01);
    demand bigint;
    drivers bigint := 0;
    inner_m double precision := -1;
    outer_m double precision;
begin
    select count(*) into demand
      from generate_series(floor((point.lat - tall + 90) * 20)::integer, floor((point.lat + tall + 90) * 20)::integer) line
      join taxi.trips t on t.status = 'requested' and t.requested_at >= now() - interval '10 minutes'
       and t.pickup_cell between line * 7201 + floor((point.lng - wide + 180) * 20)::integer
                             and line * 7201 + floor((point.lng + wide + 180) * 20)::integer
     where taxi.distance_m(point.lat, point.lng, t.pickup_lat, t.pickup_lng) <= radius;
    foreach outer_m in array taxi.rings(point.lat, radius) loop
        select drivers + count(*) into drivers from taxi.ring(point.lat, point.lng, radius, inner_m, outer_m, 60);
        -- From here on the surge is 100, however many more there are.
        exit when drivers > 0 and 5 * demand <= 4 * drivers;
        inner_m := outer_m;
    end loop;
    return taxi.surge_pct(demand, drivers, core.setting('taxi.surge_cap_pct'));
end $$;

create or replace function taxi.offer(rides uuid[], radius_m bigint, pool integer, take integer)
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
         cross join lateral taxi.nearest(t, radius_m, coalesce(pool, take + (select count(*) from taxi.notifications o
                                           where o.ride_id = t.id and o.type = 'ride_offer')), dues_limit) c
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

revoke execute on all functions in schema taxi from public;
