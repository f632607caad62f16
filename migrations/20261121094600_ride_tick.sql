-- The minute's tick of rides: widen, expire, rest silent drivers, free stuck ones (taxi-dispatch-tick).
-- Why:       no ride waits for ever, and no driver who is gone is offered anything.
-- Locks:     open rides and idle drivers, in batches of 200, skipping what somebody else is deciding about.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

create function taxi.expire_rides() returns integer language plpgsql set search_path = '' as $$
declare
    gone uuid[];
begin
    -- Skipped rows are being decided by somebody else, an accept or another tick.
    with due as (
        select t.id from taxi.trips t
         where t.status = 'requested'
           and t.requested_at <= now() - make_interval(secs => core.setting('taxi.no_driver_after_s'))
         order by t.requested_at limit 200 for no key update skip locked
    ), ended as (
        update taxi.trips t set status = 'cancelled', cancelled_at = now(), cancel_reason = 'no_driver'
          from due where t.id = due.id returning t.id, t.customer_id, t.ride_code
    ), told as (
        insert into taxi.notifications (ride_id, user_id, type, payload)
        select e.id, e.customer_id, 'ride_no_driver', jsonb_build_object('ride_code', e.ride_code) from ended e
        returning id, ride_id, user_id
    ), pushed as (
        insert into core.outbox (channel, payload, dedupe_key)
        select 'push', jsonb_build_object('type', 'ride_no_driver', 'ride_id', w.ride_id,
               'user_ids', jsonb_build_array(w.user_id)), 'taxi_notice:' || w.id from told w
    )
    select coalesce(array_agg(e.id), '{}') into gone from ended e;
    perform taxi.log(r, 'expire', 'requested', 'cancelled', '{"reason": "no_driver"}'), taxi.close_offers(r)
       from unnest(gone) r;
    return cardinality(gone);
end $$;

create function taxi.widen_rides() returns integer language plpgsql set search_path = '' as $$
declare
    wide bigint := core.setting('taxi.wide_radius_m');
    widened uuid[];
begin
    -- dispatched_at is the lease: a second tick in the same minute finds nothing to do.
    with due as (
        select t.id from taxi.trips t
         where t.status = 'requested' and t.requested_at <= now() - interval '60 seconds'
           and t.dispatched_at <= now() - interval '45 seconds'
         order by t.requested_at limit 200 for no key update skip locked
    ), moved as (
        update taxi.trips t set search_radius_m = wide, dispatched_at = now() from due where t.id = due.id returning t.id
    )
    select coalesce(array_agg(m.id), '{}') into widened from moved m;
    perform taxi.offer(widened, wide, null, 5);
    return cardinality(widened);
end $$;

create function taxi.rest_silent_drivers() returns integer language plpgsql set search_path = '' as $$
declare
    rested integer;
begin
    with silent as (
        select d.id from taxi.drivers d
         where d.is_online and d.status <> 'on_trip' and not exists (
            select from taxi.driver_positions p where p.driver_id = d.id and p.seen_at >= now() - interval '5 minutes')
         order by d.id limit 200 for no key update skip locked
    )
    update taxi.drivers d set is_online = false, status = case when d.status = 'suspended' then d.status else 'offline' end
      from silent s where d.id = s.id;
    get diagnostics rested = row_count;
    return rested;
end $$;

create function taxi.release_stuck_drivers() returns integer language plpgsql set search_path = '' as $$
declare
    stuck uuid[];
begin
    with idle as (
        select d.id from taxi.drivers d
         where d.status = 'on_trip' and not exists (
            select from taxi.trips t
             where t.driver_id = d.id and t.status in ('accepted', 'arriving', 'picked_up', 'in_progress'))
         order by d.id limit 200 for no key update skip locked
    ), freed as (
        update taxi.drivers d set status = case when d.is_online then 'available' else 'offline' end
          from idle i where d.id = i.id returning d.id
    )
    select coalesce(array_agg(f.id), '{}') into stuck from freed f;
    -- This cannot happen while the functions are right; so somebody is told.
    perform taxi.log(null, 'release_driver', 'on_trip', 'available', null, d),
            core.outbox_add('alert', jsonb_build_object('type', 'taxi_driver_stuck', 'driver_id', d),
                'taxi_driver_stuck:' || d || ':' || now())
       from unnest(stuck) d;
    return cardinality(stuck);
end $$;

create function taxi.dispatch_tick(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    expired integer := taxi.expire_rides();
    released integer := taxi.release_stuck_drivers();
    rested integer := taxi.rest_silent_drivers();
begin
    return jsonb_build_object('success', true, 'widened', taxi.widen_rides(), 'expired', expired,
        'drivers_offline', rested, 'drivers_released', released);
end $$;

create function api.taxi_dispatch_tick(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.dispatch_tick(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.dispatch_tick(jsonb), api.taxi_dispatch_tick(jsonb) to service_role;
