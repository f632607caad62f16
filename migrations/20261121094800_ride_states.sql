-- A ride moves through its states: taxi-update-ride-status.
-- Why:       the transition table decides who may take which step; the driver, the money and the notices move with the
--            state, in one transaction, so completed and cancelled in the same instant leave exactly one of them.
-- Locks:     the ride, then its driver, then the wallets in id order.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

create function taxi.actors_of(ride taxi.trips, asker uuid) returns text[] language sql stable set search_path = '' as $$
    select array_remove(array[
        case when ride.customer_id = asker then 'customer' end,
        case when exists (select from taxi.drivers d where d.id = ride.driver_id and d.user_id = asker) then 'driver' end,
        case when people.has_role(asker, 'admin', 'pdg') then 'admin' end], null)
$$;
comment on function taxi.actors_of is 'What the caller is to this ride; empty for a stranger, to whom it does not exist.';

create function taxi.ride_for(wanted uuid, asker uuid) returns taxi.trips language plpgsql set search_path = '' as $$
declare
    ride taxi.trips;
begin
    select * into ride from taxi.trips t where t.id = wanted for no key update;
    if not found or taxi.actors_of(ride, asker) = '{}' then
        perform core.refuse('NOT_FOUND', 404, 'no such ride');
    end if;
    return ride;
end $$;

create function taxi.asked_status(ask jsonb) returns text language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'status', 1, 20);
begin
    given := case given when 'started' then 'picked_up' else given end;
    if given is null or given not in ('requested', 'accepted', 'arriving', 'picked_up', 'in_progress', 'completed', 'cancelled')
    then
        perform core.invalid('status', 'must be arriving, picked_up, in_progress, completed or cancelled');
    end if;
    return given;
end $$;

create function taxi.is_repeat(ride taxi.trips, target text, actors text[], asker uuid)
    returns boolean language sql stable set search_path = '' as $$
    -- Only who took the step may ask for it again: a driver whose cancel lost to the customer's has to learn it.
    select ride.status = target and case target
        when 'cancelled' then ride.cancelled_by = asker
        when 'accepted' then 'driver' = any (actors)
        else exists (select from taxi.transitions t where t.to_status = target and t.actor = any (actors)) end
$$;

create function taxi.check_step(ride taxi.trips, target text, actors text[])
    returns void language plpgsql stable set search_path = '' as $$
begin
    if exists (select from taxi.transitions t
                where t.from_status = ride.status and t.to_status = target and t.actor = any (actors)) then
        return;
    end if;
    if exists (select from taxi.transitions t where t.from_status = ride.status and t.to_status = target) then
        perform core.refuse('FORBIDDEN', 403, 'this step is not yours');
    end if;
    perform core.refuse('INVALID_TRANSITION', 409, format('a ride cannot go from %s to %s', ride.status, target),
        jsonb_build_object('from', ride.status, 'to', target));
end $$;

create function taxi.release_driver(driver uuid) returns void language sql set search_path = '' as $$
    update taxi.drivers d set status = case when d.is_online then 'available' else 'offline' end
     where d.id = driver and d.status = 'on_trip'
$$;

create function taxi.tell_other_party(ride taxi.trips, asker uuid) returns void language plpgsql set search_path = '' as $$
declare
    kind text := case ride.status when 'cancelled' then 'ride_cancelled' else 'ride_status' end;
    payload jsonb := jsonb_build_object('ride_code', ride.ride_code, 'status', ride.status);
    driver_user uuid;
begin
    select d.user_id into driver_user from taxi.drivers d where d.id = ride.driver_id;
    if ride.customer_id <> asker then
        perform taxi.notify(ride.id, ride.customer_id, kind, payload);
    end if;
    if driver_user is not null and driver_user <> asker then
        perform taxi.notify(ride.id, driver_user, kind, payload);
    end if;
end $$;

create function taxi.take_step(ride taxi.trips, target text, asker uuid, reason text)
    returns taxi.trips language plpgsql set search_path = '' as $$
declare
    moved taxi.trips;
    fee_bps integer := 0;
begin
    if target = 'cancelled' and ride.driver_id is not null then
        fee_bps := core.setting(case when ride.status in ('picked_up', 'in_progress') then 'taxi.cancel_bps_after_pickup'
            else 'taxi.cancel_bps_before_pickup' end);
    end if;
    update taxi.trips t set
        status = target,
        arriving_at = case target when 'arriving' then now() else t.arriving_at end,
        started_at = case target when 'picked_up' then now() else t.started_at end,
        completed_at = case target when 'completed' then now() end,
        cancelled_at = case target when 'cancelled' then now() end,
        cancel_reason = case target when 'cancelled' then reason end,
        cancelled_by = case target when 'cancelled' then asker end,
        cancellation_fee = core.bps(t.price_total, fee_bps)
     where t.id = ride.id and t.status = ride.status
    returning * into moved;
    if not found then
        raise exception 'ride % changed under its lock', ride.id;
    end if;
    return moved;
end $$;

create function taxi.update_ride_status(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    asker uuid := core.caller();
    wanted uuid := taxi.required_ride(ask);
    target text := taxi.asked_status(ask);
    reason text := core.text_field(ask, 'reason', 1, 300);
    ride taxi.trips := taxi.ride_for(wanted, asker);
    actors text[] := taxi.actors_of(ride, asker);
    before text := ride.status;
begin
    if taxi.is_repeat(ride, target, actors, asker) then
        return jsonb_build_object('success', true, 'ride', taxi.ride_json(ride));
    end if;
    perform taxi.check_step(ride, target, actors);
    if target = 'cancelled' and reason is null then
        perform core.invalid('reason', 'is required to cancel');
    end if;
    ride := taxi.take_step(ride, target, asker, reason);
    perform taxi.log(ride.id, 'status', before, target,
        case when reason is not null then jsonb_build_object('reason', reason) end, ride.driver_id);
    if target in ('completed', 'cancelled') then
        perform taxi.release_driver(ride.driver_id);
        perform taxi.close_offers(ride.id);
        perform taxi.settle_ended(ride);
    end if;
    perform taxi.tell_other_party(ride, asker);
    select * into ride from taxi.trips t where t.id = wanted;
    return jsonb_build_object('success', true, 'ride', taxi.ride_json(ride));
end $$;

create function api.taxi_update_ride_status(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.update_ride_status(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.update_ride_status(jsonb), api.taxi_update_ride_status(jsonb) to authenticated;
