-- A search for drivers is planned once for a session, not anew for each of its rings.
-- Why:       a ride request looks at seven rings, and working out how to cost more than looking: two fifths of what the request took.
-- Locks:     none.
-- Old code:  keeps working; who is found, and at which surge, is the same.
-- Undo:      create taxi.ring and taxi.surge_at as 20261121098800_nearest_rings.sql does.

create or replace function taxi.ring(at_lat double precision, at_lng double precision, radius_m bigint, inner_m double precision,
        outer_m double precision, fresh_s integer)
    returns table (driver_id uuid, distance_m double precision, user_id uuid, vehicle_type text, rating numeric)
    language plpgsql stable rows 20 set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    -- One degree of latitude is 111,195 m. A circle is a little wider than its box: of the next ring's side, so that no driver
    -- falls between two rings; of the whole search, as ever.
    reach double precision := least(outer_m * 1.1, radius_m);
    tall double precision := reach / 111195.0;
    wide double precision := reach / 111195.0 / greatest(cos(radians(at_lat)), 0.01);
begin
    -- A box of index cells first, then the exact ring, then who of its drivers is free: each step on what the one before left, and
    -- fenced, because a plan for every ring there could be would read all drivers at once.
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
     cross join lateral (
        select w.user_id, w.vehicle_type, w.rating from taxi.drivers w
         where w.id = n.driver_id and w.status = 'available' and w.is_online and w.can_work and w.kyc_verified
        offset 0) d;
end $$;

create or replace function taxi.surge_at(point taxi.place) returns integer language plpgsql stable set search_path = ''
    set plan_cache_mode = force_generic_plan as $$
declare
    radius bigint := core.setting('taxi.offer_radius_m');
    tall double precision := radius / 111195.0;
    wide double precision := radius / 111195.0 / greatest(cos(radians(point.lat)), 0.01);
    demand bigint;
    drivers bigint := 0;
    inner_m double precision := -1;
    outer_m double precision;
begin
    -- Line by line of cells, as an index has them: a sum with the time keeps the planner from the index of all rides that wait.
    select count(*) into demand
      from generate_series(floor((point.lat - tall + 90) * 20)::integer, floor((point.lat + tall + 90) * 20)::integer) line
     cross join lateral (
        select t.pickup_lat, t.pickup_lng from taxi.trips t
         where t.status = 'requested' and t.requested_at + interval '10 minutes' >= now()
           and t.pickup_cell between line * 7201 + floor((point.lng - wide + 180) * 20)::integer
                                 and line * 7201 + floor((point.lng + wide + 180) * 20)::integer
        offset 0) o
     where taxi.distance_m(point.lat, point.lng, o.pickup_lat, o.pickup_lng) <= radius;
    foreach outer_m in array taxi.rings(point.lat, radius) loop
        select drivers + count(*) into drivers from taxi.ring(point.lat, point.lng, radius, inner_m, outer_m, 60);
        -- From here on the surge is 100, however many more there are.
        exit when drivers > 0 and 5 * demand <= 4 * drivers;
        inner_m := outer_m;
    end loop;
    return taxi.surge_pct(demand, drivers, core.setting('taxi.surge_cap_pct'));
end $$;
