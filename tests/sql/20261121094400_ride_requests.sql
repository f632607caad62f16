begin;
\ir lib/rides.psql

-- A ride is made with the server's price, and the ten nearest fit drivers are told, nearest first.
do $$
declare
    alice uuid := pg_temp.person(1);
    reply jsonb;
    r taxi.trips;
begin
    perform pg_temp.driver(100 + n, 0.1 * n) from generate_series(1, 11) n;
    perform pg_temp.driver(120, 5.1), pg_temp.driver(121, 0.01), pg_temp.driver(122, 0.01), pg_temp.driver(123, 0.01),
        pg_temp.driver(124, 0.01), pg_temp.driver(125, 0.01), pg_temp.driver(126, 0.01);
    update taxi.drivers set is_online = false, status = 'offline' where user_id::text like '%121';
    update taxi.drivers set can_work = false where user_id::text like '%122';
    update taxi.drivers set kyc_verified = false where user_id::text like '%123';
    update taxi.drivers set status = 'suspended' where user_id::text like '%124';
    update taxi.drivers set vehicle_type = 'car' where user_id::text like '%125';
    update taxi.driver_positions set seen_at = now() - interval '61 seconds'
     where driver_id = (select id from taxi.drivers where user_id::text like '%126');
    reply := pg_temp.ask(alice, 'taxi_request_ride', pg_temp.route()
        || '{"estimatedPrice": 1, "price_total": 1, "customer_id": "00000000-0000-4000-8000-000000000101", "distanceKm": 0.1}');
    select * into r from taxi.trips where id = (reply ->> 'rideId')::uuid;
    assert reply ->> 'status' = 'requested' and reply ->> 'rideCode' = r.ride_code and reply ->> 'notifiedDrivers' = '10', reply;
    assert current_setting('response.status') = '201';
    assert r.customer_id = alice and r.pickup_address = 'Kaloum' and r.distance_m > 5000 and r.search_radius_m = 5000;
    assert r.price_total = (reply -> 'fare' ->> 'total')::bigint and r.price_total > 7000 and r.payment_status = 'pending';
    assert (select string_agg(right(user_id::text, 3), ',' order by user_id) from taxi.notifications where ride_id = r.id)
        = '101,102,103,104,105,106,107,108,109,110';
    assert (select jsonb_array_length(payload -> 'user_ids') from core.outbox where payload ->> 'ride_id' = r.id::text) = 10;
    assert (select count(*) from taxi.audit_logs where ride_id = r.id and action = 'request' and actor_id = alice) = 1;
end $$;

-- One active ride per customer; the refusal names it, and nothing is added.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
begin
    perform pg_temp.ask(alice, 'taxi_request_ride', pg_temp.route());
    assert false, 'a second ride was made';
exception when sqlstate 'PGRST' then
    assert sqlerrm::jsonb ->> 'code' = 'ACTIVE_RIDE_EXISTS', sqlerrm;
    assert (sqlerrm::jsonb ->> 'details')::jsonb ->> 'ride_id' = (select id::text from taxi.trips), sqlerrm;
    assert (select count(*) from taxi.trips) = 1;
end $$;

-- A quote is honoured: own, unexpired, the same points within 100 m; else QUOTE_EXPIRED.
do $$
declare
    carol uuid := pg_temp.person(3);
    quote jsonb := pg_temp.ask(carol, 'taxi_quote_fare', pg_temp.route());
    asked jsonb := pg_temp.route() || jsonb_build_object('quoteId', quote ->> 'quote_id');
    reply jsonb;
begin
    update taxi.quotes set price_total = 7777, driver_share = 7000, platform_fee = 777;
    assert pg_temp.code(pg_temp.person(4), 'taxi_request_ride', asked) = 'QUOTE_EXPIRED', 'a stranger used it';
    assert pg_temp.code(carol, 'taxi_request_ride', jsonb_set(asked, '{pickup,lat}', '9.501')) = 'QUOTE_EXPIRED', '111 m off';
    assert pg_temp.code(carol, 'taxi_request_ride', jsonb_set(asked, '{dropoff,lat}', '9.531')) = 'QUOTE_EXPIRED';
    assert pg_temp.code(carol, 'taxi_request_ride', asked || '{"quoteId": "00000000-0000-4000-8000-00000000ffff"}') = 'QUOTE_EXPIRED';
    update taxi.quotes set expires_at = now();
    assert pg_temp.code(carol, 'taxi_request_ride', asked) = 'QUOTE_EXPIRED', 'an old quote was used';
    update taxi.quotes set expires_at = now() + interval '1 second';
    reply := pg_temp.ask(carol, 'taxi_request_ride', jsonb_set(asked, '{pickup,lat}', '9.5008'));
    assert reply -> 'fare' ->> 'total' = '7777', reply;
    assert (select price_total = 7777 and driver_share = 7000 from taxi.trips where id = (reply ->> 'rideId')::uuid);
end $$;

-- The same key gives the same ride; with another body it is refused; without drivers the ride still exists.
do $$
declare
    dave uuid := pg_temp.person(5);
    asked jsonb := jsonb_set(jsonb_set(pg_temp.route(), '{pickup,lat}', '8.5'), '{dropoff,lat}', '8.6') || '{"idempotencyKey": "dave-key-1"}';
    reply jsonb := pg_temp.ask(dave, 'taxi_request_ride', asked);
begin
    assert reply ->> 'notifiedDrivers' = '0', reply;
    assert pg_temp.ask(dave, 'taxi_request_ride', asked) = reply;
    assert current_setting('response.headers') like '%Idempotent-Replayed%';
    assert pg_temp.code(dave, 'taxi_request_ride', asked || '{"vehicleType": "car"}') = 'IDEMPOTENCY_MISMATCH';
    assert (select count(*) from taxi.trips where customer_id = dave) = 1;
    -- Somebody else's same key is nobody's business.
    assert pg_temp.ask(pg_temp.person(6), 'taxi_request_ride', asked) ->> 'rideId' <> reply ->> 'rideId';
    -- The rule of one ride per key outlives the stored answer.
    delete from core.idempotency_keys;
    update taxi.trips set status = 'cancelled', cancelled_at = now() where customer_id = dave;
    assert pg_temp.code(dave, 'taxi_request_ride', asked) = 'IDEMPOTENCY_MISMATCH';
end $$;

-- What else is refused.
do $$
declare
    erin uuid := pg_temp.person(7);
    rides bigint := (select count(*) from taxi.trips);
begin
    assert pg_temp.code('00000000-0000-4000-8000-000000000101', 'taxi_request_ride', pg_temp.route()) = 'FORBIDDEN', 'an online driver';
    assert pg_temp.code(erin, 'taxi_request_ride', jsonb_set(pg_temp.route(), '{dropoff}', '{"lat": 9.5008, "lng": -13.7}'))
        = 'VALIDATION_ERROR', '89 m apart';
    assert pg_temp.code(erin, 'taxi_request_ride', jsonb_set(pg_temp.route(), '{dropoff}', '{"lat": 14.7, "lng": -17.4}')) = 'OUT_OF_AREA';
    assert pg_temp.code(erin, 'taxi_request_ride', jsonb_set(pg_temp.route(), '{pickup,address}', to_jsonb(repeat('x', 301))))
        = 'VALIDATION_ERROR';
    assert pg_temp.code(erin, 'taxi_request_ride', '{}') = 'VALIDATION_ERROR';
    assert pg_temp.code(erin, 'taxi_request_ride', pg_temp.route() || '{"quoteId": "7"}') = 'VALIDATION_ERROR';
    assert pg_temp.code(erin, 'taxi_request_ride', pg_temp.route() || '{"vehicleType": "car"}') = 'VALIDATION_ERROR';
    assert pg_temp.code(null, 'taxi_request_ride', pg_temp.route()) = 'UNAUTHENTICATED';
    assert (select count(*) from taxi.trips) = rides, 'a refused ride was stored';
end $$;

-- A driver who owes more than the limit is offered nothing; at the limit he still is.
do $$
declare
    frank uuid := pg_temp.driver(8, -30);
    his uuid := (select id from taxi.drivers where user_id = frank);
    asked jsonb := jsonb_set(jsonb_set(pg_temp.route(), '{pickup,lat}', '9.23'), '{dropoff,lat}', '9.3');
begin
    insert into taxi.driver_dues (driver_id, ride_id, currency, amount)
    select his, id, 'GNF', 50000 from taxi.trips order by id limit 1;
    assert pg_temp.ask(pg_temp.person(9), 'taxi_request_ride', asked) ->> 'notifiedDrivers' = '1';
    insert into taxi.driver_dues (driver_id, ride_id, currency, amount)
    select his, t.id, 'GNF', 1 from taxi.trips t
     where not exists (select from taxi.driver_dues d where d.ride_id = t.id) limit 1;
    assert pg_temp.ask(pg_temp.person(10), 'taxi_request_ride', asked) ->> 'notifiedDrivers' = '0';
end $$;
rollback;
