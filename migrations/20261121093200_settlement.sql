-- From a provider's answer to money: attach, the event inbox, the one settlement routine, the sweep.
-- Why:       webhook, return page and sweep all end in payments.settle, under the payment's row lock, once.
-- Locks:     the payment row, then wallets in id order (ledger.post).
-- Old code:  payments begun before this have status initiating and are swept.
-- Undo:      drop the tables and functions created here.

-- ------------------------------------------------------------------------------------------------- the provider's word

create function payments.attach(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    own payments.payments;
begin
    update payments.payments p
       set provider_payment_id = ask ->> 'provider_payment_id', checkout_url = ask ->> 'checkout_url',
           environment = ask ->> 'environment',
           -- Adopted by its webhook before we came back: success stays.
           status = case when p.status in ('initiating', 'unknown') then 'pending' else p.status end
     where p.id = core.uuid_field(ask, 'payment_id')
       and (p.provider_payment_id is null or p.provider_payment_id = ask ->> 'provider_payment_id')
    returning * into own;
    if not found then
        raise exception 'payment % is attached to another provider id', ask ->> 'payment_id';
    end if;
    return jsonb_build_object('status', own.status, 'waiting_events', exists (select from payments.payment_events e
        where e.provider = own.provider and e.provider_payment_id = own.provider_payment_id and e.processed_at is null));
end $$;

create function payments.mark(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
begin
    if ask ->> 'status' not in ('failed', 'unknown') then
        raise exception 'an attempt ends failed or unknown, not %', ask ->> 'status';
    end if;
    -- Only from initiating: a slow answer never takes back what a webhook has confirmed.
    update payments.payments p set status = ask ->> 'status',
           next_check_at = case ask ->> 'status' when 'failed' then null else p.next_check_at end
     where p.id = core.uuid_field(ask, 'payment_id') and p.status = 'initiating';
    return jsonb_build_object('marked', found);
end $$;

-- --------------------------------------------------------------------------------------------------------------- inbox

create table payments.event_keys (
    provider    text not null,
    dedupe_key  text not null check (length(dedupe_key) between 1 and 400),
    received_at timestamptz not null default now(),
    constraint event_once primary key (provider, dedupe_key)
);
comment on table payments.event_keys is 'Unique for ever; the inbox itself is partitioned by month and may be pruned.';
alter table payments.event_keys enable row level security;

create table payments.payment_events (
    id                  uuid not null default gen_random_uuid(),
    provider            text not null,
    dedupe_key          text not null,
    event               text not null,
    provider_payment_id text not null,
    body                text not null check (octet_length(body) <= 65536),
    headers             jsonb not null,
    attempts            integer not null default 0,
    next_attempt_at     timestamptz not null default now() + interval '1 minute',
    processed_at        timestamptz,
    outcome             text,
    received_at         timestamptz not null default now(),
    primary key (received_at, id)
) partition by range (received_at);
create index payment_events_open on payments.payment_events (provider, provider_payment_id) where processed_at is null;
create index payment_events_due on payments.payment_events (next_attempt_at) where processed_at is null;
alter table payments.payment_events enable row level security;
select core.make_partitions('payments.payment_events', 12);

create function payments.store_event(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
begin
    insert into payments.event_keys (provider, dedupe_key) values (ask ->> 'provider', ask ->> 'dedupe_key')
        on conflict do nothing;
    if not found then
        return jsonb_build_object('duplicate', true);
    end if;
    insert into payments.payment_events (provider, dedupe_key, event, provider_payment_id, body, headers)
    values (ask ->> 'provider', ask ->> 'dedupe_key', ask ->> 'event', ask ->> 'provider_payment_id', ask ->> 'body', ask -> 'headers');
    if not (ask ->> 'known_event')::boolean then
        perform payments.alert('unknown_event', ask ->> 'provider_payment_id', jsonb_build_object('event', ask ->> 'event'));
    end if;
    return jsonb_build_object('duplicate', false);
end $$;

create function payments.alert(kind text, target text, details jsonb) returns void language sql set search_path = '' as $$
    select core.outbox_add('alert', jsonb_build_object('type', kind, 'target', target) || details, kind || ':' || target)
$$;

create function payments.finish_events(provider text, provider_payment_id text, outcome text)
    returns void language sql set search_path = '' as $$
    update payments.payment_events e set processed_at = now(), outcome = finish_events.outcome
     where e.provider = finish_events.provider and e.provider_payment_id = finish_events.provider_payment_id
       and e.processed_at is null
$$;

-- ---------------------------------------------------------------------------------------------------------- settlement

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
        when 'ride' then taxi.ride_settle(p.purpose_id, p.id, p.amount_due, p.currency, payments.clearing(p))
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
    -- Called but never stored: adopted only by the tag that the edge has checked, while nothing else holds the row.
    update payments.payments p set provider_payment_id = ask ->> 'provider_payment_id', environment = ask ->> 'environment'
     where p.id = core.uuid_field(ask -> 'intent', 'payment_id') and p.attempt = (ask -> 'intent' ->> 'attempt')::integer
       and p.provider = ask ->> 'provider' and p.provider_payment_id is null and p.status in ('initiating', 'unknown', 'expired')
       and p.currency = ask ->> 'currency'
       and p.amount_due = (ask ->> 'amount')::bigint * payments.unit(p.provider, p.currency)
    returning * into own;
    if not found then
        -- While we waited for the row, its begin came back, or another event adopted it.
        select * into own from payments.payments p
         where p.provider = ask ->> 'provider' and p.provider_payment_id = ask ->> 'provider_payment_id' for update;
    end if;
    return own;
end $$;

create function payments.unit(provider text, currency text) returns bigint language sql stable set search_path = '' as $$
    select (10 ^ (c.exponent - r.exponent))::bigint
      from core.currencies c join payments.provider_currencies r on r.currency = c.code
     where r.provider = unit.provider and c.code = unit.currency
$$;
comment on function payments.unit is 'Minor units in one of the provider''s units of that currency; null when it has none.';

create function payments.settle_success(p payments.payments, ask jsonb) returns text language plpgsql set search_path = '' as $$
declare
    verified bigint := (ask ->> 'amount')::bigint * payments.unit(p.provider, ask ->> 'currency');
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
           next_check_at = null where x.id = p.id;
    if p.status in ('failed', 'cancelled', 'expired') then
        perform payments.alert('late_success', p.id::text, jsonb_build_object('was', p.status));
    end if;
    perform core.audit('payment.' || outcome, 'payment', p.id::text, jsonb_build_object('status', p.status),
        jsonb_build_object('status', 'success', 'verified_amount', verified, 'currency', ask ->> 'currency'));
    return outcome;
end $$;

create function payments.settle(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    p payments.payments := payments.find_to_settle(ask);
    reported text := ask ->> 'status';
    outcome text;
begin
    if p.id is null then
        -- Attempts are counted where the sweep claims.
        update payments.payment_events e set outcome = 'orphan'
         where e.provider = ask ->> 'provider' and e.provider_payment_id = ask ->> 'provider_payment_id' and e.processed_at is null;
        perform payments.alert('orphan_payment', ask ->> 'provider_payment_id', '{}');
        return jsonb_build_object('outcome', 'orphan');
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
        outcome := reported;
    else
        -- Still open. After the last check it is expired: still watched by webhooks, no longer asked about.
        update payments.payments x set status = case when x.checks >= 4 then 'expired' when x.status = 'pending' then 'pending'
                   when x.status in ('initiating', 'unknown') then 'pending' else x.status end,
               next_check_at = case when x.checks >= 4 then null else x.next_check_at end
         where x.id = p.id and x.status in ('initiating', 'pending', 'unknown');
        outcome := 'open';
    end if;
    perform payments.finish_events(p.provider, p.provider_payment_id, outcome);
    return jsonb_build_object('outcome', outcome, 'payment_id', p.id);
end $$;
comment on function payments.settle is
    'ask: what the provider answered to our own query (amount in its units), and intent only if its signed tag verified.
     Idempotent; success never goes back; money that has arrived is never dropped.';

-- --------------------------------------------------------------------------------------------------------------- sweep

create table payments.provider_calls (
    provider text not null,
    minute   timestamptz not null,
    calls    integer not null check (calls >= 0),
    primary key (provider, minute)
);
alter table payments.provider_calls enable row level security;

create function payments.reserve_calls(provider text, wanted integer) returns integer language plpgsql set search_path = '' as $$
declare
    this_minute timestamptz := date_trunc('minute', now());
    used integer;
    granted integer;
begin
    delete from payments.provider_calls c where c.provider = reserve_calls.provider and c.minute < this_minute - interval '1 hour';
    insert into payments.provider_calls values (provider, this_minute, 0) on conflict do nothing;
    select c.calls into used from payments.provider_calls c
     where c.provider = reserve_calls.provider and c.minute = this_minute for update;
    granted := greatest(0, least(wanted, core.setting('provider_calls_per_minute')::integer - used));
    update payments.provider_calls c set calls = c.calls + granted
     where c.provider = reserve_calls.provider and c.minute = this_minute;
    return granted;
end $$;

create function payments.claim_due(budget integer) returns jsonb language sql set search_path = '' as $$
    with due as (
        select p.id from payments.payments p
         where p.status in ('initiating', 'pending', 'unknown') and p.next_check_at <= now() and p.provider_payment_id is not null
         order by p.next_check_at limit budget for update skip locked
    ), claimed as (
        update payments.payments p set checks = p.checks + 1,
               -- Without any answer after a day: ever more rarely, so that lost rows cannot eat the budget.
               next_check_at = greatest(now() + interval '5 minutes' * power(2, least(greatest(p.checks - 3, 0), 9)),
                   p.created_at + (array[interval '1 hour', interval '6 hours', interval '24 hours'])[least(p.checks + 1, 3)])
          from due where p.id = due.id returning p.provider, p.provider_payment_id
    ), events as (
        select e.received_at, e.id from payments.payment_events e
         where e.processed_at is null and e.next_attempt_at <= now()
         order by e.next_attempt_at limit greatest(0, budget - (select count(*) from claimed)) for update skip locked
    ), tried as (
        update payments.payment_events e set attempts = e.attempts + 1,
               next_attempt_at = now() + least(interval '1 minute' * power(2, e.attempts), interval '6 hours'),
               processed_at = case when e.attempts >= 9 then now() end,
               outcome = case when e.attempts >= 9 then 'dead_letter' else e.outcome end
          from events where e.received_at = events.received_at and e.id = events.id
        returning e.provider, e.provider_payment_id, e.outcome
    )
    select jsonb_build_object('dead', coalesce((select jsonb_agg(distinct t.provider_payment_id) from tried t where t.outcome = 'dead_letter'), '[]'),
        'due', coalesce((select jsonb_agg(distinct jsonb_build_object('provider', d.provider, 'provider_payment_id', d.provider_payment_id))
        from (select provider, provider_payment_id from claimed
              union select provider, provider_payment_id from tried) d), '[]'))
$$;

create function payments.sweep(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    claimed jsonb;
    dead text;
begin
    begin
        perform core.keep_partitions();
    exception when others then
        -- Months are made ahead: a failure here is for people to look at, and holds up no money.
        perform payments.alert('partitions', to_char(now(), 'YYYYMMDD'), jsonb_build_object('cause', sqlerrm));
    end;
    -- Nobody came back with an id: it may exist at the provider. After a day only its own webhook can revive it.
    update payments.payments p set status = case when p.created_at < now() - interval '24 hours' then 'expired' else 'unknown' end,
           next_check_at = case when p.created_at < now() - interval '24 hours' then null else p.created_at + interval '24 hours' end
     where p.provider_payment_id is null and p.next_check_at <= now() and p.status in ('initiating', 'unknown');
    claimed := payments.claim_due(payments.reserve_calls('moneroo', 100));
    for dead in select jsonb_array_elements_text(claimed -> 'dead') loop
        perform payments.alert('dead_letter', dead, '{}');
    end loop;
    return claimed - 'dead';
end $$;
comment on function payments.sweep is
    'Claims what is due, each row for one sweeper; the provider''s minute budget is reserved even when fewer are due.';

create function api.payment_attach(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.attach(ask);
create function api.payment_mark(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.mark(ask);
create function api.payment_event(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.store_event(ask);
create function api.payment_settle(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.settle(ask);
create function api.payment_sweep(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.sweep(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.attach(jsonb), payments.mark(jsonb), payments.store_event(jsonb), payments.settle(jsonb),
    payments.sweep(jsonb), api.payment_attach(jsonb), api.payment_mark(jsonb), api.payment_event(jsonb),
    api.payment_settle(jsonb), api.payment_sweep(jsonb) to service_role;
