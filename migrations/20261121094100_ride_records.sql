-- Rides, continued: what they leave behind (money rows, tracks, audit), what clients may read, and small common words.
-- Why:       one live payment per ride is an index, not a hope; tracks and audit lines grow and are partitioned by month.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

create table taxi.transactions (
    id               uuid primary key default gen_random_uuid(),
    ride_id          uuid not null references taxi.trips (id),
    customer_id      uuid not null references people.profiles (id),
    driver_id        uuid references taxi.drivers (id),
    amount           bigint not null check (amount > 0),
    currency         text not null references core.currencies (code),
    payment_method   text not null check (payment_method in ('wallet', 'card', 'orange_money', 'mtn_money', 'cash', 'moneroo')),
    payment_provider text,
    provider_tx_id   text,
    driver_share     bigint not null check (driver_share >= 0),
    platform_fee     bigint not null check (platform_fee >= 0),
    refunded_amount  bigint not null default 0 check (refunded_amount between 0 and amount),
    status           text not null check (status in ('pending', 'processing', 'completed', 'failed', 'refunded')),
    idempotency_key  text,
    initiator_id     uuid not null,
    created_at       timestamptz not null default now(),
    completed_at     timestamptz,
    constraint transactions_parts_sum check (driver_share + platform_fee = amount)
);
create unique index transactions_one_live_per_ride on taxi.transactions (ride_id)
    where status in ('pending', 'processing', 'completed');
-- Scoped to who sent it: somebody else's key must not be able to refuse, or replay, mine.
create unique index transactions_one_per_key on taxi.transactions (initiator_id, idempotency_key);
create index transactions_ride on taxi.transactions (ride_id, created_at);
create index transactions_customer on taxi.transactions (customer_id, created_at, id);
create index transactions_driver on taxi.transactions (driver_id, created_at, id);
create index transactions_currency on taxi.transactions (currency);
alter table taxi.transactions enable row level security;
create policy transactions_own on taxi.transactions for select to authenticated using (
    customer_id = (select auth.uid())
    or driver_id in (select d.id from taxi.drivers d where d.user_id = (select auth.uid())));

create table taxi.driver_dues (
    id             uuid primary key default gen_random_uuid(),
    driver_id      uuid not null references taxi.drivers (id),
    ride_id        uuid not null unique references taxi.trips (id),
    currency       text not null references core.currencies (code),
    amount         bigint not null check (amount > 0),
    settled_amount bigint not null default 0 check (settled_amount between 0 and amount),
    settled_at     timestamptz,
    created_at     timestamptz not null default now()
);
create index driver_dues_open on taxi.driver_dues (driver_id, currency, created_at) where settled_amount < amount;
create index driver_dues_driver on taxi.driver_dues (driver_id, created_at, id);
create index driver_dues_currency on taxi.driver_dues (currency);
alter table taxi.driver_dues enable row level security;
create policy driver_dues_own on taxi.driver_dues for select to authenticated
    using (driver_id in (select d.id from taxi.drivers d where d.user_id = (select auth.uid())));
comment on table taxi.driver_dues is 'Commission of cash rides that the driver holds; taken from his next share.';

create table taxi.ride_tracking (
    ride_id     uuid not null references taxi.trips (id),
    driver_id   uuid not null references taxi.drivers (id),
    lat         double precision not null,
    lng         double precision not null,
    heading     smallint,
    speed       smallint,
    recorded_at timestamptz not null default now(),
    primary key (ride_id, recorded_at)
) partition by range (recorded_at);
create index ride_tracking_driver on taxi.ride_tracking (driver_id, recorded_at);
alter table taxi.ride_tracking enable row level security;
-- Whoever may read the ride may follow it: the inner select is under the ride's own policy.
create policy ride_tracking_own on taxi.ride_tracking for select to authenticated
    using (ride_id in (select t.id from taxi.trips t));

create table taxi.audit_logs (
    id          uuid not null default gen_random_uuid(),
    ride_id     uuid,
    driver_id   uuid,
    actor_id    uuid,
    action      text not null,
    from_status text,
    to_status   text,
    details     jsonb,
    request_id  text,
    created_at  timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create index audit_logs_ride on taxi.audit_logs (ride_id, created_at);
alter table taxi.audit_logs enable row level security;
comment on column taxi.audit_logs.actor_id is 'The signed-in user; null = the system (taxi-dispatch-tick).';

select core.make_append_only('taxi.audit_logs');
select core.make_partitions('taxi.audit_logs', 12), core.make_partitions('taxi.ride_tracking', 12),
       core.make_partitions('taxi.quotes', 12);

-- ------------------------------------------------------------------------------------------------------ common words

create function taxi.log(ride uuid, action text, from_status text default null, to_status text default null,
    details jsonb default null, driver uuid default null) returns void language sql set search_path = '' as $$
    insert into taxi.audit_logs (ride_id, driver_id, actor_id, action, from_status, to_status, details, request_id)
    values (ride, driver, auth.uid(), action, from_status, to_status, details, core.request_id())
$$;

create function taxi.notify(ride uuid, addressee uuid, type text, payload jsonb)
    returns void language plpgsql set search_path = '' as $$
declare
    notice uuid;
begin
    insert into taxi.notifications (ride_id, user_id, type, payload) values (ride, addressee, type, payload)
    returning id into notice;
    perform core.outbox_add('push', payload || jsonb_build_object('type', type, 'ride_id', ride,
        'user_ids', jsonb_build_array(addressee)), 'taxi_notice:' || notice);
end $$;

create function taxi.caller_driver(ask jsonb) returns taxi.drivers language plpgsql stable set search_path = '' as $$
declare
    asker uuid := core.caller();
    named uuid := core.uuid_field(ask, 'driverId');
    driver taxi.drivers;
begin
    select * into driver from taxi.drivers d where d.user_id = asker;
    if not found then
        perform core.refuse('FORBIDDEN', 403, 'only drivers can do this');
    end if;
    -- Legacy clients send the id of their driver row, others their user id; it never selects anybody else.
    if named is not null and named not in (driver.id, asker) then
        perform core.refuse('IDENTITY_MISMATCH', 403, 'driverId is not the caller');
    end if;
    return driver;
end $$;

create function taxi.required_ride(ask jsonb) returns uuid language plpgsql stable set search_path = '' as $$
declare
    ride uuid := core.uuid_field(ask, 'rideId');
begin
    if ride is null then
        perform core.invalid('rideId', 'is required');
    end if;
    return ride;
end $$;

create function taxi.with_key(ask jsonb) returns jsonb language sql immutable set search_path = '' as $$
    -- Rides were first called with idempotencyKey; the header and newer clients arrive as idempotency_key.
    select case when ask ? 'idempotency_key' or ask -> 'idempotencyKey' is null then ask - 'idempotencyKey'
           else (ask - 'idempotencyKey') || jsonb_build_object('idempotency_key', ask -> 'idempotencyKey') end
$$;

create function taxi.utc(at timestamptz) returns text language sql immutable set search_path = '' as $$
    select to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
$$;

create function taxi.ride_json(ride taxi.trips) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object(
        'id', ride.id, 'ride_code', ride.ride_code, 'customer_id', ride.customer_id, 'driver_id', ride.driver_id,
        'vehicle_type', ride.vehicle_type, 'status', ride.status, 'payment_status', ride.payment_status,
        'payment_method', ride.payment_method,
        'pickup', jsonb_build_object('lat', ride.pickup_lat, 'lng', ride.pickup_lng, 'address', ride.pickup_address),
        'dropoff', jsonb_build_object('lat', ride.dropoff_lat, 'lng', ride.dropoff_lng, 'address', ride.dropoff_address),
        'distance_m', ride.distance_m, 'duration_s', ride.duration_s,
        'distance_km', round(ride.distance_m / 1000.0, 2), 'duration_min', ceil(ride.duration_s / 60.0),
        'surge_pct', ride.surge_pct, 'price_total', ride.price_total, 'driver_share', ride.driver_share,
        'platform_fee', ride.platform_fee, 'cancellation_fee', ride.cancellation_fee, 'currency', ride.currency)
        || jsonb_build_object(
        'requested_at', taxi.utc(ride.requested_at), 'accepted_at', taxi.utc(ride.accepted_at),
        'arriving_at', taxi.utc(ride.arriving_at), 'started_at', taxi.utc(ride.started_at),
        'completed_at', taxi.utc(ride.completed_at), 'cancelled_at', taxi.utc(ride.cancelled_at),
        'cancel_reason', ride.cancel_reason)
$$;

-- ----------------------------------------------------------------------------------------------- what clients may read

grant select on taxi.trips, taxi.declines, taxi.drivers, taxi.driver_positions, taxi.notifications, taxi.transactions,
    taxi.driver_dues, taxi.ride_tracking, taxi.quotes, taxi.pricing_config to authenticated;
grant update (read) on taxi.notifications to authenticated;

create view api.taxi_trips with (security_invoker = true) as
    select id, ride_code, customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, pickup_address, dropoff_lat,
           dropoff_lng, dropoff_address, distance_m, duration_s, round(distance_m / 1000.0, 2) as distance_km,
           ceil(duration_s / 60.0)::integer as duration_min, surge_pct, price_total, driver_share, platform_fee,
           cancellation_fee, currency, status, payment_status, payment_method, search_radius_m, requested_at, accepted_at,
           arriving_at, started_at, completed_at, cancelled_at, cancel_reason, cancelled_by
      from taxi.trips;
create view api.declined_drivers with (security_invoker = true) as
    select ride_id, driver_id, created_at from taxi.declines;
create view api.taxi_drivers with (security_invoker = true) as
    select d.id, d.user_id, d.is_online, d.status, p.lat as last_lat, p.lng as last_lng, p.seen_at as last_seen, d.rating,
           d.kyc_verified, d.can_work, d.vehicle_type, d.vehicle_plate, d.vehicle_model
      from taxi.drivers d left join taxi.driver_positions p on p.driver_id = d.id;
create view api.taxi_notifications with (security_invoker = true) as
    select id, ride_id, user_id, driver_id, type, payload, read, expires_at, closed_at, created_at from taxi.notifications;
create view api.taxi_transactions with (security_invoker = true) as
    select id, ride_id, customer_id, driver_id, amount, currency, payment_method, payment_provider, provider_tx_id,
           driver_share, platform_fee, refunded_amount, status, created_at, completed_at from taxi.transactions;
create view api.taxi_driver_dues with (security_invoker = true) as
    select id, driver_id, ride_id, currency, amount, settled_amount, settled_at, created_at from taxi.driver_dues;
create view api.taxi_ride_tracking with (security_invoker = true) as
    select ride_id, driver_id, lat, lng, heading, speed, recorded_at from taxi.ride_tracking;
create view api.taxi_quotes with (security_invoker = true) as
    select id, user_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
           surge_pct, price_total, driver_share, platform_fee, currency, expires_at, created_at from taxi.quotes;
create view api.taxi_pricing_config with (security_invoker = true) as
    select vehicle_type, currency, base_fare, per_km, per_minute, minimum_fare, driver_share_bps from taxi.pricing_config;
grant select on api.taxi_trips, api.declined_drivers, api.taxi_drivers, api.taxi_notifications, api.taxi_transactions,
    api.taxi_driver_dues, api.taxi_ride_tracking, api.taxi_quotes, api.taxi_pricing_config to authenticated;
-- The one edit without a rule: a reader marks his own notice as read.
grant update (read) on api.taxi_notifications to authenticated;

revoke execute on all functions in schema taxi from public;
