-- Audited decisions: whoever decides about money, roles or prices leaves what was before and what is after.
-- Why:       some lines told only what is; payouts, objections, roles and prices that change outside a function told nothing.
-- Locks:     each of the tables that get a trigger, for a moment.
-- Old code:  keeps working; the functions replaced here answer and refuse as before.
-- Undo:      drop the triggers and functions created here, and create the replaced functions as their own migrations do.

-- ---------------------------------------------------------------------------------------------------------------- rows

create function core.audit_row() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    was jsonb := case when tg_op = 'INSERT' then '{}' else to_jsonb(old) end;
    now_is jsonb := case when tg_op = 'DELETE' then '{}' else to_jsonb(new) end;
    target text;
begin
    if was = now_is then
        return null;
    end if;
    select string_agg(case when tg_op = 'DELETE' then was else now_is end ->> k.name, ':' order by k.place) into target
      from unnest(tg_argv[2:]) with ordinality k (name, place);
    -- Most of these are changed in SQL by an operator, who has no token: then the session's own name is all there is.
    perform core.audit(tg_argv[0] || case tg_op when 'INSERT' then '.added' when 'UPDATE' then '.changed' else '.removed' end,
        tg_argv[1], target, was, now_is || jsonb_build_object('session_user', session_user));
    return null;
end $$;
comment on function core.audit_row is
    'Arguments of the trigger: what the action is called, what kind of thing it is about, and the columns that name the thing.
     Nothing before, or nothing after, is an empty object; null would mean that nobody looked.';

create trigger audited after insert or update or delete on people.user_roles
    for each row execute function core.audit_row('role', 'user', 'user_id');
create trigger audited after insert or update or delete on core.settings
    for each row execute function core.audit_row('setting', 'core.settings', 'key');
create trigger audited after insert or update or delete on core.currencies
    for each row execute function core.audit_row('setting', 'core.currencies', 'code');
create trigger audited after insert or update or delete on ledger.wallet_fees
    for each row execute function core.audit_row('setting', 'ledger.wallet_fees', 'id');
create trigger audited after insert or update or delete on ledger.wallet_limits
    for each row execute function core.audit_row('setting', 'ledger.wallet_limits', 'currency');
create trigger audited after insert or update or delete on ledger.risk_rules
    for each row execute function core.audit_row('setting', 'ledger.risk_rules', 'key', 'currency');
create trigger audited after insert or update or delete on payments.providers
    for each row execute function core.audit_row('setting', 'payments.providers', 'name');
create trigger audited after insert or update or delete on payments.provider_currencies
    for each row execute function core.audit_row('setting', 'payments.provider_currencies', 'provider', 'currency');
create trigger audited after insert or update or delete on payments.payout_rails
    for each row execute function core.audit_row('setting', 'payments.payout_rails', 'currency', 'method', 'phone_prefix');
create trigger audited after insert or update or delete on payments.paid_plans
    for each row execute function core.audit_row('setting', 'payments.paid_plans', 'code');
create trigger audited after insert or update or delete on taxi.pricing_config
    for each row execute function core.audit_row('setting', 'taxi.pricing_config', 'id');
create trigger audited after insert or update or delete on taxi.service_areas
    for each row execute function core.audit_row('setting', 'taxi.service_areas', 'name');

-- Who may drive for money. A driver's own steps change his status too, and are none of an auditor's business.
create trigger audited after update of kyc_verified, can_work, status on taxi.drivers
    for each row when (old.kyc_verified <> new.kyc_verified or old.can_work <> new.can_work
        or (old.status = 'suspended') <> (new.status = 'suspended'))
    execute function core.audit_row('driver', 'driver', 'id');

-- A payer's objection, as his bank decides it.
create trigger audited after insert or update of state on payments.disputes
    for each row execute function core.audit_row('dispute', 'dispute', 'id');

-- ------------------------------------------------------------------------------------------------------------- payouts

create function payments.audit_payout() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    perform core.audit('payout.' || new.status, 'payout', new.id::text, payments.payout_shown(old), payments.payout_shown(new));
    return null;
end $$;
comment on function payments.audit_payout is 'Whoever said so: the provider, or an admin, whose reason is in a line of its own.';
create trigger audited after update of status on payments.payouts
    for each row when (old.status <> new.status and new.status in ('completed', 'failed'))
    execute function payments.audit_payout();

-- ------------------------------------------------------------------------------------- staff who pay in somebody's name

create function taxi.audit_payment() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    ride taxi.trips;
begin
    select * into ride from taxi.trips t where t.id = new.ride_id;
    perform core.audit('ride_payment.in_anothers_name', 'ride', ride.id::text,
        jsonb_build_object('payment_status', ride.payment_status, 'payment_method', ride.payment_method),
        jsonb_build_object('transaction_id', new.id, 'customer_id', new.customer_id, 'amount', new.amount, 'currency', new.currency,
            'payment_method', new.payment_method, 'status', new.status));
    return null;
end $$;
create trigger audited after insert on taxi.transactions
    for each row when (new.initiator_id is not null and new.initiator_id <> new.customer_id)
    execute function taxi.audit_payment();

-- ------------------------------------------------------------------------------------------------------------- refunds

create function payments.refund_state(payment uuid) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('status', p.status, 'left', payments.total(payments.left_of(p)), 'currency', p.verified_currency,
        'provider_refunded', p.provider_refunded)
      from payments.payments p where p.id = payment
$$;

-- As before but for the line in the audit log.
create or replace function payments.make_refund(admin uuid, ask jsonb, reason text, destination text)
    returns payments.payment_refunds language plpgsql set search_path = '' as $$
declare
    p payments.payments := payments.refundable(admin, core.text_field(ask, 'payment_id', 1, 200));
    asked bigint := core.amount_field(ask, 'amount');
    was jsonb := payments.refund_state(p.id);
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
    perform core.audit('payment_refund', 'payment', p.id::text, was,
        payments.refund_state(p.id) || jsonb_build_object('refund', to_jsonb(r) - 'idempotency_key'));
    return r;
end $$;

-- As before but for the line in the audit log, which now knows whether the payment was closed by it.
create or replace function payments.note_refunded(p payments.payments, refunded bigint, as_of timestamptz)
    returns void language plpgsql set search_path = '' as $$
declare
    -- Ours at this provider: they show there too, also one that failed while the answer was on its way, for the sweep asks
    -- again after each that fails. By hand means that somebody did it there, or will.
    ours bigint := (select coalesce(sum(r.amount), 0)::bigint from payments.payment_refunds r
        join payments.payouts o on o.payment_refund_id = r.id
       where r.payment_id = p.id and coalesce(o.provider, p.provider) = p.provider
         and (r.status in ('pending', 'succeeded') or r.finished_at >= as_of));
    noted bigint := (select coalesce(sum(r.amount + r.excess), 0)::bigint from payments.payment_refunds r
       where r.payment_id = p.id and r.destination = 'provider');
    fresh bigint := refunded - ours - noted;
    was jsonb := payments.refund_state(p.id);
    takes payments.parts;
    r payments.payment_refunds;
begin
    update payments.payments x set provider_refunded = greatest(x.provider_refunded, refunded) where x.id = p.id;
    if fresh <= 0 then
        return;
    end if;
    takes := payments.split_reversal(p, fresh);
    insert into payments.payment_refunds (payment_id, amount, excess, from_wallet, from_fees, from_losses, from_suspense, currency,
        reason, destination, status, finished_at)
    values (p.id, payments.total(takes), fresh - payments.total(takes), takes.wallet, takes.fees, takes.losses, takes.suspense,
        p.verified_currency, 'refunded at the provider', 'provider', 'succeeded', now())
    returning * into r;
    perform payments.post_reversal(p, 'refund', 'payment_refund', r.id::text, takes, r.excess);
    perform payments.alert('refunded_at_provider', r.id::text, jsonb_build_object('payment_id', p.id, 'amount', r.amount,
        'excess', r.excess, 'currency', r.currency));
    perform payments.close_refunded(p.id);
    perform core.audit('refund.provider', 'payment_refund', r.id::text, was, payments.refund_state(p.id) || jsonb_build_object('refund', to_jsonb(r)));
end $$;

-- As before but for the line in the audit log.
create or replace function payments.refund_finished(refund uuid, outcome text) returns void language plpgsql set search_path = '' as $$
declare
    was payments.payment_refunds;
    r payments.payment_refunds;
begin
    select * into was from payments.payment_refunds x where x.id = refund for update;
    -- Failed after all and paid after all: it counts again, and the platform has paid it.
    update payments.payment_refunds x set status = case outcome when 'failed' then 'failed' else 'succeeded' end, finished_at = now(),
           from_wallet = case outcome when 'late_completion' then 0 else x.from_wallet end,
           from_fees = case outcome when 'late_completion' then 0 else x.from_fees end,
           from_suspense = case outcome when 'late_completion' then 0 else x.from_suspense end,
           from_losses = case outcome when 'late_completion' then x.amount else x.from_losses end
     where x.id = refund and not (outcome = 'late_completion' and payments.reversal_covers(
        (select o from payments.payouts o where o.payment_refund_id = x.id)))
    returning * into r;
    if r.id is not null then
        if outcome <> 'failed' then
            perform payments.close_refunded(r.payment_id);
        else
            update payments.payments x set status = 'success' where x.id = r.payment_id and x.status = 'refunded';
            perform payments.close_refunded(r.payment_id);   -- Still whole without this one, if the bank gave more back.
            -- What went back there meanwhile was taken for this one.
            perform payments.look_again(p.provider, 'payment', p.provider_payment_id, 'refund|' || r.id)
               from payments.payments p where p.id = r.payment_id and p.provider_payment_id is not null;
        end if;
        perform core.audit('refund.' || outcome, 'payment_refund', r.id::text, to_jsonb(was) - 'idempotency_key',
            to_jsonb(r) - 'idempotency_key');
    end if;
end $$;

-- As before but for the line in the audit log.
create or replace function taxi.credit_account(ride taxi.trips, owner uuid, what text, amount bigint)
    returns uuid language plpgsql set search_path = '' as $$
declare
    wallet uuid := ledger.wallet_for(owner, ride.currency);
    its_status text := (select w.status from ledger.wallets w where w.id = wallet);
begin
    if its_status = 'active' then
        return wallet;
    end if;
    -- A blocked wallet receives nothing, and must not keep a ride from ending: an admin releases the money later.
    perform core.audit(what || '_suspended', 'ride', ride.id::text,
        jsonb_build_object('to', 'wallet', 'wallet', wallet, 'wallet_status', its_status),
        jsonb_build_object('to', 'suspense', 'user_id', owner, 'amount', amount, 'currency', ride.currency));
    perform core.outbox_add('alert', jsonb_build_object('type', what || '_suspended', 'ride_id', ride.id, 'user_id', owner,
        'amount', amount, 'currency', ride.currency), what || '_suspended:' || ride.id);
    return ledger.platform_account('suspense', ride.currency);
end $$;

revoke execute on all functions in schema core, payments, taxi from public;
