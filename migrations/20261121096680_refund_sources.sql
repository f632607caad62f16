-- What a refund or a chargeback takes from: the rows, where a settled payment's money lies, what is left of it.
-- Why:       refunds and chargebacks share one cap, and each names the accounts it took from, or a failure could not give
--            them back.
-- Locks:     a foreign key is added to payments.payouts.
-- Old code:  keeps working; payments get their first refunds.
-- Undo:      drop table payments.disputes, payments.payment_refunds cascade; drop the functions created here.

create table payments.payment_refunds (
    id              uuid primary key default gen_random_uuid(),
    payment_id      uuid not null references payments.payments (id),
    amount          bigint not null check (amount >= 0),
    excess          bigint not null default 0 check (excess >= 0 and amount + excess > 0),
    from_wallet     bigint not null default 0 check (from_wallet >= 0),
    from_fees       bigint not null default 0 check (from_fees >= 0),
    from_losses     bigint not null default 0 check (from_losses >= 0),
    from_suspense   bigint not null default 0 check (from_suspense >= 0),
    currency        text not null references core.currencies (code),
    reason          text not null check (length(reason) between 3 and 500),
    destination     text not null check (destination in ('wallet', 'original', 'provider')),
    status          text not null default 'pending' check (status in ('pending', 'succeeded', 'failed')),
    idempotency_key text,
    by              uuid,
    created_at      timestamptz not null default now(),
    finished_at     timestamptz,
    constraint refund_adds_up check (amount = from_wallet + from_fees + from_losses + from_suspense),
    constraint refund_key_once unique (by, idempotency_key)
);
comment on column payments.payment_refunds.destination is 'provider: made in the provider''s own dashboard, and only written down here.';
comment on column payments.payment_refunds.excess is 'What a dashboard gave back beyond what was left to give: the platform''s loss.';
create index payment_refunds_payment on payments.payment_refunds (payment_id);
create index payment_refunds_currency on payments.payment_refunds (currency);
alter table payments.payment_refunds enable row level security;
alter table payments.payouts add constraint payouts_refund foreign key (payment_refund_id) references payments.payment_refunds (id);

create table payments.disputes (
    id            uuid primary key default gen_random_uuid(),
    provider      text not null references payments.providers (name),
    dispute_id    text not null check (length(dispute_id) between 1 and 200),
    payment_id    uuid not null references payments.payments (id),
    amount        bigint not null check (amount > 0),
    currency      text not null references core.currencies (code),
    state         text not null check (state in ('open', 'lost', 'won')),
    booked        boolean not null default false,
    excess        bigint not null default 0 check (excess >= 0),
    from_wallet   bigint not null default 0 check (from_wallet >= 0),
    from_fees     bigint not null default 0 check (from_fees >= 0),
    from_losses   bigint not null default 0 check (from_losses >= 0),
    from_suspense bigint not null default 0 check (from_suspense >= 0),
    created_at    timestamptz not null default now(),
    closed_at     timestamptz,
    constraint dispute_once unique (provider, dispute_id),
    constraint chargeback_adds_up check (not booked or amount = excess + from_wallet + from_fees + from_losses + from_suspense)
);
comment on table payments.disputes is 'A payer''s objection at his bank. Lost: a chargeback was booked. Won after lost: reversed.';
create index disputes_payment on payments.disputes (payment_id);
create index disputes_currency on payments.disputes (currency);
alter table payments.disputes enable row level security;

-- ------------------------------------------------------------------------------------------------- where the money lies

create type payments.parts as (wallet bigint, fees bigint, losses bigint, suspense bigint);

create function payments.total(parts payments.parts) returns bigint language sql immutable set search_path = '' as $$
    select parts.wallet + parts.fees + parts.losses + parts.suspense
$$;

create function payments.put_aside_as(p payments.payments) returns uuid language sql stable set search_path = '' as $$
    select r.transaction_id from ledger.references r
     where r.reference_type = 'payment' and r.reference_id = p.id::text and r.type = 'suspense'
       and not exists (select from ledger.references x where x.reference_type = 'transaction'
           and x.reference_id = r.transaction_id::text and x.type = 'suspense_release')
$$;
comment on function payments.put_aside_as is 'The movement that put money of this payment into suspense, while it is still there.';

create function payments.released_to_payer(p payments.payments) returns boolean language sql stable set search_path = '' as $$
    select exists (select from ledger.references r
        join ledger.references x on x.reference_type = 'transaction' and x.reference_id = r.transaction_id::text and x.type = 'suspense_release'
        join ledger.wallets w on w.user_id = p.user_id and w.currency = p.verified_currency
        join ledger.entries e on e.account_id = w.id and e.created_at >= p.verified_at and e.transaction_id = x.transaction_id
       where r.reference_type = 'payment' and r.reference_id = p.id::text and r.type = 'suspense')
$$;
comment on function payments.released_to_payer is 'Put aside first, and then given to the payer''s own wallet by an admin.';

create function payments.parts_of(p payments.payments) returns payments.parts language plpgsql stable set search_path = '' as $$
declare
    main bigint := case when p.settlement in ('settled', 'overpaid') then p.amount_due else 0 end;
    rest bigint := p.verified_amount - main;
    set_aside boolean := exists (select from ledger.references r
        where r.reference_type = 'payment' and r.reference_id = p.id::text and r.type = 'suspense')
        and not payments.released_to_payer(p);
    parts payments.parts := (case when set_aside then 0 else rest end, 0, 0, case when set_aside then rest else 0 end);
    returned bigint;
begin
    if main = 0 then
        return parts;
    end if;
    case p.purpose
    when 'wallet_deposit' then
        parts.wallet := parts.wallet + p.credit_amount;
        parts.fees := p.fee;
    when 'plan_purchase' then
        parts.fees := main;
    when 'ride' then
        -- Shared out already: what goes back now is the platform's. What a cancelled ride gave back is in the wallet.
        select t.refunded_amount into returned from taxi.transactions t
         where t.ride_id = p.purpose_id and t.provider_tx_id = p.id::text and t.status in ('completed', 'refunded');
        parts.wallet := parts.wallet + coalesce(returned, 0);
        parts.losses := main - coalesce(returned, 0);
    end case;
    return parts;
end $$;
comment on function payments.parts_of is 'Where a settled payment''s money lies: the accounts that a refund takes it from.';

create function payments.taken_from(p payments.payments) returns payments.parts language sql stable set search_path = '' as $$
    select (coalesce(sum(t.w), 0)::bigint, coalesce(sum(t.f), 0)::bigint, coalesce(sum(t.l), 0)::bigint,
            coalesce(sum(t.s), 0)::bigint)::payments.parts
      from (select r.from_wallet, r.from_fees, r.from_losses, r.from_suspense from payments.payment_refunds r
             where r.payment_id = p.id and r.status in ('pending', 'succeeded')
            union all
            select d.from_wallet, d.from_fees, d.from_losses, d.from_suspense from payments.disputes d
             where d.payment_id = p.id and d.state = 'lost' and d.booked) t (w, f, l, s)
$$;
comment on function payments.taken_from is 'Refunds, pending ones included, and chargebacks: they share one cap.';

create function payments.left_of(p payments.payments) returns payments.parts language plpgsql stable set search_path = '' as $$
declare
    had payments.parts := payments.parts_of(p);
    gone payments.parts := payments.taken_from(p);
    spare bigint;
begin
    -- What a part could not give was taken from the losses: it counts against the part that the platform paid for.
    had.losses := had.losses - gone.losses;
    had.wallet := had.wallet - gone.wallet;
    had.fees := had.fees - gone.fees;
    had.suspense := had.suspense - gone.suspense;
    spare := least(had.losses, 0);
    had.losses := had.losses - spare;
    had.wallet := had.wallet + spare;
    spare := least(had.wallet, 0);
    had.wallet := had.wallet - spare;
    had.suspense := had.suspense + spare;
    spare := least(had.suspense, 0);
    had.suspense := had.suspense - spare;
    had.fees := greatest(had.fees + spare, 0);
    return had;
end $$;

create function payments.paying_number(p payments.payments) returns text language sql stable set search_path = '' as $$
    select p.phone from payments.providers r where r.name = p.provider and r.needs_phone
$$;
comment on function payments.paying_number is
    'The phone that was asked and has paid. On a page anybody may have paid: a number typed beside it is where nothing is sent to.';

create function payments.in_ride_clearing(p payments.payments) returns boolean language sql stable set search_path = '' as $$
    select p.purpose = 'ride' and p.settlement in ('settled', 'overpaid') and exists (select from taxi.trips t
        where t.id = p.purpose_id and t.distributed_at is null and t.payment_status = 'paid')
$$;

-- -------------------------------------------------------------------------------------------------------------- ending

create function payments.refund_home(refund uuid) returns ledger.leg[] language plpgsql set search_path = '' as $$
declare
    r payments.payment_refunds;
    d payments.disputes;
    wallet bigint;
    fees bigint;
    losses bigint;
    covered bigint;
begin
    select * into r from payments.payment_refunds x where x.id = refund for update;
    wallet := r.from_wallet;
    fees := r.from_fees;
    losses := r.from_losses;
    -- What the payer's bank took while this refund held the money became the platform's loss. It is made good first, and
    -- belongs to the chargeback from then on, so that winning it back gives it to whom it is taken from here.
    for d in select * from payments.disputes x where x.payment_id = r.payment_id and x.state = 'lost' and x.booked and x.excess > 0 order by x.id
    loop
        covered := least(d.excess, wallet + fees + losses);
        update payments.disputes x set excess = x.excess - covered, from_wallet = x.from_wallet + least(covered, wallet),
               from_fees = x.from_fees + least(greatest(covered - wallet, 0), fees),
               from_losses = x.from_losses + greatest(covered - wallet - fees, 0) where x.id = d.id;
        losses := losses - greatest(covered - wallet - fees, 0);
        fees := fees - least(greatest(covered - wallet, 0), fees);
        wallet := wallet - least(covered, wallet);
    end loop;
    return payments.home_legs((select p.user_id from payments.payments p where p.id = r.payment_id), r.currency,
        wallet, fees, r.amount - wallet - fees - r.from_suspense, r.from_suspense);
end $$;
comment on function payments.refund_home is 'The payment is locked: payments.finish_payout.';

create function payments.close_refunded(payment uuid) returns void language plpgsql set search_path = '' as $$
declare
    p payments.payments;
begin
    -- Under the payment's lock, which its caller holds: of two that end at once the second sees the first.
    update payments.payments x set status = 'refunded'
     where x.id = payment and x.status = 'success' and x.verified_amount <= (select sum(r.amount) from payments.payment_refunds r
        where r.payment_id = payment and r.status = 'succeeded') returning * into p;
    if p.purpose = 'plan_purchase' and p.settlement in ('settled', 'overpaid') then
        -- Only with the whole price: a part given back is a kindness, and leaves the plan.
        update payments.paid_entitlements e set status = 'expired', expires_at = least(e.expires_at, now())
         where e.id = p.purpose_id and e.payment_id = p.id and e.status = 'active';
    end if;
end $$;
comment on function payments.close_refunded is 'Wholly refunded: the payment says so, and a plan bought with it ends.';

create function payments.refund_finished(refund uuid, outcome text) returns void language plpgsql set search_path = '' as $$
declare
    r payments.payment_refunds;
begin
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
        perform core.audit('refund.' || outcome, 'payment_refund', r.id::text, null, jsonb_build_object('amount', r.amount,
            'currency', r.currency, 'payment_id', r.payment_id));
    end if;
end $$;

revoke execute on all functions in schema payments from public;
