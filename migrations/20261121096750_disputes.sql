-- Money that a provider takes back: refunds made in its dashboard, and the payer's objections at his bank.
-- Why:       neither can be refused, so each is booked once, in any order, to whom it belongs as far as that reaches, and the
--            rest to losses; refunds and chargebacks share the cap of what was captured.
-- Locks:     the payment row (held by payments.settle), the dispute, then wallets in id order (ledger.post).
-- Old code:  nothing earlier exists.
-- Undo:      drop the functions created here.

create function payments.reversal_covers(o payments.payouts) returns boolean language sql stable set search_path = '' as $$
    select coalesce((select sum(d.amount + d.excess) >= o.amount from payments.payment_refunds r
        join payments.payment_refunds d on d.payment_id = r.payment_id and d.destination = 'provider'
       where r.id = o.payment_refund_id and o.provider = (select p.provider from payments.payments p where p.id = r.payment_id)), false)
$$;
comment on function payments.reversal_covers is
    'Whether a refund that we had given up was seen at the provider before its payout said so: then it is booked already.';

create function payments.split_reversal(p payments.payments, amount bigint) returns payments.parts language plpgsql set search_path = '' as $$
declare
    has payments.parts := payments.left_of(p);
    fee bigint := case when p.purpose = 'wallet_deposit' then has.fees else 0 end;
    own ledger.wallets;
    takes payments.parts := (0, 0, 0, 0);
    rest bigint := least(amount, payments.total(has));
    whole boolean := rest = payments.total(has);
begin
    select * into own from ledger.wallets w where w.user_id = p.user_id and w.currency = p.verified_currency for update;
    takes.fees := least(rest, has.fees - case when whole then 0 else fee end);
    takes.wallet := least(rest - takes.fees, has.wallet, case when own.status <> 'closed' then own.balance else 0 end);
    rest := rest - takes.fees - takes.wallet;
    if has.suspense between 1 and rest and payments.put_aside_as(p) is not null then
        takes.suspense := has.suspense;
    end if;
    takes.losses := rest - takes.suspense;
    return takes;
end $$;
comment on function payments.split_reversal is
    'Of what is still covered by the capture: the payer''s wallet as far as it reaches, money still in suspense if all of it,
     and the rest from losses.';

create function payments.post_reversal(p payments.payments, type text, reference_type text, reference_id text,
    takes payments.parts, excess bigint) returns void language plpgsql set search_path = '' as $$
declare
    cur text := p.verified_currency;
    clearing uuid := ledger.platform_account('provider_clearing', cur);
    moved bigint := takes.wallet + takes.fees + takes.losses + excess;
    legs ledger.leg[];
begin
    if takes.suspense > 0 then
        perform ledger.post('suspense_release', cur, array[(ledger.platform_account('suspense', cur), -takes.suspense)::ledger.leg,
            (clearing, takes.suspense)::ledger.leg], 'transaction', payments.put_aside_as(p)::text, takes.suspense);
    end if;
    if moved > 0 then
        legs := array(select l::ledger.leg from (values ((select w.id from ledger.wallets w where w.user_id = p.user_id and w.currency = cur),
            -takes.wallet), (ledger.platform_account('platform_fees', cur), -takes.fees),
            (ledger.platform_account('losses', cur), -(takes.losses + excess)), (clearing, moved)) l (account, amount) where l.amount <> 0);
        perform ledger.post(type, cur, legs, reference_type, reference_id, moved, 0, 'taken back by the provider');
    end if;
end $$;

-- -------------------------------------------------------------------------------------------------- dashboard refunds

create function payments.note_refunded(p payments.payments, refunded bigint, as_of timestamptz)
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
    perform core.audit('refund.provider', 'payment_refund', r.id::text, null, to_jsonb(r));
    perform payments.close_refunded(p.id);
end $$;
comment on function payments.note_refunded is
    'refunded: all that went back at the provider so far, as it answered to a question of as_of; what is new is booked, once.';

-- ------------------------------------------------------------------------------------------------------------ disputes

create function payments.lose_dispute(p payments.payments, d payments.disputes) returns void language plpgsql set search_path = '' as $$
declare
    takes payments.parts := payments.split_reversal(p, d.amount);
    beyond bigint := d.amount - payments.total(takes);
begin
    perform payments.post_reversal(p, 'chargeback', 'dispute', d.id::text, takes, beyond);
    update payments.disputes x set state = 'lost', booked = true, excess = beyond, from_wallet = takes.wallet, from_fees = takes.fees,
           from_losses = takes.losses, from_suspense = takes.suspense, closed_at = now() where x.id = d.id;
    perform payments.alert('dispute_lost', d.id::text, jsonb_build_object('payment_id', p.id, 'amount', d.amount, 'excess', beyond,
        'currency', d.currency));
end $$;

create function payments.win_dispute(p payments.payments, d payments.disputes) returns void language plpgsql set search_path = '' as $$
begin
    if d.booked then
        perform ledger.post('chargeback_reversed', d.currency,
            (ledger.platform_account('provider_clearing', d.currency), -d.amount)::ledger.leg || payments.home_legs(p.user_id,
                d.currency, d.from_wallet, d.from_fees, d.from_losses + d.excess, d.from_suspense),
            'dispute', d.id::text, d.amount, 0, 'won back');
    end if;
    update payments.disputes x set state = 'won', closed_at = now() where x.id = d.id;
    perform payments.alert('dispute_won', d.id::text, jsonb_build_object('payment_id', p.id, 'amount', d.amount, 'currency', d.currency));
end $$;
comment on function payments.win_dispute is
    'The exact reverse of what losing it booked, if it was lost before; its reference exists once.';

create function payments.note_dispute(p payments.payments, said jsonb) returns void language plpgsql set search_path = '' as $$
declare
    claimed bigint := payments.from_provider(p.provider, p.verified_currency, (said ->> 'amount')::bigint);
    d payments.disputes;
begin
    if coalesce(claimed, 0) <= 0 or said ->> 'id' is null or coalesce(said ->> 'state', '') not in ('open', 'lost', 'won') then
        perform payments.alert('unreadable_dispute', p.id::text, jsonb_build_object('dispute', said));
        return;
    end if;
    insert into payments.disputes (provider, dispute_id, payment_id, amount, currency, state)
    values (p.provider, said ->> 'id', p.id, claimed, p.verified_currency, 'open') on conflict do nothing;
    if found then
        perform payments.alert('dispute_opened', p.id::text || ':' || (said ->> 'id'), jsonb_build_object('amount', claimed,
            'currency', p.verified_currency));
    end if;
    select * into d from payments.disputes x where x.provider = p.provider and x.dispute_id = said ->> 'id' for update;
    -- By rank: open, lost, won. A loss that is heard of after the win was before it.
    if d.payment_id = p.id and said ->> 'state' = 'lost' and d.state = 'open' then
        perform payments.lose_dispute(p, d);
    elsif d.payment_id = p.id and said ->> 'state' = 'won' and d.state <> 'won' then
        perform payments.win_dispute(p, d);
    end if;
    update payments.payments x set disputed_at = case when exists (select from payments.disputes o
        where o.payment_id = p.id and o.state = 'open') then coalesce(x.disputed_at, now()) end where x.id = p.id;
end $$;

create function payments.note_reversals(payment uuid, ask jsonb) returns void language plpgsql set search_path = '' as $$
declare
    p payments.payments;
    refunded bigint;
begin
    select * into p from payments.payments x where x.id = payment and x.settlement <> 'none' for update;
    if p.id is null or ask ->> 'currency' is distinct from p.verified_currency then
        return;
    end if;
    if coalesce(jsonb_typeof(ask -> 'refunded'), 'null') = 'number' then
        refunded := payments.from_provider(p.provider, p.verified_currency, (ask ->> 'refunded')::bigint);
        if refunded is null then
            perform payments.alert('unreadable_refund', p.id::text, jsonb_build_object('refunded', ask -> 'refunded'));
        else
            perform payments.note_refunded(p, refunded,
                coalesce((ask ->> 'as_of')::timestamptz, now() - interval '1 minute'));
        end if;
    end if;
    if coalesce(jsonb_typeof(ask -> 'dispute'), 'null') = 'object' then
        select * into p from payments.payments x where x.id = payment;
        perform payments.note_dispute(p, ask -> 'dispute');
    end if;
end $$;
comment on function payments.note_reversals is 'What a settled payment''s provider says has gone back, or is asked back.';

revoke execute on all functions in schema payments from public;
