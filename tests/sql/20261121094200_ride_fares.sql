begin;
\ir lib/rides.psql

-- The table of the contract, to the franc.
do $$
declare
    prices taxi.pricing_config;
    line record;
    f taxi.fare;
begin
    select * into prices from taxi.pricing_config where vehicle_type = 'moto' and currency = 'GNF';
    for line in select * from (values (0, 0, 100, 7000, 5950, 1050), (3200, 720, 100, 12600, 10710, 1890),
        (500, 180, 125, 8750, 7438, 1312), (1234, 317, 175, 13994, 11895, 2099), (10000, 1500, 150, 41250, 35063, 6187),
        (12345, 1834, 200, 65493, 55669, 9824)) as t (m, s, q, total, driver, platform)
    loop
        f := taxi.fare_of(prices, line.m, line.s, line.q, false);
        assert (f.price_total, f.driver_share, f.platform_fee) = (line.total, line.driver, line.platform),
            format('%s m, %s s, %s %%: %s, %s, %s', line.m, line.s, line.q, f.price_total, f.driver_share, f.platform_fee);
    end loop;
    -- The dearest configuration and the longest ride still fit into bigint.
    prices.base_fare := 1000000000; prices.per_km := 1000000000; prices.per_minute := 1000000000;
    assert (taxi.fare_of(prices, 200000, 21600, 200, false)).price_total = 2 * 561000000000;
end $$;

-- Surge compares by multiplication; the edges come in pairs.
do $$
declare
    line record;
begin
    for line in select * from (values (0, 0, 150), (9, 0, 150), (0, 1, 100), (4, 5, 100), (5, 6, 125), (5, 5, 125), (6, 5, 150),
        (15, 10, 150), (16, 10, 175), (20, 10, 175), (21, 10, 200)) as t (demand, drivers, pct)
    loop
        assert taxi.surge_pct(line.demand, line.drivers, 200) = line.pct,
            format('%s rides, %s drivers: %s', line.demand, line.drivers, taxi.surge_pct(line.demand, line.drivers, 200));
    end loop;
    assert taxi.surge_pct(9, 1, 150) = 150, 'the cap holds';
end $$;

-- Surge counts the open rides and free drivers of the circle only.
do $$
declare
    here taxi.place := row(9.5, -13.7, null);
begin
    assert taxi.surge_at(here) = 150, 'no driver at all';
    perform pg_temp.driver(10, 4.9), pg_temp.driver(11, -4.9);
    perform pg_temp.driver(12, 5.1);
    assert (select count(*) from taxi.nearby(9.5, -13.7, 5000, 60)) = 2;
    assert (select count(*) from taxi.nearby(9.5, -13.7, 15000, 60)) = 3;
    assert (select max(abs(n.distance_m - taxi.distance_m(9.5, -13.7, p.lat, p.lng))) < 0.000001
              from taxi.nearby(9.5, -13.7, 15000, 60) n join taxi.driver_positions p on p.driver_id = n.driver_id);
    assert taxi.surge_at(here) = 100;
    perform pg_temp.ask(pg_temp.person(n), 'taxi_request_ride', pg_temp.route()) from generate_series(20, 22) n;
    assert taxi.surge_at(here) = 150, '3 rides, 2 drivers';
    perform pg_temp.ask(pg_temp.person(23), 'taxi_request_ride', pg_temp.route());
    assert taxi.surge_at(here) = 175, '4 rides, 2 drivers';
    update taxi.trips set requested_at = now() - interval '11 minutes' where customer_id::text like '%2_';
    assert taxi.surge_at(here) = 100, 'old demand counts';
    update taxi.driver_positions set seen_at = now() - interval '61 seconds';
    assert taxi.surge_at(here) = 150, 'silent drivers count';
    update taxi.driver_positions set seen_at = now(), usable = false;
    assert taxi.surge_at(here) = 150, 'impossible positions count';
end $$;

-- A quote with two points binds us for five minutes; legacy numbers are an estimate.
do $$
declare
    alice uuid := pg_temp.person(1);
    q jsonb := pg_temp.ask(alice, 'taxi_quote_fare', pg_temp.route());
    legacy jsonb;
begin
    assert q ->> 'binding' = 'true' and q ->> 'estimated' = 'true' and q ->> 'currency' = 'GNF' and q ->> 'success' = 'true', q;
    assert (q ->> 'total')::bigint = (q ->> 'driver_share')::bigint + (q ->> 'platform_fee')::bigint;
    assert (q ->> 'expires_at')::timestamptz between now() + interval '299 seconds' and now() + interval '300 seconds', q;
    assert (select count(*) from taxi.quotes where id = (q ->> 'quote_id')::uuid and user_id = alice
        and price_total = (q ->> 'total')::bigint) = 1;
    -- 4.0 km as the crow flies become 5.2 km at 25 km/h.
    assert (q ->> 'distance_m')::integer between 5100 and 5300 and (q ->> 'duration_s')::integer between 730 and 765, q;
    legacy := pg_temp.ask(alice, 'taxi_quote_fare', '{"distanceKm": 3.2, "durationMin": 12}');
    assert legacy ->> 'binding' = 'false' and legacy ->> 'total' = '12600' and not legacy ? 'quote_id', legacy;
    assert pg_temp.ask(alice, 'taxi_quote_fare', '{"distanceKm": 3.1991, "durationMin": 11.99}') ->> 'total' = '12600', 'rounded up';
    assert pg_temp.ask(alice, 'taxi_quote_fare', '{"distanceKm": 1, "durationMin": 1, "lat": 9.5, "lng": -13.7}')
        ->> 'surge_multiplier' = '1.50';
    assert (select count(*) from taxi.quotes) = 1, 'an estimate was stored';
end $$;

-- What is refused, and that nothing is stored then.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    line record;
begin
    for line in select * from (values
        ('{}', 'VALIDATION_ERROR'), ('{"pickup": {"lat": 9.5, "lng": -13.7}}', 'VALIDATION_ERROR'),
        ('{"distanceKm": 1}', 'VALIDATION_ERROR'), ('{"distanceKm": -1, "durationMin": 1}', 'VALIDATION_ERROR'),
        ('{"distanceKm": "1", "durationMin": 1}', 'VALIDATION_ERROR'), ('{"distanceKm": 200, "durationMin": 360}', 'ok'),
        ('{"distanceKm": 200.001, "durationMin": 1}', 'OUT_OF_AREA'), ('{"distanceKm": 1, "durationMin": 360.1}', 'OUT_OF_AREA'),
        ('{"distanceKm": 1, "durationMin": 1, "lat": 48.8, "lng": 2.3}', 'OUT_OF_AREA'),
        ('{"distanceKm": 1, "durationMin": 1, "lat": 9.5}', 'VALIDATION_ERROR'),
        ('{"distanceKm": 1, "durationMin": 1, "vehicleType": "helicopter"}', 'VALIDATION_ERROR'),
        ('{"pickup": {"lat": 90.1, "lng": -13.7}, "dropoff": {"lat": 9.5, "lng": -13.7}}', 'VALIDATION_ERROR'),
        ('{"pickup": {"lat": "9.5", "lng": -13.7}, "dropoff": {"lat": 9.5, "lng": -13.7}}', 'VALIDATION_ERROR'),
        ('{"pickup": {"lat": 1e-400, "lng": -13.7}, "dropoff": {"lat": 9.5, "lng": -13.7}}', 'OUT_OF_AREA'),
        ('{"pickup": {"lat": 9.5, "lng": -13.7}, "dropoff": {"lat": 14.7, "lng": -17.4}}', 'OUT_OF_AREA'),
        ('{"pickup": {"lat": 9.5, "lng": -13.7}, "dropoff": {"lat": 12.0, "lng": -13.7}}', 'OUT_OF_AREA'),
        ('{"pickup": {"lat": 9.5, "lng": -13.7}, "dropoff": [9.5, -13.7]}', 'VALIDATION_ERROR')) as t (ask, code)
    loop
        assert pg_temp.code(alice, 'taxi_quote_fare', line.ask::jsonb) = line.code,
            line.ask || ': ' || pg_temp.code(alice, 'taxi_quote_fare', line.ask::jsonb);
    end loop;
    assert (select count(*) from taxi.quotes) = 1;
    assert pg_temp.code(null, 'taxi_quote_fare', pg_temp.route()) = 'UNAUTHENTICATED';
    assert not has_function_privilege('anon', 'api.taxi_quote_fare(jsonb)', 'execute');
end $$;
rollback;
