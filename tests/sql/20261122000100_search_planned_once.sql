begin;
-- Who is found, and at which surge, is the same: 20261121098800_nearest_rings.sql. Here: that nobody plans it anew, and that a plan made
-- for all does not read the whole country's rides.
insert into auth.users (id, email)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'p' || n || '@planned.test' from generate_series(1, 3000) n;
insert into taxi.trips (customer_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
    surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, search_radius_m, requested_at)
select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'moto', 8 + n % 60 * 0.05, -14 + n / 60 * 0.06, 9.53, -13.68, 4000, 600,
       true, 100, 5000, 1000, 1000, 7000, 5950, 1050, 8500, 'GNF', 5000, now() - make_interval(mins => n % 20)
  from generate_series(1, 3000) n;
insert into taxi.drivers (user_id, is_online, status, kyc_verified, can_work)
values ('00000000-0000-4000-8000-000000000001', true, 'available', true, true);
insert into taxi.driver_positions (driver_id, lat, lng) select id, 9.5, -12.5 from taxi.drivers where user_id = '00000000-0000-4000-8000-000000000001';
analyze taxi.trips, taxi.drivers, taxi.driver_positions;

create function pg_temp.trips_read() returns bigint language sql as $$
    select t.seq_tup_read + coalesce(t.idx_tup_fetch, 0) from pg_stat_xact_user_tables t where t.relid = 'taxi.trips'::regclass
$$;
do $$
declare
    expected integer;
    here bigint;
    before bigint;
    fn text;
begin
    foreach fn in array array['taxi.ring(double precision, double precision, bigint, double precision, double precision, integer)', 'taxi.surge_at(taxi.place)'] loop
        assert (select 'plan_cache_mode=force_generic_plan' = any (p.proconfig) from pg_proc p where p.oid = fn::regprocedure), fn;
    end loop;
    -- Half of the rides are older than ten minutes; the one just at ten counts.
    select count(*) into here from taxi.trips t
     where t.requested_at >= now() - interval '10 minutes' and taxi.distance_m(9.5, -12.5, t.pickup_lat, t.pickup_lng) <= 5000;
    assert here between 1 and 5, here;
    expected := taxi.surge_pct(here, 1, core.setting('taxi.surge_cap_pct'));
    for turn in 1 .. 7 loop
        before := pg_temp.trips_read();
        assert taxi.surge_at(row(9.5, -12.5, null)::taxi.place) = expected, 'another surge';
        assert pg_temp.trips_read() - before <= 40, format('turn %s read %s of 3000 rides', turn, pg_temp.trips_read() - before);
    end loop;
    -- Exactly ten minutes is recent; a moment more is not.
    update taxi.trips set requested_at = now() - interval '10 minutes 1 microsecond';
    assert taxi.surge_at(row(9.5, -12.5, null)::taxi.place) = taxi.surge_pct(0, 1, core.setting('taxi.surge_cap_pct'));
    update taxi.trips set requested_at = now() - interval '10 minutes';
    assert taxi.surge_at(row(9.5, -12.5, null)::taxi.place) > taxi.surge_pct(0, 1, core.setting('taxi.surge_cap_pct'));
end $$;
rollback;
