-- Rides paid through a provider: what waits for its payment, what that payment's end means, and its settlement.
-- Why:       a card or a phone takes its time; meanwhile the ride shows that it is being paid, and no other way is begun.
-- Locks:     the payment (held by payments.settle), then the ride, then wallets in id order. A check on taxi.transactions is
--            replaced.
-- Old code:  nothing earlier exists.
-- Undo:      with 20261121094000_rides.sql.

create function taxi.pay_by_provider(ride taxi.trips, method text, asker uuid, key text)
    returns jsonb language plpgsql set search_path = '' as $$
declare
    paid taxi.transactions;
begin
    if ride.customer_id <> asker then
        perform core.refuse('FORBIDDEN', 403, 'only the customer pays with a card or a phone');
    end if;
    paid := taxi.add_payment(ride, method, 'processing', asker, key);
    update taxi.trips t set payment_method = method, payment_status = 'processing' where t.id = ride.id;
    return taxi.payment_answer(paid, false);
end $$;
comment on function taxi.pay_by_provider is
    'Notes what is going to be asked of a provider; the edge then begins a payment for the ride, which is linked to it. Until then
     nobody was asked, and another method may take its place.';

create function taxi.link_payment(ride uuid, payment uuid, provider text) returns void language sql set search_path = '' as $$
    -- The attempt that waits for a provider now waits for this payment. A checkout of another provider is its own.
    update taxi.transactions t set provider_tx_id = payment::text, payment_provider = provider
     where t.ride_id = ride and t.status = 'processing' and coalesce(t.payment_provider, provider) = provider
$$;

create function taxi.provider_payment_ended(ride uuid, payment uuid) returns void language plpgsql set search_path = '' as $$
begin
    perform from taxi.trips t where t.id = ride for no key update;   -- First, as everybody does who pays a ride.
    update taxi.transactions t set status = 'failed'
     where t.ride_id = ride and t.provider_tx_id = payment::text and t.status = 'processing';
    if found then
        update taxi.trips t set payment_status = 'failed' where t.id = ride and t.payment_status = 'processing';
        perform taxi.log(ride, 'payment_failed', null, null, jsonb_build_object('payment_id', payment), null);
    end if;
end $$;
comment on function taxi.provider_payment_ended is
    'Its provider said no: the ride may be paid by another attempt. A later yes is settled as any other.';

create function taxi.method_of(provider text) returns text language sql immutable set search_path = '' as $$
    select case provider when 'stripe' then 'card' when 'mtn_momo' then 'mtn_money' when 'orange_money' then 'orange_money'
        when 'moneroo' then 'moneroo' else 'online' end
$$;
alter table taxi.transactions drop constraint transactions_payment_method_check, add constraint transactions_payment_method_check
    check (payment_method in ('wallet', 'card', 'orange_money', 'mtn_money', 'cash', 'moneroo', 'online'));

create function taxi.ride_settle(ride uuid, payment uuid, provider text, amount bigint, currency text, source_account uuid)
    returns text language plpgsql set search_path = '' as $$
declare
    r taxi.trips;
    asked taxi.transactions;
    paid taxi.transactions;
begin
    select * into r from taxi.trips t where t.id = ride for no key update;
    if not found or r.currency <> currency or amount <> taxi.due_of(r) or (taxi.live_payment(ride)).status = 'completed' then
        return 'surplus';
    end if;
    select * into asked from taxi.transactions t
     where t.ride_id = ride and t.provider_tx_id = payment::text order by t.created_at desc limit 1;
    if asked.status = 'processing' and asked.amount = ride_settle.amount then
        update taxi.transactions t set status = 'completed', completed_at = now() where t.id = asked.id returning * into paid;
    else
        paid := taxi.add_payment(r, coalesce(asked.payment_method, taxi.method_of(provider)), 'completed', r.customer_id, null);
        update taxi.transactions t set payment_provider = provider, provider_tx_id = payment::text where t.id = paid.id;
    end if;
    perform taxi.collect(r, paid, source_account);
    return 'settled';
end $$;
comment on function taxi.ride_settle is
    'Books a verified provider payment under the method that was asked for: settled = collected (and distributed when the ride is
     over); surplus = the ride can no longer be paid with it, nothing was posted, and the caller credits the payer instead.';

revoke execute on all functions in schema taxi from public;
notify pgrst, 'reload schema';
