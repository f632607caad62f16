-- A ride is paid once: taxi-payment by wallet, cash, card or phone.
-- Why:       amount, payer and beneficiary come from the ride; every way to pay takes the ride's lock first, and the index
--            on live transactions stands behind it.
-- Locks:     the ride, then wallets in id order.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

-- --------------------------------------------------------------------------------------- for payments from providers

create function taxi.ride_payable(ride uuid, customer uuid)
    returns table (amount bigint, currency text) language plpgsql stable set search_path = '' as $$
declare
    found_ride taxi.trips;
begin
    select * into found_ride from taxi.trips t where t.id = ride and t.customer_id = customer;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such ride');
    elsif (taxi.live_payment(ride)).status = 'completed' then
        perform core.refuse('ALREADY_PAID', 409, 'this ride is paid');
    elsif taxi.due_of(found_ride) = 0 then
        perform core.refuse('NOT_PAYABLE', 409, 'nothing is due for this ride');
    end if;
    return query select taxi.due_of(found_ride), found_ride.currency;
end $$;
comment on function taxi.ride_payable is 'What the customer owes for his ride; refuses NOT_FOUND, ALREADY_PAID, NOT_PAYABLE.';

-- -------------------------------------------------------------------------------------------------------- taxi-payment

create function taxi.payment_answer(paid taxi.transactions, duplicate boolean)
    returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('success', true,
        'transaction', jsonb_build_object('id', paid.id, 'ride_id', paid.ride_id, 'amount', paid.amount,
            'currency', paid.currency, 'payment_method', paid.payment_method, 'status', paid.status,
            'driver_share', paid.driver_share, 'platform_fee', paid.platform_fee, 'created_at', taxi.utc(paid.created_at)),
        'payment', jsonb_build_object('success', true, 'method', paid.payment_method, 'status', paid.status))
        || case when duplicate then '{"duplicate": true}'::jsonb else '{}' end
$$;

create function taxi.asked_payment(ask jsonb, asker uuid) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    keyed jsonb := taxi.with_key(ask);
    method text := core.text_field(ask, 'paymentMethod', 1, 20);
    confirm boolean := coalesce(ask -> 'confirm' = 'true', false);
begin
    if coalesce(core.uuid_field(ask, 'customerId'), asker) <> asker then
        perform core.refuse('IDENTITY_MISMATCH', 403, 'customerId is not the caller');
    end if;
    if coalesce(jsonb_typeof(ask -> 'confirm'), 'null') not in ('boolean', 'null') then
        perform core.invalid('confirm', 'must be true or false');
    end if;
    if method is null and confirm then
        method := 'cash';
    elsif method is null or method not in ('wallet', 'card', 'orange_money', 'mtn_money', 'cash') then
        perform core.invalid('paymentMethod', 'must be wallet, card, orange_money, mtn_money or cash');
    end if;
    -- Only what decides: a repeat that spells the rest differently is still the same request.
    return jsonb_build_object('rideId', taxi.required_ride(ask), 'paymentMethod', method, 'confirm', confirm)
        || case when keyed ->> 'idempotency_key' is null then '{}'
           else jsonb_build_object('idempotency_key', keyed ->> 'idempotency_key') end;
end $$;

create function taxi.confirm_cash(ride taxi.trips, method text, asker uuid) returns jsonb language plpgsql set search_path = '' as $$
declare
    paid taxi.transactions := taxi.live_payment(ride.id);
begin
    if not 'driver' = any (taxi.actors_of(ride, asker)) then
        perform core.refuse('FORBIDDEN', 403, 'only the driver of the ride confirms cash');
    elsif method <> 'cash' or paid.payment_method is distinct from 'cash' then
        perform core.refuse('NOT_CASH', 409, 'this ride is not being paid in cash');
    elsif paid.status = 'completed' then
        return taxi.payment_answer(paid, true);
    elsif ride.status not in ('completed', 'cancelled') then
        perform core.refuse('RIDE_NOT_PAYABLE', 409, 'cash is confirmed when the ride is completed');
    end if;
    update taxi.transactions t set status = 'completed', completed_at = now() where t.id = paid.id returning * into paid;
    update taxi.trips t set payment_status = 'paid', payment_method = 'cash', distributed_at = now() where t.id = ride.id;
    if paid.platform_fee > 0 then
        insert into taxi.driver_dues (driver_id, ride_id, currency, amount)
        values (ride.driver_id, ride.id, ride.currency, paid.platform_fee);
    end if;
    perform taxi.log(ride.id, 'confirm_cash', null, null,
        jsonb_build_object('amount', paid.amount, 'dues', paid.platform_fee), ride.driver_id);
    perform taxi.notify(ride.id, ride.customer_id, 'payment_received',
        jsonb_build_object('ride_code', ride.ride_code, 'method', 'cash'));
    return taxi.payment_answer(paid, false);
end $$;

create function taxi.check_payable(ride taxi.trips, method text, live taxi.transactions)
    returns void language plpgsql stable set search_path = '' as $$
begin
    if live.status = 'completed' then
        perform core.refuse('ALREADY_PAID', 409, 'this ride is paid');
    elsif live.status = 'processing' and live.provider_tx_id is not null then
        perform core.refuse('PAYMENT_IN_PROGRESS', 409, 'this ride is being paid in another way');
    elsif taxi.due_of(ride) = 0 then
        perform core.refuse('RIDE_NOT_PAYABLE', 409, 'nothing is due for this ride');
    end if;
end $$;

create function taxi.pay_by_wallet(ride taxi.trips, asker uuid, key text) returns jsonb language plpgsql set search_path = '' as $$
declare
    wallet uuid;
    refusal jsonb;
    paid taxi.transactions;
begin
    if ride.status in ('completed', 'cancelled') then
        perform taxi.lock_wallets_of(ride);   -- It will be distributed at once: both wallets, in order.
    end if;
    wallet := ledger.wallet_for(ride.customer_id, ride.currency);
    refusal := ledger.guard(ride.customer_id, ride.currency, taxi.due_of(ride), 0, null, 'ride');
    if refusal is not null then
        return refusal;
    end if;
    paid := taxi.add_payment(ride, 'wallet', 'completed', asker, key);
    perform taxi.collect(ride, paid, wallet);
    return taxi.payment_answer(paid, false);
end $$;

create function taxi.payment(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    asker uuid := core.caller();
    asked jsonb := taxi.asked_payment(ask, asker);
    method text := asked ->> 'paymentMethod';
    key text := asked ->> 'idempotency_key';
    done jsonb := core.replay('taxi-payment', asked);
    ride taxi.trips;
    live taxi.transactions;
    answer jsonb;
begin
    if done is not null then
        return done;
    end if;
    ride := taxi.ride_for((asked ->> 'rideId')::uuid, asker);
    live := taxi.live_payment(ride.id);
    if (asked ->> 'confirm')::boolean then
        return core.remember('taxi-payment', asked, taxi.confirm_cash(ride, method, asker), 200);
    elsif not taxi.actors_of(ride, asker) && array['customer', 'admin'] then
        perform core.refuse('FORBIDDEN', 403, 'only the customer pays a ride');
    elsif exists (select from taxi.transactions t where t.initiator_id = asker and t.idempotency_key = key
                     and (t.ride_id <> ride.id or t.payment_method <> method)) then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another payment');
    elsif live.payment_method = method and live.status = 'processing' then
        return taxi.payment_answer(live, true);
    elsif live.payment_method = method then
        return core.remember('taxi-payment', asked, taxi.payment_answer(live, true), 200);
    end if;
    perform taxi.check_payable(ride, method, live);
    if method = 'wallet' then
        answer := taxi.pay_by_wallet(ride, asker, key);
        if answer -> 'success' is distinct from 'true' then
            return answer;   -- The guard's refusal: its trace is kept, its answer is not remembered.
        end if;
    elsif method = 'cash' then
        answer := taxi.payment_answer(taxi.add_payment(ride, 'cash', 'pending', asker, key), false);
        update taxi.trips t set payment_method = 'cash', payment_status = 'pending' where t.id = ride.id;
    else
        return taxi.pay_by_provider(ride, method, asker, key);   -- No outcome yet, so nothing to remember: a repeat reads the row.
    end if;
    return core.remember('taxi-payment', asked, answer, 200);
end $$;

create function api.taxi_payment(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return taxi.payment(ask);

revoke execute on all functions in schema taxi, api from public;
grant execute on function taxi.payment(jsonb), api.taxi_payment(jsonb) to authenticated;
notify pgrst, 'reload schema';
