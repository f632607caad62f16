begin;
\ir lib/rides.psql

-- Who was offered a ride before there were rings, as it was written then, without an index: the nearest of all.
create function pg_temp.nearby_before(at_lat double precision, at_lng double precision, radius_m bigint)
    returns table (driver_id uuid, distance_m double precision) language sql stable as $$
    with box as (
        select at_lat - a.tall as south, at_lat + a.tall as north, at_lng - a.wide as west, at_lng + a.wide as east
          from (select radius_m / 111195.0 as tall, radius_m / 111195.0 / greatest(cos(radians(at_lat)), 0.01) as wide) a
    ), found as (
        select p.driver_id, 12742017.6 * asin(sqrt(least(1, sin(radians(p.lat - at_lat) / 2) ^ 2
                   + cos(radians(at_lat)) * cos(radians(p.lat)) * sin(radians(p.lng - at_lng) / 2) ^ 2))) as distance_m
          from box b
          join taxi.driver_positions p on p.usable and p.seen_at >= now() - interval '60 seconds'
           and p.lat between b.south and b.north and p.lng between b.west and b.east
          join taxi.drivers d on d.id = p.driver_id
         where d.status = 'available' and d.is_online and d.can_work and d.kyc_verified
    )
    select f.driver_id, f.distance_m from found f where f.distance_m <= radius_m
$$;
create function pg_temp.best_before(t taxi.trips, radius_m bigint, wanted bigint) returns uuid[] language sql stable as $$
    select coalesce(array_agg(s.driver_id order by s.rank), '{}')
      from (select n.driver_id, row_number() over (order by n.distance_m, d.rating desc, d.id) as rank
              from pg_temp.nearby_before(t.pickup_lat, t.pickup_lng, radius_m) n join taxi.drivers d on d.id = n.driver_id
             where d.vehicle_type = t.vehicle_type and d.user_id <> t.customer_id
               and d.id not in (select x.driver_id from taxi.driver_dues x where x.currency = t.currency and x.settled_amount < x.amount
                                 group by x.driver_id having sum(x.amount - x.settled_amount) > core.setting('taxi.dues_limit'))
               and not exists (select from taxi.declines x where x.ride_id = t.id and x.driver_id = d.id)
             order by rank limit wanted) s
$$;
create function pg_temp.best_now(t taxi.trips, radius_m bigint, wanted bigint) returns uuid[] language sql stable as $$
    select coalesce(array_agg(n.driver_id order by n.rank), '{}') from taxi.nearest(t, radius_m, wanted, core.setting('taxi.dues_limit')) n
$$;
create function pg_temp.surge_before(t taxi.trips) returns integer language sql stable as $$
    select taxi.surge_pct((select count(*) from taxi.trips x where x.status = 'requested' and x.requested_at >= now() - interval '10 minutes'
                              and taxi.distance_m(t.pickup_lat, t.pickup_lng, x.pickup_lat, x.pickup_lng) <= 5000),
               (select count(*) from pg_temp.nearby_before(t.pickup_lat, t.pickup_lng, 5000)), core.setting('taxi.surge_cap_pct'))
$$;

-- Drivers in a town, over a country, on the same spots (a tie), exactly on the edges of the rings, where a circle is wider than its
-- box, at the date line and at a pole; some of them busy, offline, silent, impossible, unverified, with another vehicle or in debt.
select setseed(0.8);
insert into auth.users (id, email)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'p' || n || '@rings.test' from generate_series(1, 3400) n;
insert into taxi.drivers (user_id, is_online, status, rating, kyc_verified, can_work, vehicle_type)
select u.id, random() < 0.97, (array['available', 'available', 'available', 'available', 'on_trip', 'offline', 'suspended'])[1 + floor(random() * 7)::integer],
       round((4 + random())::numeric, 1), random() < 0.97, random() < 0.97, case when random() < 0.9 then 'moto' else 'car' end
  from auth.users u where u.email ~ '@rings.test' and u.id <= '00000000-0000-4000-8000-000000003200';
create temporary table placed as
select d.id, row_number() over (order by d.user_id) as n, random() as a, random() as b, random() as c from taxi.drivers d;
insert into taxi.driver_positions (driver_id, lat, lng, usable, seen_at)
select p.id, w.lat, w.lng, p.c > 0.03, now() - make_interval(secs => case when p.c > 0.97 then 61 when p.c > 0.94 then 60 else 0 end)
  from placed p
 cross join lateral (select (array[500, 1000, 2000, 4000, 5000])[1 + p.n % 5] / 6371008.8 * (1 + ((p.n / 5) % 3 - 1) * 2.3e-16::double precision) as edge,
    (array[4000, 8000])[1 + p.n % 2] * (1 - 2e-7::double precision) / 6371008.8 as east) e
 cross join lateral (select
    case when p.n <= 2000 then 9.5 + (p.a - 0.5) * 0.1
         when p.n <= 2600 then 8.0 + p.a * 3
         when p.n <= 2800 then 9.5 + floor(p.a * 9) * 0.002
         when p.n <= 3000 then degrees(e.edge)
         when p.n <= 3050 then degrees(asin(sin(radians(79.95)) / cos(e.east)))
         when p.n <= 3100 then 85.0 + (p.a - 0.5) * 0.1
         else 89.7 + (p.a - 0.5) * 0.08 end as lat,
    case when p.n <= 2000 then -13.7 + (p.b - 0.5) * 0.1
         when p.n <= 2600 then -14.0 + p.b * 3
         when p.n <= 2800 then -13.7 + floor(p.b * 9) * 0.002
         when p.n <= 3000 then 0
         when p.n <= 3050 then 20 + degrees(asin(sin(e.east) / cos(radians(79.95))))
         when p.n <= 3100 then 180 - p.b * 0.3 * sign(p.a - 0.5)::integer - 360 * (p.a < 0.5)::integer
         else 100 + (p.b - 0.5) * 14 end as lng) w;
insert into taxi.trips (customer_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
    surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, search_radius_m, requested_at)
select ('00000000-0000-4000-8000-' || lpad((3120 + n)::text, 12, '0'))::uuid, case when n % 9 = 0 then 'car' else 'moto' end, w.lat, w.lng,
       9.53, -13.68, 4000, 600, true, 100, 5000, 1000, 1000, 7000, 5950, 1050, 8500, 'GNF', 5000, now() - make_interval(mins => n % 13)
  from (select k as n, random() as a, random() as b from generate_series(1, 120) k) r
 cross join lateral (select
    case when r.n <= 20 then 9.5 when r.n <= 65 then 9.5 + (r.a - 0.5) * 0.12 when r.n <= 100 then 8.0 + r.a * 3
         when r.n <= 105 then 0 when r.n <= 110 then 79.95 when r.n <= 115 then 85.0 else 89.7 end as lat,
    case when r.n <= 20 then -13.7 when r.n <= 65 then -13.7 + (r.b - 0.5) * 0.12 when r.n <= 100 then -14.0 + r.b * 3
         when r.n <= 105 then 0 when r.n <= 110 then 20 when r.n <= 115 then 179.95 else 100 end as lng) w;
do $$ begin
    assert (select count(distinct taxi.distance_m(0, 0, p.lat, p.lng)) from taxi.nearby(0, 0, 5000, 60) n join taxi.driver_positions p using (driver_id)
             where taxi.distance_m(0, 0, p.lat, p.lng) in (500, 1000, 2000, 4000, 5000)) = 5, 'nobody is exactly on the edges';
end $$;
-- Of the rides of one spot, each has other refusals: the nearest of one, all but a few of another.
insert into taxi.declines (ride_id, driver_id)
select t.id, p.driver_id from taxi.trips t join taxi.driver_positions p on abs(p.lat - t.pickup_lat) < 0.06 and abs(p.lng - t.pickup_lng) < 0.06
 where random() < (abs(hashtext(t.id::text)) % 10) / 10.0;
insert into taxi.driver_dues (driver_id, ride_id, currency, amount)
select p.id, t.id, 'GNF', 49999 + t.k from (select id, row_number() over (order by requested_at, id) % 3 as k, row_number() over (order by id) as n from taxi.trips) t
  join placed p on p.n = t.n * 16;
analyze taxi.drivers, taxi.driver_positions, taxi.trips, taxi.declines, taxi.driver_dues;

-- The same drivers in the same order, for every ride, radius and number; the same circle; the same surge.
do $$
declare
    r record;
    asked integer := 0;
    full_lists integer := 0;
    short_lists integer := 0;
begin
    for r in select t as ride, c.radius_m, c.wanted, pg_temp.best_before(t, c.radius_m, c.wanted) as before,
                    pg_temp.best_now(t, c.radius_m, c.wanted) as now
               from taxi.trips t, (values (5000, 10), (15000, 20), (15000, 7), (499, 3), (500, 1), (8001, 300)) c (radius_m, wanted) loop
        assert r.before = r.now, format('%s within %s m of ride %s at %s, %s: %s, not %s', r.wanted, r.radius_m, (r.ride).id, (r.ride).pickup_lat,
            (r.ride).pickup_lng, r.now, r.before);
        asked := asked + 1;
        full_lists := full_lists + (cardinality(r.now) = r.wanted)::integer;
        short_lists := short_lists + (cardinality(r.now) between 1 and r.wanted - 1)::integer;
    end loop;
    assert asked = 720 and full_lists > 100 and short_lists > 100, format('%s full, %s short of %s', full_lists, short_lists, asked);
    for r in select t as ride, (select array_agg(x::text order by x) from pg_temp.nearby_before(t.pickup_lat, t.pickup_lng, 5000) x) as before,
                    (select array_agg(x::text order by x) from taxi.nearby(t.pickup_lat, t.pickup_lng, 5000, 60) x) as now from taxi.trips t loop
        assert r.before is not distinct from r.now, format('circle of %s: %s, not %s', r.ride, r.now, r.before);
    end loop;
end $$;

do $$
declare
    r record;
    seen integer[] := '{}';
begin
    for part in 1 .. 3 loop
        for r in select t as ride, pg_temp.surge_before(t) as before,
                        taxi.surge_at(row(t.pickup_lat, t.pickup_lng, null)::taxi.place) as now from taxi.trips t loop
            assert r.before = r.now, format('surge of %s: %s, not %s', r.ride, r.now, r.before);
            seen := seen || r.now;
        end loop;
        -- Fewer and fewer drivers: every step of the surge is met.
        update taxi.driver_positions set usable = false where driver_id in (select id from placed where n % (case part when 1 then 3 else 12 end) > 0);
    end loop;
    assert (select array_agg(distinct s order by s) from unnest(seen) s) = '{100,125,150,175,200}', (select array_agg(distinct s) from unnest(seen) s)::text;
    update taxi.driver_positions p set usable = x.c > 0.03 from placed x where x.id = p.driver_id;
end $$;

-- What is written is what is found: ten of them, and with a second search the next five.
do $$
declare
    ride taxi.trips;
    best uuid[];
    told uuid[];
begin
    for ride in select t.* from taxi.trips t where t.pickup_lat between 9.45 and 9.55 order by t.id limit 25 loop
        best := pg_temp.best_before(ride, 5000, 10);
        assert taxi.offer(array[ride.id], 5000, 10, 10) = cardinality(best);
        select array_agg(n.driver_id order by n.driver_id) into told from taxi.notifications n where n.ride_id = ride.id;
        assert told is not distinct from (select array_agg(b order by b) from unnest(best) b), format('%s told, not %s', told, best);
        best := array(select b from unnest(pg_temp.best_before(ride, 15000, 5 + coalesce(cardinality(told), 0))) with ordinality x (b, k)
                       where not b = any (coalesce(told, '{}')) order by k limit 5);
        assert taxi.offer(array[ride.id], 15000, null, 5) = cardinality(best);
        assert (select coalesce(array_agg(n.driver_id order by n.driver_id), '{}') from taxi.notifications n
                 where n.ride_id = ride.id and not n.driver_id = any (coalesce(told, '{}')))
            = (select coalesce(array_agg(b order by b), '{}') from unnest(best) b);
    end loop;
end $$;
rollback;
