-- Rides: the tables, their states, who may read them, and the two ideas everything else uses: distance and fare.
-- Why:       a ride's price, driver and state are decided by functions; the indexes below make a double accept, a second
--            active ride and a second live payment impossible whatever the functions do.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      drop schema taxi cascade; drop the views api.taxi_*, api.declined_drivers; delete the settings 'taxi.%';

create schema taxi;
grant usage on schema taxi to anon, authenticated, service_role;

insert into core.settings (key, value, unit, description) values
    ('taxi.surge_cap_pct', 200, 'percent', 'no fare is multiplied by more'),
    ('taxi.quote_ttl_s', 300, 'seconds', 'how long a quote with two points binds us'),
    ('taxi.max_distance_m', 200000, 'metres', 'longest route we price'),
    ('taxi.max_duration_s', 21600, 'seconds', 'longest duration we price'),
    ('taxi.offer_radius_m', 5000, 'metres', 'first search for drivers, and the circle that surge looks at'),
    ('taxi.wide_radius_m', 15000, 'metres', 'widened search, and the farthest driver who may accept'),
    ('taxi.no_driver_after_s', 900, 'seconds', 'a ride that nobody accepted is cancelled after this'),
    ('taxi.cancel_bps_before_pickup', 0, 'bps', 'share of the price due when a ride is cancelled before pick-up'),
    ('taxi.cancel_bps_after_pickup', 10000, 'bps', 'share of the price due when a ride is cancelled from pick-up on'),
    ('taxi.dues_limit', 50000, 'minor units', 'a driver who owes more commission of cash rides is offered no rides');

-- -------------------------------------------------------------------------------------------------- what it may cost

create table taxi.pricing_config (
    id               uuid primary key default gen_random_uuid(),
    vehicle_type     text not null check (vehicle_type ~ '^[a-z][a-z0-9_]{1,19}$'),
    currency         text not null references core.currencies (code),
    -- The bounds keep every product of the fare inside bigint, for the longest ride at the highest surge.
    base_fare        bigint not null check (base_fare between 0 and 1000000000),
    per_km           bigint not null check (per_km between 0 and 1000000000),
    per_minute       bigint not null check (per_minute between 0 and 1000000000),
    minimum_fare     bigint not null check (minimum_fare between 1 and 1000000000),
    driver_share_bps integer not null check (driver_share_bps between 0 and 10000),
    is_active        boolean not null default true,
    created_at       timestamptz not null default now()
);
create unique index pricing_config_one_active on taxi.pricing_config (vehicle_type, currency) where is_active;
create index pricing_config_currency on taxi.pricing_config (currency);
alter table taxi.pricing_config enable row level security;
create policy pricing_active on taxi.pricing_config for select to authenticated using (is_active);
comment on table taxi.pricing_config is 'Changing a rate affects new quotes and rides only: a ride carries its own price.';
insert into taxi.pricing_config (vehicle_type, currency, base_fare, per_km, per_minute, minimum_fare, driver_share_bps)
values ('moto', 'GNF', 5000, 2000, 100, 7000, 8500);

create table taxi.service_areas (
    name      text primary key,
    currency  text not null references core.currencies (code),
    min_lat   double precision not null,
    max_lat   double precision not null,
    min_lng   double precision not null,
    max_lng   double precision not null,
    is_active boolean not null default true,
    check (min_lat < max_lat and min_lng < max_lng)
);
create index service_areas_currency on taxi.service_areas (currency);
alter table taxi.service_areas enable row level security;
comment on table taxi.service_areas is 'Boxes we serve; both ends of a ride lie in one of them, and it names the currency.';
insert into taxi.service_areas values ('guinea', 'GNF', 7.19, 12.68, -15.13, -7.63);

-- ------------------------------------------------------------------------------------------------------------- where

create function taxi.distance_m(lat1 double precision, lng1 double precision, lat2 double precision, lng2 double precision)
    returns double precision language sql immutable strict parallel safe set search_path = '' as $$
    -- Great circle (haversine). Doubles are right here: positions are not money.
    select 12742017.6 * asin(sqrt(least(1,
        sin(radians(lat2 - lat1) / 2) ^ 2 + cos(radians(lat1)) * cos(radians(lat2)) * sin(radians(lng2 - lng1) / 2) ^ 2)))
$$;

create function taxi.cell(lat double precision, lng double precision) returns integer
    language sql immutable strict parallel safe set search_path = '' as $$
    -- A twentieth of a degree, about 5.5 km: a search reads a few index ranges, and a moving driver seldom changes cell.
    select floor((lat + 90) * 20)::integer * 7201 + floor((lng + 180) * 20)::integer
$$;

-- ----------------------------------------------------------------------------------------------------------- drivers

create table taxi.drivers (
    id            uuid primary key default gen_random_uuid(),
    user_id       uuid not null unique references people.profiles (id),
    is_online     boolean not null default false,
    status        text not null default 'offline' check (status in ('available', 'on_trip', 'offline', 'suspended')),
    rating        numeric(3, 2) not null default 5.00 check (rating between 0 and 5),
    kyc_verified  boolean not null default false,
    can_work      boolean not null default false,
    vehicle_type  text not null default 'moto',
    vehicle_plate text check (length(vehicle_plate) <= 20),
    vehicle_model text check (length(vehicle_model) <= 60),
    created_at    timestamptz not null default now()
) with (fillfactor = 80);
create index drivers_at_work on taxi.drivers (id) where is_online or status = 'on_trip';
alter table taxi.drivers enable row level security;
create policy drivers_own on taxi.drivers for select to authenticated using (user_id = (select auth.uid()));

create table taxi.driver_positions (
    driver_id  uuid primary key references taxi.drivers (id) on delete cascade,
    lat        double precision not null check (lat between -90 and 90),
    lng        double precision not null check (lng between -180 and 180),
    cell       integer not null generated always as (taxi.cell(lat, lng)) stored,
    heading    smallint check (heading between 0 and 359),
    speed      smallint check (speed between 0 and 200),
    usable     boolean not null default true,
    tracked_at timestamptz,
    seen_at    timestamptz not null default now()
) with (fillfactor = 70);
-- Only the coarse cell is indexed: a heartbeat inside the same cell stays a heap-only update.
create index driver_positions_cell on taxi.driver_positions (cell);
alter table taxi.driver_positions enable row level security;
create policy driver_positions_own on taxi.driver_positions for select to authenticated
    using (driver_id in (select d.id from taxi.drivers d where d.user_id = (select auth.uid())));
comment on column taxi.driver_positions.usable is 'False after a jump that no vehicle makes: kept, but not matched.';

-- ------------------------------------------------------------------------------------------------------------- rides

create table taxi.quotes (
    id               uuid not null default gen_random_uuid(),
    user_id          uuid not null references people.profiles (id),
    vehicle_type     text not null,
    pickup_lat       double precision not null,
    pickup_lng       double precision not null,
    dropoff_lat      double precision not null,
    dropoff_lng      double precision not null,
    distance_m       integer not null,
    duration_s       integer not null,
    estimated        boolean not null,
    surge_pct        integer not null,
    base_fare        bigint not null,
    distance_cost    bigint not null,
    time_cost        bigint not null,
    price_total      bigint not null,
    driver_share     bigint not null,
    platform_fee     bigint not null,
    driver_share_bps integer not null,
    currency         text not null,
    expires_at       timestamptz not null,
    created_at       timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create index quotes_id on taxi.quotes (id);
create index quotes_user on taxi.quotes (user_id, created_at);
alter table taxi.quotes enable row level security;
create policy quotes_own on taxi.quotes for select to authenticated using (user_id = (select auth.uid()));

create sequence taxi.ride_code_seq;
create table taxi.trips (
    id                uuid primary key default gen_random_uuid(),
    ride_code         text not null unique default 'TX' || lpad(nextval('taxi.ride_code_seq')::text, 8, '0'),
    customer_id       uuid not null references people.profiles (id),
    driver_id         uuid references taxi.drivers (id),
    vehicle_type      text not null,
    pickup_lat        double precision not null,
    pickup_lng        double precision not null,
    pickup_address    text,
    pickup_cell       integer not null generated always as (taxi.cell(pickup_lat, pickup_lng)) stored,
    dropoff_lat       double precision not null,
    dropoff_lng       double precision not null,
    dropoff_address   text,
    distance_m        integer not null,
    duration_s        integer not null,
    estimated         boolean not null,
    surge_pct         integer not null,
    base_fare         bigint not null,
    distance_cost     bigint not null,
    time_cost         bigint not null,
    price_total       bigint not null check (price_total > 0),
    driver_share      bigint not null check (driver_share >= 0),
    platform_fee      bigint not null check (platform_fee >= 0),
    driver_share_bps  integer not null,
    cancellation_fee  bigint not null default 0 check (cancellation_fee between 0 and price_total),
    currency          text not null references core.currencies (code),
    status            text not null default 'requested' check (status in ('requested', 'accepted', 'arriving', 'picked_up',
                          'in_progress', 'completed', 'cancelled')),
    payment_status    text not null default 'pending' check (payment_status in ('pending', 'processing', 'paid', 'failed',
                          'refunded')),
    payment_method    text,
    quote_id          uuid,
    idempotency_key   text,
    search_radius_m   integer not null,
    dispatched_at     timestamptz not null default now(),
    requested_at      timestamptz not null default now(),
    accepted_at       timestamptz,
    arriving_at       timestamptz,
    started_at        timestamptz,
    completed_at      timestamptz,
    cancelled_at      timestamptz,
    distributed_at    timestamptz,
    cancel_reason     text check (length(cancel_reason) between 1 and 300),
    cancelled_by      uuid,
    constraint trips_parts_sum check (driver_share + platform_fee = price_total),
    constraint trips_assigned check (driver_id is not null or status in ('requested', 'cancelled')),
    constraint trips_one_per_key unique (customer_id, idempotency_key)
) with (fillfactor = 80);
create unique index trips_one_active_per_driver on taxi.trips (driver_id)
    where status in ('accepted', 'arriving', 'picked_up', 'in_progress');
create unique index trips_one_active_per_customer on taxi.trips (customer_id)
    where status in ('requested', 'accepted', 'arriving', 'picked_up', 'in_progress');
create index trips_of_customer on taxi.trips (customer_id, requested_at, id);
create index trips_of_driver on taxi.trips (driver_id, requested_at, id);
create index trips_currency on taxi.trips (currency);
create index trips_open on taxi.trips (pickup_cell, requested_at) where status = 'requested';
create index trips_waiting on taxi.trips (requested_at) where status = 'requested';
alter table taxi.trips enable row level security;
create policy trips_own on taxi.trips for select to authenticated using (
    customer_id = (select auth.uid())
    or driver_id in (select d.id from taxi.drivers d where d.user_id = (select auth.uid())));
comment on column taxi.trips.quote_id is 'The quote whose price was honoured. No foreign key: old months of quotes are dropped, rides stay.';
comment on column taxi.trips.distributed_at is 'When collected money left the clearing account to driver and platform.';

create table taxi.transitions (
    from_status text not null,
    to_status   text not null,
    actor       text not null check (actor in ('customer', 'driver', 'admin', 'accept', 'system')),
    primary key (from_status, to_status, actor)
);
alter table taxi.transitions enable row level security;
comment on table taxi.transitions is 'Every step a ride may take, and who takes it; accept = taxi-accept-ride alone.';
insert into taxi.transitions values
    ('requested', 'accepted', 'accept'),
    ('accepted', 'arriving', 'driver'), ('accepted', 'picked_up', 'driver'),
    ('arriving', 'picked_up', 'driver'),
    ('picked_up', 'in_progress', 'driver'),
    ('in_progress', 'completed', 'driver'), ('in_progress', 'completed', 'admin'),
    ('accepted', 'cancelled', 'driver'), ('arriving', 'cancelled', 'driver'),
    ('requested', 'cancelled', 'system');
insert into taxi.transitions
select s, 'cancelled', a from unnest(array['requested', 'accepted', 'arriving', 'picked_up', 'in_progress']) s,
       unnest(array['customer', 'admin']) a;

create function taxi.keep_ride_honest() returns trigger language plpgsql set search_path = '' as $$
begin
    -- The functions refuse by name before this; whoever bypasses them is stopped here, owner included.
    if old.status <> new.status
        and not exists (select from taxi.transitions t where t.from_status = old.status and t.to_status = new.status) then
        raise exception 'ride %: % to % is no transition', old.id, old.status, new.status;
    end if;
    if (old.price_total, old.driver_share, old.platform_fee, old.driver_share_bps, old.currency, old.customer_id)
        is distinct from
       (new.price_total, new.driver_share, new.platform_fee, new.driver_share_bps, new.currency, new.customer_id)
        or (old.driver_id is not null and new.driver_id is distinct from old.driver_id) then
        raise exception 'ride %: price, shares, customer and driver are frozen', old.id;
    end if;
    return new;
end $$;
create trigger trips_honest before update on taxi.trips for each row execute function taxi.keep_ride_honest();

create table taxi.declines (
    ride_id    uuid not null references taxi.trips (id),
    driver_id  uuid not null references taxi.drivers (id),
    created_at timestamptz not null default now(),
    primary key (ride_id, driver_id)
);
create index declines_driver on taxi.declines (driver_id);
alter table taxi.declines enable row level security;
create policy declines_own on taxi.declines for select to authenticated
    using (driver_id in (select d.id from taxi.drivers d where d.user_id = (select auth.uid())));

create table taxi.notifications (
    id         uuid primary key default gen_random_uuid(),
    ride_id    uuid not null references taxi.trips (id),
    user_id    uuid not null references people.profiles (id),
    driver_id  uuid references taxi.drivers (id),
    type       text not null check (type in ('ride_offer', 'ride_accepted', 'ride_status', 'ride_cancelled', 'ride_no_driver',
                   'payment_due', 'payment_received')),
    payload    jsonb not null default '{}',
    read       boolean not null default false,
    expires_at timestamptz,
    closed_at  timestamptz,
    created_at timestamptz not null default now()
);
create unique index notifications_one_offer on taxi.notifications (ride_id, driver_id) where type = 'ride_offer';
create index notifications_ride on taxi.notifications (ride_id);
create index notifications_driver on taxi.notifications (driver_id);
create index notifications_user on taxi.notifications (user_id, created_at, id);
alter table taxi.notifications enable row level security;
create policy notifications_own on taxi.notifications for select to authenticated using (user_id = (select auth.uid()));
create policy notifications_read on taxi.notifications for update to authenticated
    using (user_id = (select auth.uid())) with check (user_id = (select auth.uid()));
comment on column taxi.notifications.closed_at is 'An offer that can no longer be taken; clients stop showing it.';
