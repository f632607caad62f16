-- Where a ride's money goes: what is due, collecting, distributing, refunding, the dues of cash rides.
-- Why:       money of a ride waits in ride_clearing and leaves it once, when the ride is both paid and over. Every movement
--            is a ledger posting that names the ride, and a ride can be named once per kind, for ever.
-- Locks:     the ride first (by the caller of these), then the driver's dues, then wallets in id order.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

create function taxi.due_of(ride taxi.trips) returns bigint language sql immutable set search_path = '' as $$
    select case ride.status when 'requested' then 0 when 'cancelled' then ride.cancellation_fee else ride.price_total end
$$;
comment on function taxi.due_of is 'The frozen price from accepted on; of a cancelled ride the fee; of a requested one nothing.';

create function taxi.live_payment(ride uuid) returns taxi.transactions language sql stable set search_path = '' as $$
    select t.* from taxi.transactions t where t.ride_id = ride and t.status in ('pending', 'processing', 'completed')
$$;

create function taxi.lock_wallets(owners uuid[], currency text) returns void language plpgsql set search_path = '' as $$
begin
    -- Two people who are each other's driver and customer would otherwise wait for each other.
    perform ledger.wallet_for(o, currency) from unnest(owners) o where o is not null order by o;
    perform 1 from ledger.wallets w where w.user_id = any (owners) and w.currency = lock_wallets.currency
      order by w.id for update;
end $$;

create function taxi.lock_wallets_of(ride taxi.trips) returns void language sql set search_path = '' as $$
    select taxi.lock_wallets(array[ride.customer_id, (select d.user_id from taxi.drivers d where d.id = ride.driver_id)],
        ride.currency)
$$;

create function taxi.credit_account(ride taxi.trips, owner uuid, what text, amount bigint)
    returns uuid language plpgsql set search_path = '' as $$
declare
    wallet uuid := ledger.wallet_for(owner, ride.currency);
begin
    if (select w.status from ledger.wallets w where w.id = wallet) = 'active' then
        return wallet;
    end if;
    -- A blocked wallet receives nothing, and must not keep a ride from ending: an admin releases the money later.
    perform core.audit(what || '_suspended', 'ride', ride.id::text, null,
        jsonb_build_object('user_id', owner, 'amount', amount, 'currency', ride.currency));
    perform core.outbox_add('alert', jsonb_build_object('type', what || '_suspended', 'ride_id', ride.id, 'user_id', owner,
        'amount', amount, 'currency', ride.currency), what || '_suspended:' || ride.id);
    return ledger.platform_account('suspense', ride.currency);
end $$;

create function taxi.post(kind text, ride taxi.trips, legs ledger.leg[], amount bigint, description text)
    returns void language plpgsql set search_path = '' as $$
begin
    if amount > 0 then
        perform ledger.post(kind, ride.currency,
            (select array_agg(l::ledger.leg) from unnest(legs) l where l.amount <> 0), 'ride', ride.id::text, amount, 0::bigint,
            description || ' ' || ride.ride_code);
    end if;
end $$;

create function taxi.take_dues(driver uuid, currency text, budget bigint) returns bigint language plpgsql set search_path = '' as $$
declare
    taken bigint;
begin
    -- Oldest first, as far as the share reaches.
    with owed as (
        select d.id, d.created_at, d.amount - d.settled_amount as rest from taxi.driver_dues d
         where d.driver_id = driver and d.currency = take_dues.currency and d.settled_amount < d.amount
         order by d.created_at, d.id for update
    ), queue as (
        select o.id, o.rest, sum(o.rest) over (order by o.created_at, o.id) - o.rest as before from owed o
    ), paid as (
        update taxi.driver_dues d set settled_amount = d.settled_amount + least(q.rest, budget - q.before),
               settled_at = case when q.rest <= budget - q.before then now() end
          from queue q where d.id = q.id and q.before < budget
        returning least(q.rest, budget - q.before) as part
    )
    select coalesce(sum(p.part), 0)::bigint into taken from paid p;
    return taken;
end $$;

create function taxi.distribute(ride taxi.trips) returns void language plpgsql set search_path = '' as $$
declare
    clearing uuid := ledger.platform_account('ride_clearing', ride.currency);
    fees uuid := ledger.platform_account('platform_fees', ride.currency);
    owner uuid := (select d.user_id from taxi.drivers d where d.id = ride.driver_id);
    whole bigint := taxi.due_of(ride);
    share bigint := core.bps(whole, ride.driver_share_bps);
    taken bigint := taxi.take_dues(ride.driver_id, ride.currency, share);
begin
    perform taxi.lock_wallets_of(ride);
    -- The share goes to the driver's user; what he owes from cash rides goes to the platform before it reaches him.
    perform taxi.post('ride_distribution', ride, array[row(clearing, taken - whole), row(fees, whole - share),
        row(taxi.credit_account(ride, owner, 'ride_share', share - taken), share - taken)]::ledger.leg[], whole - taken, 'Ride');
    perform taxi.post('dues_settlement', ride, array[row(clearing, -taken), row(fees, taken)]::ledger.leg[], taken, 'Dues, ride');
    update taxi.trips t set distributed_at = now() where t.id = ride.id;
    perform taxi.log(ride.id, 'distribute', null, null,
        jsonb_build_object('driver_share', share, 'platform_fee', whole - share, 'dues_settled', taken), ride.driver_id);
end $$;

create function taxi.collect(ride taxi.trips, paid taxi.transactions, source uuid)
    returns void language plpgsql set search_path = '' as $$
declare
    clearing uuid := ledger.platform_account('ride_clearing', ride.currency);
    owner uuid := (select d.user_id from taxi.drivers d where d.id = ride.driver_id);
begin
    perform taxi.post('ride_payment', ride, array[row(source, -paid.amount), row(clearing, paid.amount)]::ledger.leg[],
        paid.amount, 'Ride');
    update taxi.trips t set payment_status = 'paid', payment_method = paid.payment_method where t.id = ride.id;
    perform taxi.log(ride.id, 'pay', null, null, jsonb_build_object('amount', paid.amount, 'method', paid.payment_method),
        ride.driver_id);
    perform taxi.notify(ride.id, owner, 'payment_received',
        jsonb_build_object('ride_code', ride.ride_code, 'method', paid.payment_method));
    if ride.status in ('completed', 'cancelled') then
        perform taxi.distribute(ride);
    end if;
end $$;

create function taxi.add_payment(ride taxi.trips, method text, state text, asker uuid, key text)
    returns taxi.transactions language plpgsql set search_path = '' as $$
declare
    whole bigint := taxi.due_of(ride);
    share bigint := core.bps(whole, ride.driver_share_bps);
    made taxi.transactions;
    broken text;
begin
    -- A pending cash attempt gives way to the one that replaces it.
    update taxi.transactions t set status = 'failed'
     where t.ride_id = ride.id and t.status in ('pending', 'processing');
    -- What failed under a key may be tried again under it: the key is the new attempt's.
    update taxi.transactions t set idempotency_key = null
     where t.initiator_id = asker and t.idempotency_key = key and t.ride_id = ride.id and t.payment_method = method and t.status = 'failed';
    insert into taxi.transactions (ride_id, customer_id, driver_id, amount, currency, payment_method, driver_share,
        platform_fee, status, idempotency_key, initiator_id, completed_at)
    values (ride.id, ride.customer_id, ride.driver_id, whole, ride.currency, method, share, whole - share, state, key, asker,
        case state when 'completed' then now() end)
    returning * into made;
    return made;
exception when unique_violation then
    get stacked diagnostics broken = constraint_name;
    if broken = 'transactions_one_live_per_ride' then
        perform core.refuse('PAYMENT_IN_PROGRESS', 409, 'this ride is being paid');
    elsif broken = 'transactions_one_per_key' then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another payment');
    end if;
    raise;
end $$;

-- ----------------------------------------------------------------------------------------------- the ride is over

create function taxi.taken_back(paid taxi.transactions) returns bigint language plpgsql set search_path = '' as $$
declare
    p payments.payments;
begin
    if paid.provider_tx_id is null then
        return 0;
    end if;
    -- The settlement of a payment locks it before the ride; who comes the other way round is asked again by the edge.
    select * into p from payments.payments x where x.id = paid.provider_tx_id::uuid for update;
    return coalesce((payments.taken_from(p)).losses, 0);
end $$;

create function taxi.refund_account(ride taxi.trips, paid taxi.transactions, back bigint)
    returns uuid language plpgsql set search_path = '' as $$
begin
    if exists (select from payments.payments p where p.id::text = paid.provider_tx_id and p.disputed_at is not null) then
        -- His bank is asking for it too: it waits until that is decided.
        perform core.outbox_add('alert', jsonb_build_object('type', 'ride_refund_disputed', 'ride_id', ride.id, 'amount', back,
            'currency', ride.currency), 'ride_refund_disputed:' || ride.id);
        return ledger.platform_account('suspense', ride.currency);
    end if;
    return taxi.credit_account(ride, ride.customer_id, 'ride_refund', back);
end $$;

create function taxi.refund_cancelled(ride taxi.trips, paid taxi.transactions)
    returns void language plpgsql set search_path = '' as $$
declare
    whole bigint := paid.amount - ride.cancellation_fee;
    clearing uuid := ledger.platform_account('ride_clearing', ride.currency);
    -- What the provider gave back meanwhile was booked as a loss: it is made good, and not given twice.
    covered bigint := least(whole, taxi.taken_back(paid));
    back bigint := whole - covered;
begin
    perform taxi.lock_wallets_of(ride);
    if whole > 0 then
        perform taxi.post('ride_refund', ride, array[row(clearing, -whole), row(ledger.platform_account('losses', ride.currency), covered),
            row(case when back > 0 then taxi.refund_account(ride, paid, back) end, back)]::ledger.leg[],
            whole, 'Refund, ride');
        perform taxi.log(ride.id, 'refund', null, null, jsonb_build_object('amount', back), ride.driver_id);
    end if;
    update taxi.transactions t set refunded_amount = back,
           status = case when ride.cancellation_fee = 0 then 'refunded' else t.status end
     where t.id = paid.id;
    if ride.cancellation_fee = 0 then
        update taxi.trips t set payment_status = 'refunded' where t.id = ride.id;
    else
        perform taxi.distribute(ride);
    end if;
end $$;

create function taxi.settle_ended(ride taxi.trips) returns void language plpgsql set search_path = '' as $$
declare
    paid taxi.transactions := taxi.live_payment(ride.id);
begin
    if paid.status = 'completed' and ride.status = 'completed' then
        perform taxi.distribute(ride);
    elsif paid.status = 'completed' then
        perform taxi.refund_cancelled(ride, paid);
    elsif ride.status = 'cancelled' then
        -- Whatever had not been collected is void; a fee, if one is due, is paid by a new attempt.
        update taxi.transactions t set status = 'failed' where t.id = paid.id;
        update taxi.trips t set payment_status = 'failed' where t.id = ride.id and t.payment_status = 'processing';
    end if;
    if paid.status is distinct from 'completed' and taxi.due_of(ride) > 0 then
        perform taxi.notify(ride.id, ride.customer_id, 'payment_due', jsonb_build_object('ride_code', ride.ride_code,
            'amount', taxi.due_of(ride), 'currency', ride.currency));
    end if;
end $$;

revoke execute on all functions in schema taxi from public;
