-- payment-refund: giving back a captured payment, whole or in part, by an admin.
-- Why:       two refunds at once must not exceed what was captured: the cap is tested under the payment's row lock.
-- Locks:     the payment row, then wallets in id order (ledger.post).
-- Old code:  nothing calls these yet.
-- Undo:      drop the functions created here.

create function payments.refundable(admin uuid, wanted text) returns payments.payments language plpgsql set search_path = '' as $$
declare
    p payments.payments;
begin
    if wanted is null then
        perform core.invalid('payment_id', 'is required');
    elsif wanted ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
        select * into p from payments.payments x where x.id = wanted::uuid for update;
    end if;
    if p.id is null then
        select x.* into p from payments.providers r join payments.payments x on x.provider = r.name and x.provider_payment_id = wanted
         for update of x;
    end if;
    if p.id is null then
        perform core.refuse('NOT_FOUND', 404, 'no such payment');
    elsif p.user_id = admin then
        perform core.refuse('FORBIDDEN', 403, 'somebody else must decide about your own money');
    elsif p.settlement = 'none' then
        perform core.refuse('NOT_REFUNDABLE', 409, 'no money has come for this payment');
    elsif p.disputed_at is not null then
        perform core.refuse('IN_DISPUTE', 409, 'the payer''s bank is asking for this money');
    elsif payments.in_ride_clearing(p) then
        perform core.refuse('NOT_REFUNDABLE', 409, 'the ride is not over', null, 'cancel the ride');
    end if;
    return p;
end $$;

create function payments.split_refund(p payments.payments, amount bigint, destination text)
    returns payments.parts language plpgsql set search_path = '' as $$
declare
    has payments.parts := payments.left_of(p);
    fee bigint := case when p.purpose = 'wallet_deposit' then has.fees else 0 end;
    takes payments.parts := (0, 0, 0, 0);
    rest bigint := amount;
begin
    if amount > payments.total(has) then
        perform core.refuse('REFUND_EXCEEDS_CAPTURED', 409, 'not so much is left to refund',
            jsonb_build_object('remaining', payments.total(has)));
    end if;
    takes.fees := least(rest, has.fees - fee);
    rest := rest - takes.fees;
    takes.losses := least(rest, has.losses);
    rest := rest - takes.losses;
    takes.wallet := least(rest, has.wallet);
    rest := rest - takes.wallet;
    if rest > 0 and rest = fee and has.suspense = 0 then
        takes.fees := takes.fees + fee;   -- The whole payment goes back, and the fee with it.
    elsif rest > 0 and has.suspense > 0 then
        perform core.refuse('NOT_REFUNDABLE', 409, 'this money is in suspense', null, 'wallet-admin release_suspense');
    elsif rest > 0 then
        perform core.refuse('REFUND_EXCEEDS_CAPTURED', 409, 'the fee goes back only with the whole payment',
            jsonb_build_object('remaining', payments.total(has), 'without_fee', payments.total(has) - fee));
    end if;
    if destination = 'wallet' and takes.wallet > 0 then
        -- It is in the payer's wallet already: from there to there is no refund.
        perform core.refuse('NOT_REFUNDABLE', 409, 'the payer''s wallet holds this money', null, 'use destination original');
    end if;
    return takes;
end $$;
comment on function payments.split_refund is
    'Which accounts give it: a plan''s price and fees by the platform, a ride that was shared out by its losses, a deposit by the wallet.';

create function payments.pay_refund(p payments.payments, r payments.payment_refunds) returns void language plpgsql set search_path = '' as $$
declare
    own uuid := case when p.user_id is not null then ledger.wallet_for(p.user_id, r.currency) end;
    fallback text := case p.provider when 'mtn_momo' then 'mtn_momo' when 'orange_money' then 'orange_money' when 'wave' then 'wave'
        when 'airtel_money' then 'airtel_money' when 'stripe' then 'card' else p.provider end;
    legs ledger.leg[];
    tx uuid;
begin
    if own is null or (r.destination = 'wallet' or r.from_wallet > 0) and not payments.is_open_wallet(own) then
        perform core.refuse('NOT_REFUNDABLE', 409, 'the payer''s wallet is blocked', null, 'unblock it first');
    end if;
    legs := array(select l::ledger.leg from (values (own, case r.destination when 'wallet' then r.amount else 0 end - r.from_wallet),
        (ledger.platform_account('platform_fees', r.currency), -r.from_fees),
        (ledger.platform_account('losses', r.currency), -r.from_losses),
        (ledger.platform_account('payout_clearing', r.currency), case r.destination when 'original' then r.amount else 0 end))
        l (account, amount) where l.amount <> 0);
    tx := ledger.post('refund', r.currency, legs, 'payment_refund', r.id::text, r.amount, 0, 'refund');
    if r.destination = 'wallet' then
        perform payments.refund_finished(r.id, 'succeeded');
        perform core.outbox_add('push', jsonb_build_object('type', 'wallet_credited', 'user_id', p.user_id, 'amount', r.amount,
            'currency', r.currency), 'wallet_credited:' || r.id);
    else
        insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, provider, transaction_id, payment_refund_id)
        values ('refund', p.user_id, r.amount, 0, r.currency, fallback, case p.provider when 'stripe' then p.provider_payment_id
            else coalesce(payments.paying_number(p), p.provider || ' ' || p.provider_payment_id) end,
            case p.provider when 'stripe' then 'stripe' end, tx, r.id);
    end if;
end $$;
comment on function payments.pay_refund is
    'Out of the named accounts into the wallet at once, or towards who paid: a payout like any other, to the card through its
     provider, to the paying number through a rail, else by hand.';

create function payments.refund_answer(r payments.payment_refunds) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('success', true, 'refund', jsonb_build_object('id', r.id, 'status', r.status, 'amount', r.amount,
        'remaining', (select payments.total(payments.left_of(p)) from payments.payments p where p.id = r.payment_id),
        'currency', r.currency, 'destination', r.destination, 'payment_id', r.payment_id))
$$;

create function payments.make_refund(admin uuid, ask jsonb, reason text, destination text)
    returns payments.payment_refunds language plpgsql set search_path = '' as $$
declare
    p payments.payments := payments.refundable(admin, core.text_field(ask, 'payment_id', 1, 200));
    asked bigint := core.amount_field(ask, 'amount');
    takes payments.parts;
    r payments.payment_refunds;
begin
    asked := coalesce(asked, payments.total(payments.left_of(p)));
    if asked = 0 then
        perform core.refuse('REFUND_EXCEEDS_CAPTURED', 409, 'nothing is left to refund', jsonb_build_object('remaining', 0));
    end if;
    takes := payments.split_refund(p, asked, destination);
    insert into payments.payment_refunds (payment_id, amount, from_wallet, from_fees, from_losses, currency, reason, destination,
        idempotency_key, by)
    values (p.id, asked, takes.wallet, takes.fees, takes.losses, p.verified_currency, reason, destination,
        core.idempotency_key(ask), admin)
    returning * into r;
    perform payments.pay_refund(p, r);
    select * into r from payments.payment_refunds x where x.id = r.id;
    perform core.audit('payment_refund', 'payment', p.id::text, jsonb_build_object('status', p.status), to_jsonb(r) - 'idempotency_key');
    return r;
end $$;

create function payments.payment_refund(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    admin uuid := core.caller();
    reason text := core.text_field(ask, 'reason', 3, 500);
    destination text := coalesce(core.text_field(ask, 'destination', 1, 20), 'wallet');
    first_answer jsonb;
    r payments.payment_refunds;
begin
    if not people.has_role(admin, 'admin', 'pdg') then
        perform core.refuse('FORBIDDEN', 403, 'this is for administrators');
    elsif core.idempotency_key(ask) is null then
        perform core.invalid('idempotency_key', 'is required');
    elsif reason is null then
        perform core.invalid('reason', 'is required');
    elsif destination not in ('wallet', 'original') then
        perform core.invalid('destination', 'must be wallet or original');
    end if;
    first_answer := core.replay('payment-refund', ask);
    if first_answer is not null then
        return first_answer;
    end if;
    -- The key is the refund's for ever, also when the answer of that day is pruned.
    if exists (select from payments.payment_refunds x where x.by = admin and x.idempotency_key = core.idempotency_key(ask)) then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another refund');
    end if;
    r := payments.make_refund(admin, ask, reason, destination);
    return core.remember('payment-refund', ask, payments.refund_answer(r), 201);
end $$;
comment on function payments.payment_refund is
    'By an admin, never about his own payment. A deposit or a surplus is in the payer''s wallet, so it can only go to the original.';

create function api.payment_refund(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.payment_refund(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.payment_refund(jsonb), api.payment_refund(jsonb) to authenticated;
