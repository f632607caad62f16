-- Beginning a payment and reading one's own: the row before the call, and which open payment is given back instead.
-- Why:       a repeat, a second tab or a lost answer must find the payment that exists, or leave it behind, watched.
-- Locks:     the open payments of the same key or purpose; the advisory lock of the key or plan.
-- Old code:  nothing earlier exists.
-- Undo:      drop view api.moneroo_payments, api.paid_entitlements; drop the functions created here.

create function payments.customer_of(payer uuid, ask jsonb) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    given jsonb := coalesce(ask -> 'customer', '{}');
    own people.profiles;
    whole jsonb;
    missing text;
begin
    select * into own from people.profiles p where p.id = payer;
    whole := jsonb_strip_nulls(jsonb_build_object('email', coalesce(given ->> 'email', own.email),
        'first_name', coalesce(given ->> 'first_name', own.first_name),
        'last_name', coalesce(given ->> 'last_name', own.last_name), 'phone', given ->> 'phone'));
    select f into missing from unnest(array['email', 'first_name', 'last_name']) f where not whole ? f limit 1;
    if missing is not null then
        perform core.invalid('customer.' || missing, 'is required');
    end if;
    return whole;
end $$;

create function payments.phone_of(ask jsonb, needed boolean) returns text language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'phone', 1, 20);
    spare text := ltrim(ask -> 'customer' ->> 'phone', '+');
begin
    if given !~ '^[1-9][0-9]{7,14}$' or needed and given is null and spare is null then
        perform core.invalid('phone', 'must be an international number, digits only');
    elsif given is null and spare ~ '^[1-9][0-9]{7,14}$' then
        return spare;
    elsif given is null and needed then
        perform core.invalid('customer.phone', 'must be an international number, digits only');
    end if;
    return given;
end $$;

create function payments.begun(p payments.payments, fresh boolean) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('fresh', fresh, 'payment', jsonb_build_object('id', p.id, 'provider', p.provider,
        'provider_payment_id', p.provider_payment_id, 'checkout_url', p.checkout_url, 'status', p.status, 'attempt', p.attempt,
        'purpose', p.purpose, 'purpose_id', p.purpose_id, 'amount', p.credit_amount, 'fee', p.fee, 'total', p.amount_due,
        'currency', p.currency, 'description', p.description, 'phone', p.phone,
        'provider_amount', case when fresh then payments.provider_amount(p.provider, p.currency, p.amount_due) end,
        'exponent', payments.reference_of(p) -> 'exponent',
        'data', case when fresh then '{}' else payments.reference_of(p) -> 'data' end))
$$;

create function payments.switched(payer uuid, wanted uuid) returns payments.payments language plpgsql set search_path = '' as $$
declare
    own payments.payments;
begin
    select * into own from payments.payments p where p.id = wanted and p.user_id = payer for update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such payment');
    elsif own.status in ('success', 'refunded') then
        perform core.refuse('ALREADY_PAID', 409, 'this is paid');
    elsif own.status not in ('initiating', 'pending', 'unknown') then
        perform core.refuse('NOT_PAYABLE', 409, 'this payment has ended: begin another');
    end if;
    return own;
end $$;

create function payments.price_again(own payments.payments, ask jsonb) returns payments.price language plpgsql set search_path = '' as $$
declare
    priced payments.price := (own.purpose_id, own.credit_amount, own.fee, own.currency);
begin
    if own.purpose = 'wallet_deposit' then
        perform payments.open_wallet(own.user_id, own.currency);
    elsif own.purpose = 'ride' then
        select r.amount, r.currency into priced.amount, priced.currency from taxi.ride_payable(own.purpose_id, own.user_id) r;
    elsif not exists (select from payments.paid_entitlements e where e.id = own.purpose_id and e.status = 'pending') then
        perform core.refuse('ALREADY_PAID', 409, 'this plan is active already');
    end if;
    perform payments.agrees(ask, priced);
    return priced;
end $$;
comment on function payments.price_again is
    'Of an open payment that is to be paid through another provider: the same purpose, at what is due now.';

create function payments.reusable(payer uuid, ask jsonb, purpose text, priced payments.price, asked_by text, switched uuid)
    returns payments.payments language plpgsql set search_path = '' as $$
declare
    own payments.payments;
    attempts integer := 0;
begin
    -- The key's row first: its mismatch is refused, and an attempt that ended gives way to the purpose's open payment.
    for own in
        select * from payments.payments p where p.is_current
           and (p.user_id = payer and (p.idempotency_key = asked_by or p.id = switched or p.replaces = switched)
                or p.purpose = reusable.purpose and p.purpose_id = priced.purpose_id
                   and p.status in ('initiating', 'pending', 'unknown'))
         order by (p.idempotency_key = asked_by) desc nulls last for update
    loop
        if own.idempotency_key = asked_by and own.fingerprint <> core.fingerprint(ask) then
            perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another request');
        elsif own.status = 'initiating' and own.created_at > now() - make_interval(secs => core.setting('payment_init_s')) then
            perform core.refuse('IDEMPOTENCY_IN_PROGRESS', 409, 'this payment is being started', null, 'retry after 1 second');
        elsif own.status in ('success', 'refunded') or (own.status = 'pending' and own.attached_at is not null
            and own.amount_due = priced.amount + priced.fee and own.provider = ask ->> 'provider'
            and own.created_at > now() - make_interval(secs => core.setting('payment_reuse_s'))) then
            return own;
        end if;
        -- Too old, another price or provider, or lost between us and the provider: a new attempt, while the old one stays watched.
        update payments.payments p set is_current = false,
               status = case p.status when 'initiating' then 'unknown' else p.status end where p.id = own.id;
        attempts := greatest(attempts, own.attempt);
    end loop;
    own := null;
    own.attempt := attempts;
    return own;
end $$;
comment on function payments.reusable is
    'The payment to answer with, or an empty one that carries the attempts so far. A request to a phone has no checkout_url and is
     reusable all the same: attached_at says that its beginning came back.';

create function payments.new_payment(payer uuid, ask jsonb, purpose text, priced payments.price, attempt integer, switched uuid)
    returns payments.payments language plpgsql set search_path = '' as $$
declare
    id uuid := gen_random_uuid();
    provider payments.providers;
    made payments.payments;
begin
    select * into provider from payments.providers r where r.name = ask ->> 'provider';
    insert into payments.payments (id, user_id, provider, provider_payment_id, purpose, purpose_id, amount_due, credit_amount,
        fee, currency, attempt, idempotency_key, fingerprint, description, metadata, phone, replaces)
    values (id, payer, provider.name, case when provider.own_reference then id::text end, purpose, priced.purpose_id,
        priced.amount + priced.fee, priced.amount, priced.fee, priced.currency, attempt, core.idempotency_key(ask),
        core.fingerprint(ask), coalesce(core.text_field(ask, 'description', 1, 500), 'Payment'),
        coalesce(ask -> 'metadata', '{}'), payments.phone_of(ask, provider.needs_phone), switched)
    returning * into made;
    return made;
exception when unique_violation then
    -- Two tabs at once: the other one's row is the open payment.
    perform core.refuse('IDEMPOTENCY_IN_PROGRESS', 409, 'this payment is being started', null, 'retry after 1 second');
    return null;
end $$;

create function payments.suspected(payer uuid, purpose text, priced payments.price) returns jsonb language plpgsql set search_path = '' as $$
begin
    if purpose = 'wallet_deposit' then
        return ledger.suspect_deposit(payer, priced.currency, priced.amount);
    end if;
    return null;
end $$;
comment on function payments.suspected is 'The refusal to RETURN when a deposit is suspicious: what was recorded with it must stay.';

create function payments.begin_payment(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    payer uuid := core.caller();
    asked_by text := core.idempotency_key(ask);
    wanted uuid := core.uuid_field(ask, 'transaction_id');
    old payments.payments;
    purpose text := ask ->> 'purpose';
    priced payments.price;
    made payments.payments;
    customer jsonb;
    answer jsonb;
begin
    if not exists (select from payments.providers r where r.name = ask ->> 'provider') then
        perform core.invalid('provider', 'is not one of ours');
    end if;
    if asked_by is not null then
        perform core.lock_key(payer || ':payment:' || asked_by);
    end if;
    customer := payments.customer_of(payer, ask);
    if wanted is null then
        priced := payments.price_of(payer, ask);
    else
        old := payments.switched(payer, wanted);
        purpose := old.purpose;
        priced := payments.price_again(old, ask);
    end if;
    made := payments.reusable(payer, ask, purpose, priced, asked_by, wanted);
    if made.id is not null then
        answer := payments.begun(made, false);
    else
        perform payments.provider_amount(ask ->> 'provider', priced.currency, priced.amount + priced.fee);
        answer := case when wanted is null then payments.suspected(payer, purpose, priced) end;
        if answer is not null then
            return answer;
        end if;
        made := payments.new_payment(payer, ask, purpose, priced, made.attempt + 1, wanted);
        answer := payments.begun(made, true) || jsonb_build_object('customer', customer);
    end if;
    if purpose = 'ride' then
        perform taxi.link_payment(priced.purpose_id, made.id, made.provider);
    end if;
    return answer;
end $$;
comment on function payments.begin_payment is
    'Writes the row before the provider is called. fresh = false: answer with the payment as it is. transaction_id: an own open
     payment, to be paid through this provider instead; the old one stays watched.';

create function payments.own_payment(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    wanted text := core.text_field(ask, 'payment_id', 1, 200);
    own payments.payments;
    ask_provider boolean;
begin
    if wanted is null then
        perform core.invalid('payment_id', 'is required');
    end if;
    select * into own from payments.payments p where p.user_id = core.caller()
       and (p.provider_payment_id = wanted or p.id::text = lower(wanted)) for update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such payment');
    end if;
    ask_provider := coalesce(ask ->> 'look', '') <> 'only' and own.status in ('initiating', 'pending', 'unknown') and own.provider_payment_id is not null
        and (own.asked_at is null or own.asked_at < now() - make_interval(secs => core.setting('payment_ask_every_s')));
    if ask_provider then
        update payments.payments p set asked_at = now() where p.id = own.id;
    end if;
    return jsonb_build_object('provider', own.provider, 'provider_payment_id', own.provider_payment_id,
        'ask_provider', ask_provider, 'purpose', own.purpose, 'reference', payments.reference_of(own),
        'balance', (select w.balance from ledger.wallets w where w.user_id = own.user_id and w.currency = own.currency),
        'payment', jsonb_build_object('id', coalesce(own.provider_payment_id, own.id::text), 'status', own.status,
            'amount', own.credit_amount, 'fee', own.fee, 'currency', own.currency,
            'created_at', to_char(own.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'settlement', own.settlement));
end $$;

create view api.moneroo_payments with (security_invoker = true) as
    select id, user_id, provider_payment_id as payment_id, purpose, purpose_id, credit_amount as amount, fee, currency, status,
           settlement, checkout_url, created_at, provider from payments.payments;
grant select on payments.payments, payments.paid_entitlements to authenticated;
grant select on api.moneroo_payments to authenticated;
create view api.paid_entitlements with (security_invoker = true) as
    select id, user_id, plan_code, test_id, status, expires_at, created_at from payments.paid_entitlements;
grant select on api.paid_entitlements to authenticated;

create function api.payment_begin(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.begin_payment(ask);
create function api.payment_get(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.own_payment(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.begin_payment(jsonb), payments.own_payment(jsonb),
    api.payment_begin(jsonb), api.payment_get(jsonb) to authenticated;
