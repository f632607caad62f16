-- A search for drivers is planned once for a session, not anew for each of its rings.
-- Why:       a ride request looks at seven rings, and working out how to cost more than looking: two fifths of what the request took.
-- Locks:     none.
-- Old code:  keeps working; who is found, and at which surge, is the same.
-- Undo:      alter function taxi.ring(…) reset plan_cache_mode; create taxi.surge_at as 20261121098800_nearest_rings.sql does.

alter function taxi.ring(double precision, double precision, bigint, double precision, double precision, integer)
    set plan_cache_mode = force_generic_plan;

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
