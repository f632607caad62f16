-- How a payout ends: completed, or failed and the money back, once; and what comes too late.
-- Why:       the provider, an admin and a lost answer may each have a word, in any order; the money follows one of them.
-- Locks:     the payout row, a refund's payment, then wallets in id order (ledger.post).
-- Old code:  nothing earlier exists.
-- Undo:      drop the functions created here.

create function payments.is_open_wallet(wallet uuid) returns boolean language plpgsql set search_path = '' as $$
begin
    return (select w.status from ledger.wallets w where w.id = wallet for update) = 'active';
end $$;

create function payments.home_legs(owner uuid, currency text, to_wallet bigint, to_fees bigint, to_losses bigint, to_suspense bigint)
    returns ledger.leg[] language plpgsql set search_path = '' as $$
declare
    own uuid := case when owner is not null then ledger.wallet_for(owner, currency) end;
    open boolean := to_wallet > 0 and coalesce(payments.is_open_wallet(own), false);
begin
    if to_wallet > 0 and not open then
        -- What comes home to a blocked wallet waits for an admin.
        perform payments.alert('money_in_suspense', own::text || ':' || clock_timestamp(), jsonb_build_object('amount', to_wallet,
            'currency', currency, 'user_id', owner));
    end if;
    return array(select l::ledger.leg from (values (own, case when open then to_wallet else 0 end),
        (ledger.platform_account('platform_fees', currency), to_fees), (ledger.platform_account('losses', currency), to_losses),
        (ledger.platform_account('suspense', currency), to_suspense + case when open then 0 else to_wallet end)) l (account, amount)
        where l.amount <> 0);
end $$;
comment on function payments.home_legs is
    'Credits that undo a debit, each to where it was taken from; a blocked wallet''s part to suspense.';

create function payments.unspend(o payments.payouts) returns void language sql set search_path = '' as $$
    -- What failed does not count towards the limits of the day and month in which it was asked for.
    update ledger.wallets w
       set spent_today = case when w.spent_on = d.day then greatest(w.spent_today - o.amount, 0) else w.spent_today end,
           spent_month = case when date_trunc('month', w.spent_on) = date_trunc('month', d.day)
               then greatest(w.spent_month - o.amount, 0) else w.spent_month end
      from (select (o.created_at at time zone 'UTC')::date as day) d
     where w.user_id = o.user_id and w.currency = o.currency and w.spent_on > '-infinity'
$$;

create function payments.give_back(o payments.payouts, source text default 'payout_clearing') returns void language plpgsql set search_path = '' as $$
declare
    clearing ledger.leg := (ledger.platform_account(source, o.currency), -o.amount)::ledger.leg;
    legs ledger.leg[];
begin
    case o.kind
    when 'wallet_withdrawal' then
        legs := payments.home_legs(o.user_id, o.currency, o.amount + o.fee, -o.fee, 0, 0);
        perform ledger.post('withdrawal_returned', o.currency, clearing || legs, 'payout', o.id::text, o.amount, 0, 'not paid out');
        perform payments.unspend(o);
    when 'refund' then
        legs := case when o.payment_refund_id is null then payments.home_legs(null, o.currency, 0, 0, 0, o.amount)
            else payments.refund_home(o.payment_refund_id) end;
        perform ledger.post('refund_returned', o.currency, clearing || legs, 'payout', o.id::text, o.amount, 0, 'not paid out');
    end case;
    update payments.payouts x set returned = true, returned_at = now() where x.id = o.id;
end $$;
comment on function payments.give_back is
    'Amount and fee to where they came from. Its reference exists once for ever, so a second time moves nothing.';

create function payments.finish_payout(p payments.payouts, result text, reference text) returns text
    language plpgsql set search_path = '' as $$
declare
    o payments.payouts;
    clearing uuid := ledger.platform_account('provider_clearing', p.currency);
    outcome text;
begin
    select * into o from payments.payouts x where x.id = p.id for update;
    perform from payments.payments x join payments.payment_refunds r on r.payment_id = x.id
      where r.id = o.payment_refund_id for update of x;   -- Before any wallet: its cap is about to change.
    outcome := case
        when result = 'completed' and o.status = 'completed' or result = 'failed' and o.status = 'failed' then 'already'
        when result = 'failed' and o.status = 'completed' then 'late_failure'
        when result = 'completed' and o.returned then 'late_completion'
        else result end;
    if outcome in ('late_failure', 'late_completion') then
        perform payments.alert('payout_' || outcome, o.id::text, jsonb_build_object('amount', o.amount, 'currency', o.currency));
    end if;
    if outcome = 'completed' then
        perform ledger.post('withdrawal_completed', o.currency, array[(ledger.platform_account('payout_clearing', o.currency),
            -o.amount)::ledger.leg, (clearing, o.amount)::ledger.leg], 'payout', o.id::text, o.amount);
    elsif outcome = 'late_completion' and not payments.reversal_covers(o) then
        -- It was given back and is paid out all the same: the platform bears it, not the wallet.
        perform ledger.post('loss', o.currency, array[(ledger.platform_account('losses', o.currency), -o.amount)::ledger.leg,
            (clearing, o.amount)::ledger.leg], 'payout', o.id::text, o.amount, 0, 'paid out after it was given back');
    elsif outcome = 'failed' then
        perform payments.give_back(o);
    elsif outcome = 'late_failure' and o.kind = 'refund' then
        -- A bank may send a refund back after it was paid: what came home to us goes home.
        perform payments.give_back(o, 'provider_clearing');
        update payments.payouts x set status = 'failed', completed_at = null where x.id = o.id;
        perform payments.refund_finished(o.payment_refund_id, 'failed');
    end if;
    if outcome in ('completed', 'failed', 'late_completion') then
        update payments.payouts x set status = result, next_check_at = null, reference = coalesce(finish_payout.reference, x.reference),
               completed_at = case result when 'completed' then now() end where x.id = o.id;
        perform payments.refund_finished(o.payment_refund_id, outcome);
        if outcome <> 'late_completion' and o.kind = 'wallet_withdrawal' then
            perform core.outbox_add('push', jsonb_build_object('type', 'payout_' || outcome, 'user_id', o.user_id,
                'amount', o.amount, 'currency', o.currency), 'payout_' || outcome || ':' || o.id);
        end if;
    end if;
    return outcome;
end $$;
comment on function payments.finish_payout is
    'result: completed or failed; answers that, or already, late_completion (a loss), late_failure (an alert, nothing moves).
     Whoever calls it holds the right to decide: the provider''s own word, or an admin with a reference.';

-- ----------------------------------------------------------------------------------------------------- provider's word

create function payments.find_payout(ask jsonb) returns payments.payouts language plpgsql set search_path = '' as $$
declare
    o payments.payouts;
begin
    select * into o from payments.payouts x
     where x.provider = ask ->> 'provider' and x.provider_payout_id = ask ->> 'provider_payout_id' for update;
    if found or ask ->> 'payout_id' is null or ask ->> 'environment' is distinct from ask ->> 'expected_environment' then
        return o;
    end if;
    -- Sent, and its answer lost: adopted only by the tag that the edge has checked. Also one that was given back meanwhile.
    update payments.payouts x set provider_payout_id = ask ->> 'provider_payout_id'
     where x.id = core.uuid_field(ask, 'payout_id') and x.provider = ask ->> 'provider' and x.attempts = 1
       and x.provider_payout_id is null and x.currency = ask ->> 'currency'
       and x.amount = payments.from_provider(x.provider, x.currency, (ask ->> 'amount')::bigint)
    returning * into o;
    if not found then
        select * into o from payments.payouts x
         where x.provider = ask ->> 'provider' and x.provider_payout_id = ask ->> 'provider_payout_id' for update;
    end if;
    return o;
end $$;

create function payments.payout_settle(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    o payments.payouts := payments.find_payout(ask);
    reported text := ask ->> 'status';
    same boolean;
    outcome text;
begin
    if o.id is null then
        perform payments.orphan_events(ask ->> 'provider', ask ->> 'provider_payout_id');
        perform payments.alert('orphan_payout', ask ->> 'provider_payout_id', '{}');
        return jsonb_build_object('outcome', 'orphan', 'payout_id', null);
    end if;
    same := ask ->> 'currency' = o.currency
        and payments.from_provider(o.provider, o.currency, (ask ->> 'amount')::bigint) = o.amount;
    if ask ->> 'environment' is distinct from ask ->> 'expected_environment' then
        perform payments.alert('wrong_environment', o.id::text, jsonb_build_object('environment', ask ->> 'environment'));
        outcome := 'wrong_environment';
    elsif reported in ('completed', 'failed') and not coalesce(same, reported = 'failed' and ask ->> 'amount' is null) then
        update payments.payouts x set status = 'unknown' where x.id = o.id and x.status = 'processing';
        perform payments.alert('payout_mismatch', o.id::text, jsonb_build_object('reported', reported, 'amount', ask -> 'amount',
            'currency', ask ->> 'currency'));
        outcome := 'mismatch';
    elsif reported in ('completed', 'failed') then
        update payments.payouts x set environment = ask ->> 'environment' where x.id = o.id;
        outcome := payments.finish_payout(o, reported, null);
    else
        outcome := 'open';
    end if;
    if reported = 'odd' and outcome = 'open' then
        perform payments.alert('unknown_status', o.id::text, jsonb_build_object('provider', o.provider));
    end if;
    perform payments.finish_events(o.provider, o.provider_payout_id, outcome);
    return jsonb_build_object('outcome', outcome, 'payout_id', o.id);
end $$;
comment on function payments.payout_settle is
    'ask: what the provider answered to our own query, and payout_id only if its signed tag verified. status is pending,
     completed, failed, or odd: one that no adapter lists, which is pending and reported. Idempotent.';

create function api.payout_settle(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.payout_settle(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.payout_settle(jsonb), api.payout_settle(jsonb) to service_role;
