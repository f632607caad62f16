-- From a provider's answer to money: the one settlement routine.
-- Why:       webhook, return page and sweep all end in payments.settle, under the payment's row lock, once.
-- Locks:     the payment row, then wallets in id order (ledger.post).
-- Old code:  nothing earlier exists.
-- Undo:      drop the functions created here.

create function payments.clearing(p payments.payments) returns uuid language sql stable set search_path = '' as $$
    select ledger.platform_account('provider_clearing', p.currency)
$$;

create function payments.put_aside(p payments.payments, amount bigint, type text) returns void language plpgsql set search_path = '' as $$
declare
    own uuid;
    wallet ledger.wallets;
begin
    -- Money that arrived and has no purpose: the payer's wallet, or suspense for guests and blocked wallets.
    if p.user_id is not null and type = 'surplus' then
        own := ledger.wallet_for(p.user_id, p.currency);
        select * into wallet from ledger.wallets w where w.id = own for update;
    end if;
    if wallet.status = 'active' then
        perform ledger.post('surplus', p.currency, array[(payments.clearing(p), -amount)::ledger.leg,
            (wallet.id, amount)::ledger.leg], 'payment', p.id::text, amount, 0, 'paid twice, or more than was due');
        return;
    end if;
    perform ledger.post('suspense', p.currency, array[(payments.clearing(p), -amount)::ledger.leg,
        (ledger.platform_account('suspense', p.currency), amount)::ledger.leg], 'payment', p.id::text, amount);
    perform payments.alert('money_in_suspense', p.id::text, jsonb_build_object('amount', amount, 'currency', p.currency));
end $$;

create function payments.fulfil_deposit(p payments.payments) returns text language plpgsql set search_path = '' as $$
declare
    own uuid;
    wallet ledger.wallets;
    legs ledger.leg[];
begin
    own := ledger.wallet_for(p.user_id, p.currency);
    select * into wallet from ledger.wallets w where w.id = own for update;
    if wallet.status <> 'active' then
        return 'blocked';
    end if;
    legs := array[(payments.clearing(p), -p.amount_due)::ledger.leg, (wallet.id, p.credit_amount)::ledger.leg];
    if p.fee > 0 then
        legs := legs || (ledger.platform_account('platform_fees', p.currency), p.fee)::ledger.leg;
    end if;
    perform ledger.post('deposit', p.currency, legs, 'payment', p.id::text, p.credit_amount, p.fee);
    perform core.outbox_add('push', jsonb_build_object('type', 'wallet_credited', 'user_id', p.user_id,
        'amount', p.credit_amount, 'currency', p.currency), 'wallet_credited:' || p.id);
    return 'settled';
end $$;

create function payments.fulfil_plan(p payments.payments) returns text language plpgsql set search_path = '' as $$
begin
    update payments.paid_entitlements e set status = 'active', payment_id = p.id,
           expires_at = now() + make_interval(days => (select l.duration_days from payments.paid_plans l where l.code = e.plan_code))
     where e.id = p.purpose_id and e.status = 'pending';
    if not found then
        return 'surplus';
    end if;
    perform ledger.post('plan_purchase', p.currency, array[(payments.clearing(p), -p.amount_due)::ledger.leg,
        (ledger.platform_account('platform_fees', p.currency), p.amount_due)::ledger.leg], 'payment', p.id::text, p.amount_due);
    return 'settled';
end $$;

create function payments.fulfil(p payments.payments, verified bigint) returns text language plpgsql set search_path = '' as $$
declare
    outcome text;
begin
    if verified < p.amount_due then
        perform payments.put_aside(p, verified, 'suspense');
        return 'underpaid';
    end if;
    outcome := case p.purpose
        when 'wallet_deposit' then payments.fulfil_deposit(p)
        when 'ride' then taxi.ride_settle(p.purpose_id, p.id, p.provider, p.amount_due, p.currency, payments.clearing(p))
        when 'plan_purchase' then payments.fulfil_plan(p) end;
    if outcome = 'settled' and verified > p.amount_due then
        perform payments.put_aside(p, verified - p.amount_due, 'surplus');
        return 'overpaid';
    elsif outcome = 'settled' then
        return 'settled';
    end if;
    perform payments.put_aside(p, verified, case outcome when 'blocked' then 'suspense' else 'surplus' end);
    return 'surplus';
end $$;

create function payments.find_to_settle(ask jsonb) returns payments.payments language plpgsql set search_path = '' as $$
declare
    own payments.payments;
begin
    select * into own from payments.payments p
     where p.provider = ask ->> 'provider' and p.provider_payment_id = ask ->> 'provider_payment_id' for update;
    if found or ask -> 'intent' is null or ask -> 'intent' = 'null'
        or ask ->> 'environment' is distinct from ask ->> 'expected_environment' then
        return own;
    end if;
    -- Called but never stored: adopted only by the tag that the edge has checked, while nothing else holds the row. Also what we
    -- had given up: money that has arrived under our tag is nobody else's.
    update payments.payments p set provider_payment_id = ask ->> 'provider_payment_id', environment = ask ->> 'environment'
     where p.id = core.uuid_field(ask -> 'intent', 'payment_id') and p.attempt = (ask -> 'intent' ->> 'attempt')::integer
       and p.provider = ask ->> 'provider' and p.provider_payment_id is null
       and p.status in ('initiating', 'unknown', 'failed', 'cancelled', 'expired')
       and p.currency = ask ->> 'currency'
       and p.amount_due = payments.from_provider(p.provider, p.currency, (ask ->> 'amount')::bigint)
    returning * into own;
    if not found then
        -- While we waited for the row, its begin came back, or another event adopted it.
        select * into own from payments.payments p
         where p.provider = ask ->> 'provider' and p.provider_payment_id = ask ->> 'provider_payment_id' for update;
    end if;
    return own;
end $$;

create function payments.settle_success(p payments.payments, ask jsonb) returns text language plpgsql set search_path = '' as $$
declare
    verified bigint := payments.from_provider(p.provider, ask ->> 'currency', (ask ->> 'amount')::bigint);
    other payments.payments := p;
    outcome text;
begin
    if verified is null or verified <= 0 then
        perform payments.alert('unreadable_amount', p.id::text, '{}');
        return 'unreadable';
    elsif ask ->> 'currency' <> p.currency then
        other.currency := ask ->> 'currency';
        perform payments.put_aside(other, verified, 'suspense');
        outcome := 'underpaid';
    else
        outcome := payments.fulfil(p, verified);
    end if;
    update payments.payments x set status = 'success', settlement = outcome, verified_amount = verified, verified_at = now(),
           verified_currency = ask ->> 'currency', environment = ask ->> 'environment', next_check_at = null where x.id = p.id;
    if outcome in ('underpaid', 'surplus') then
        perform payments.ended(p);   -- Its purpose waits for it in vain: something else may pay.
    end if;
    if p.status in ('failed', 'cancelled', 'expired') then
        perform payments.alert('late_success', p.id::text, jsonb_build_object('was', p.status));
    end if;
    perform core.audit('payment.' || outcome, 'payment', p.id::text, jsonb_build_object('status', p.status),
        jsonb_build_object('status', 'success', 'verified_amount', verified, 'currency', ask ->> 'currency'));
    return outcome;
end $$;

create function payments.still_open(p payments.payments) returns text language plpgsql set search_path = '' as $$
declare
    now_is payments.payments;
begin
    -- After the last check it is expired: still watched by webhooks, no longer asked about.
    update payments.payments x set status = case when x.checks >= 4 then 'expired' else 'pending' end,
           next_check_at = case when x.checks >= 4 then null else x.next_check_at end
     where x.id = p.id and x.status in ('initiating', 'pending', 'unknown') returning * into now_is;
    if now_is.status = 'expired' then
        perform payments.ended(now_is);
    end if;
    return 'open';
end $$;

create function payments.settle(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    p payments.payments := payments.find_to_settle(ask);
    reported text := ask ->> 'status';
    outcome text;
begin
    if p.id is null then
        perform payments.orphan_events(ask ->> 'provider', ask ->> 'provider_payment_id');
        perform payments.alert('orphan_payment', ask ->> 'provider_payment_id', '{}');
        return jsonb_build_object('outcome', 'orphan', 'payment_id', null);
    end if;
    if ask ->> 'environment' is distinct from ask ->> 'expected_environment' then
        perform payments.alert('wrong_environment', p.id::text, jsonb_build_object('environment', ask ->> 'environment'));
        outcome := 'wrong_environment';
    elsif p.settlement <> 'none' then
        if reported in ('failed', 'cancelled') then
            perform payments.alert('late_failure', p.id::text, jsonb_build_object('reported', reported));
        end if;
        outcome := 'already';
    elsif reported = 'success' then
        outcome := payments.settle_success(p, ask);
    elsif reported in ('failed', 'cancelled') then
        update payments.payments x set status = reported, next_check_at = null
         where x.id = p.id and x.status in ('initiating', 'pending', 'unknown');
        if found then
            perform payments.ended(p);
        end if;
        outcome := reported;
    else
        outcome := payments.still_open(p);
    end if;
    if reported = 'odd' and outcome <> 'wrong_environment' then
        perform payments.alert('unknown_status', p.id::text, jsonb_build_object('provider', p.provider));
    end if;
    if outcome not in ('wrong_environment', 'open', 'failed', 'cancelled', 'unreadable') then
        perform payments.note_reversals(p.id, ask);
    end if;
    perform payments.finish_events(p.provider, p.provider_payment_id, outcome, (ask ->> 'as_of')::timestamptz);
    return jsonb_build_object('outcome', outcome, 'payment_id', p.id);
end $$;
comment on function payments.settle is
    'ask: what the provider answered to our own query (amounts in its units), and intent only if its signed tag verified.
     status is pending, success, failed, cancelled, or odd: one that no adapter lists, which is pending and reported.
     Idempotent; success never goes back but by an explicit reversal; money that has arrived is never dropped.';

create function api.payment_settle(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.settle(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.settle(jsonb), api.payment_settle(jsonb) to service_role;
