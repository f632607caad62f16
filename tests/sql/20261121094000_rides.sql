begin;
\ir lib/rides.psql
-- A ride of n's own driver, moved forward to a state.
create function pg_temp.ride(customer uuid, driver uuid, upto text) returns uuid language plpgsql as $$
declare
    made uuid := (pg_temp.ask(customer, 'taxi_request_ride', pg_temp.route()) ->> 'rideId')::uuid;
    step text;
begin
    if upto <> 'requested' then
        perform pg_temp.ask(driver, 'taxi_accept_ride', jsonb_build_object('rideId', made));
    end if;
    foreach step in array array['picked_up', 'in_progress', 'completed'] loop
        exit when upto in ('requested', 'accepted') or (select status from taxi.trips where id = made) = upto;
        perform pg_temp.ask(driver, 'taxi_update_ride_status', jsonb_build_object('rideId', made, 'status', step));
    end loop;
    return made;
end $$;

-- Tables: the indexes and the trigger refuse what no function should ever try.
do $$
declare
    alice uuid := pg_temp.person(1);
    bob uuid := pg_temp.driver(2, 1);
    r uuid := pg_temp.ride(alice, bob, 'accepted');
    broken text;
begin
    begin
        insert into taxi.trips (customer_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m,
            duration_s, estimated, surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee,
            driver_share_bps, currency, search_radius_m)
        values (alice, 'moto', 9, -13, 9, -13, 1, 1, false, 100, 1, 1, 1, 10, 9, 1, 9000, 'GNF', 5000);
        assert false, 'a customer has two active rides';
    exception when unique_violation then
        get stacked diagnostics broken = constraint_name;
        assert broken = 'trips_one_active_per_customer', broken;
    end;
    begin
        insert into taxi.trips (customer_id, driver_id, status, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng,
            distance_m, duration_s, estimated, surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share,
            platform_fee, driver_share_bps, currency, search_radius_m)
        select pg_temp.person(3), driver_id, 'arriving', 'moto', 9, -13, 9, -13, 1, 1, false, 100, 1, 1, 1, 10, 9, 1, 9000, 'GNF',
            5000 from taxi.trips where id = r;
        assert false, 'a driver has two active rides';
    exception when unique_violation then
        get stacked diagnostics broken = constraint_name;
        assert broken = 'trips_one_active_per_driver', broken;
    end;
    begin
        update taxi.trips set price_total = price_total + 100, driver_share = driver_share + 100 where id = r;
        assert false, 'a price was changed';
    exception when raise_exception then assert sqlerrm like '%frozen%', sqlerrm;
    end;
    begin
        update taxi.trips set status = 'completed' where id = r;
        assert false, 'an accepted ride was completed';
    exception when raise_exception then assert sqlerrm like '%no transition%', sqlerrm;
    end;
    begin
        update taxi.trips set driver_id = null, status = 'cancelled' where id = r;
        assert false, 'a driver was taken away from his ride';
    exception when raise_exception then assert sqlerrm like '%frozen%', sqlerrm;
    end;
end $$;

-- Exactly the steps of the contract, and no others.
do $$ begin
    assert (select count(*) from taxi.transitions) = 20, (select count(*) from taxi.transitions)::text;
    assert not exists (select from taxi.transitions where from_status in ('completed', 'cancelled'));
    assert not exists (select from taxi.transitions where to_status = 'accepted' and actor <> 'accept');
    assert not exists (select from taxi.transitions where actor = 'driver' and to_status = 'cancelled'
        and from_status not in ('accepted', 'arriving'));
end $$;

-- A kilometre is a kilometre, and neighbours share or touch cells.
do $$ begin
    assert round(taxi.distance_m(9.5, -13.7, 9.5, -13.7)) = 0;
    assert abs(taxi.distance_m(0, 0, 0, 1) - 111195) < 1;
    assert abs(taxi.distance_m(9.509, -13.712, 9.642, -13.578) - 20800) < 300, taxi.distance_m(9.509, -13.712, 9.642, -13.578)::text;
    assert abs(taxi.distance_m(90, 0, -90, 0) - 20015115) < 100;
    assert taxi.cell(9.5, -13.7) = taxi.cell(9.501, -13.699);
    assert taxi.cell(9.5, -13.7) + 7201 = taxi.cell(9.55, -13.7);
    assert taxi.cell(-90, -180) = 0 and taxi.cell(90, 180) = 3600 * 7201 + 7200;
end $$;

-- A heartbeat inside one cell stays a heap-only update: nothing but the cell is indexed.
do $$ begin
    assert (select string_agg(distinct a.attname, ',' order by a.attname) from pg_index i
              join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
             where i.indrelid = 'taxi.driver_positions'::regclass) = 'cell,driver_id';
end $$;
rollback;
