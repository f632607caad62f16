-- Reconciliation: provider against payment against ledger, and what differs written down where people see it.
-- Why:       a settlement that was right when it was made can still be contradicted by a statement, a dashboard or a fault of ours.
-- Locks:     the payment being compared; one row per provider and minute.
-- Old code:  nothing calls these yet.
-- Undo:      drop view api.admin_reconciliation, api.admin_dead_letters; drop the tables and functions created here.

create table payments.reconciliation_runs (
    id          bigint generated always as identity primary key,
    started_at  timestamptz not null default now(),
    checked     integer not null,
    differences integer not null
);
comment on table payments.reconciliation_runs is
    'Comparisons of our own rows with our own ledger; the providers are asked in between.';
alter table payments.reconciliation_runs enable row level security;

create table payments.reconciliation_differences (
    id          uuid primary key default gen_random_uuid(),
    object_type text not null check (object_type in ('payment', 'payout', 'refund', 'dispute')),
    object_id   text not null,
    kind        text not null check (kind in ('unknown', 'unanswered', 'status', 'amount', 'currency', 'environment', 'refunded',
                    'ledger')),
    expected    text,
    found       text,
    first_seen  timestamptz not null default now(),
    last_seen   timestamptz not null default now(),
    resolved_at timestamptz,
    constraint difference_once unique (object_type, object_id, kind)
);
create index differences_open on payments.reconciliation_differences (first_seen) where resolved_at is null;
alter table payments.reconciliation_differences enable row level security;
insert into core.settings (key, value, unit, description) values
    ('reconcile_after_s', 3600, 's', 'a payment that ended is compared with its provider this long after it was begun'),
    ('reconcile_books_every_s', 86400, 's', 'our rows are compared with our ledger at least this often');

create function payments.compare(object_type text, object_id text, kind text, should text, is_so text)
    returns integer language plpgsql set search_path = '' as $$
begin
    if should is not distinct from is_so then
        update payments.reconciliation_differences d set resolved_at = now()
         where d.object_type = compare.object_type and d.object_id = compare.object_id and d.kind = compare.kind and d.resolved_at is null;
        return 0;
    end if;
    insert into payments.reconciliation_differences (object_type, object_id, kind, expected, found)
    values (object_type, object_id, kind, should, is_so)
    on conflict on constraint difference_once do update
       set expected = excluded.expected, found = excluded.found, last_seen = now(), resolved_at = null;
    perform payments.alert('reconciliation', object_type || ':' || object_id || ':' || kind,
        jsonb_build_object('expected', should, 'found', is_so));
    return 1;
end $$;
comment on function payments.compare is
    'One row per object and kind, for ever: open while it differs, resolved when it no longer does.';

-- ---------------------------------------------------------------------------------------------------- rows and ledger

create function payments.cleared(currency text, reference_type text, reference_id text, types text[], since timestamptz, until timestamptz)
    returns bigint language sql stable set search_path = '' as $$
    -- By account and time, so that the index finds a handful of lines among all.
    select coalesce(sum(e.amount), 0)::bigint from ledger.references r
      join ledger.entries e on e.transaction_id = r.transaction_id
       and e.account_id = ledger.platform_account('provider_clearing', cleared.currency)
       and e.created_at between cleared.since and cleared.until
     where r.reference_type = cleared.reference_type and r.reference_id = cleared.reference_id
       and (types is null or r.type = any (types))
$$;

create function payments.compare_payment(p payments.payments) returns integer language sql set search_path = '' as $$
    select payments.compare('payment', p.id::text, 'ledger', (-p.verified_amount)::text,
        (payments.cleared(p.verified_currency, 'payment', p.id::text, null, p.verified_at, p.verified_at + interval '10 minutes')
         + case when p.purpose = 'ride' and p.settlement in ('settled', 'overpaid') then payments.cleared(p.verified_currency, 'ride',
               p.purpose_id::text, '{ride_payment}', p.verified_at, p.verified_at + interval '10 minutes') else 0 end)::text)
$$;

create function payments.compare_payout(o payments.payouts) returns integer language sql set search_path = '' as $$
    select payments.compare('payout', o.id::text, 'ledger',
        case when o.returned and payments.reversal_covers(o) then 0 else o.amount end::text,
        payments.cleared(o.currency, 'payout', o.id::text, null, o.completed_at, o.completed_at + interval '10 minutes')::text)
$$;

create function payments.compare_refund(r payments.payment_refunds) returns integer language sql set search_path = '' as $$
    -- What the provider took back lies against it; any other refund went through our own accounts, and must have been posted.
    select payments.compare('refund', r.id::text, 'ledger',
        case r.destination when 'provider' then r.amount + r.excess - r.from_suspense else 0 end::text,
        case when r.destination = 'provider' or exists (select from ledger.references l where l.reference_type = 'payment_refund'
                and l.reference_id = r.id::text and l.type = 'refund')
            then payments.cleared(r.currency, 'payment_refund', r.id::text, null, r.created_at, r.created_at + interval '10 minutes')
            end::text)
$$;

create function payments.compare_dispute(d payments.disputes) returns integer language sql set search_path = '' as $$
    select payments.compare('dispute', d.id::text, 'ledger',
        case when not d.booked then 0 when d.state = 'won' then -d.from_suspense else d.amount - d.from_suspense end::text,
        payments.cleared(d.currency, 'dispute', d.id::text, null, d.created_at, clock_timestamp())::text)
$$;

create function payments.reconcile_books(since timestamptz) returns jsonb language plpgsql set search_path = '' as $$
declare
    counted record;
begin
    select count(*)::integer as checked, coalesce(sum(c.differs), 0)::integer as differences into counted from (
        select payments.compare_payment(p) as differs from payments.payments p where p.settlement <> 'none' and p.verified_at >= since
        union all
        select payments.compare_payout(o) from payments.payouts o where o.status = 'completed' and o.completed_at >= since
        union all
        select payments.compare_refund(r) from payments.payment_refunds r where r.created_at >= since
        union all
        select payments.compare_dispute(d) from payments.disputes d where coalesce(d.closed_at, d.created_at) >= since) c;
    insert into payments.reconciliation_runs (checked, differences) values (counted.checked, counted.differences);
    return to_jsonb(counted);
end $$;
comment on function payments.reconcile_books is
    'What has come and gone since then, each against its lines at the providers'' account.';

-- ----------------------------------------------------------------------------------------------- the provider's books

create function payments.claim_unreconciled(provider text, quota integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    p payments.payments;
    due jsonb := '[]';
begin
    for p in
        select * from payments.payments x
         where x.provider = claim_unreconciled.provider and x.reconciled_at is null and x.provider_payment_id is not null
           and x.status in ('success', 'refunded', 'failed', 'cancelled', 'expired')
           and coalesce(x.reconcile_after, x.created_at + make_interval(secs => core.setting('reconcile_after_s'))) <= now()
         order by x.created_at limit quota for update skip locked
    loop
        if p.reconcile_tries >= 10 then
            perform payments.compare('payment', p.id::text, 'unanswered', 'an answer', 'none in ten questions');
            update payments.payments x set reconciled_at = now() where x.id = p.id;
        else
            update payments.payments x set reconcile_tries = x.reconcile_tries + 1,
                   reconcile_after = now() + least(interval '1 hour' * power(2, x.reconcile_tries), interval '1 day') where x.id = p.id;
            due := due || payments.reference_of(p);
        end if;
    end loop;
    return due;
end $$;

create function payments.reconcile_claim(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    providers text[] := array(select payments.asked_providers(ask));
    spare integer := least(coalesce((ask ->> 'limit')::integer, 60), 200);
    last_run timestamptz := (select max(r.started_at) from payments.reconciliation_runs r);
    claimed jsonb;
    due jsonb := '[]';
begin
    if coalesce(last_run <= now() - make_interval(secs => core.setting('reconcile_books_every_s')), true) then
        -- A day over: what was open while the last one ran is looked at again.
        perform payments.reconcile_books(coalesce(last_run - interval '1 day', '-infinity'));
    end if;
    for i in 1 .. cardinality(providers) loop
        claimed := payments.claim_unreconciled(providers[i], least(payments.calls_left(providers[i]),
            (spare + cardinality(providers) - i) / (cardinality(providers) - i + 1)));
        perform payments.calls_made(providers[i], jsonb_array_length(claimed));
        spare := spare - jsonb_array_length(claimed);
        due := due || claimed;
    end loop;
    return jsonb_build_object('due', due);
end $$;
comment on function payments.reconcile_claim is
    'Payments that ended and were not compared yet, within each provider''s rate; and, once a day, our own books.';

create function payments.look_again(provider text, subject text, id text, why text) returns void language plpgsql set search_path = '' as $$
begin
    insert into payments.event_keys (provider, dedupe_key) values (look_again.provider, 'look_again|' || why) on conflict do nothing;
    if found then
        insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, next_attempt_at)
        values (look_again.provider, 'look_again|' || why, 'look_again', look_again.subject, id, '', '{}', now());
    end if;
end $$;
comment on function payments.look_again is
    'As if a notification had come, so that the sweep asks the provider and settles on its answer. Once for each reason.';

create function payments.compare_refunded(p payments.payments, said bigint) returns integer language plpgsql set search_path = '' as $$
declare
    -- As payments.note_refunded counts them; what is still on its way may be there already, or not yet.
    gone record;
begin
    select coalesce(sum(r.amount + r.excess) filter (where r.status = 'succeeded'), 0)::bigint as least,
           coalesce(sum(r.amount + r.excess) filter (where r.status <> 'failed'), 0)::bigint as most into gone
      from payments.payment_refunds r left join payments.payouts o on o.payment_refund_id = r.id
     where r.payment_id = p.id
       and (r.destination = 'provider' or r.destination = 'original' and coalesce(o.provider, p.provider) = p.provider);
    if said > gone.most then
        perform payments.look_again(p.provider, 'payment', p.provider_payment_id, 'reconcile|' || p.id || '|' || said);
    end if;
    return payments.compare('payment', p.id::text, 'refunded', gone.least::text,
        case when said between gone.least and gone.most then gone.least else said end::text);
end $$;
comment on function payments.compare_refunded is
    'More there than here is settled by the sweep; less (a card that could not be credited) is for people.';

create function payments.reconcile(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    p payments.payments;
    paid text := case ask ->> 'status' when 'success' then 'paid' else 'not paid' end;
    counted integer;
begin
    select * into p from payments.payments x
     where x.provider = ask ->> 'provider' and x.provider_payment_id = ask ->> 'provider_payment_id' for update;
    if p.id is null then
        return jsonb_build_object('differences', payments.compare('payment', concat_ws(':', ask ->> 'provider',
            ask ->> 'provider_payment_id'), 'unknown', 'a payment of ours', 'none'));
    end if;
    counted := payments.compare('payment', p.id::text, 'status',
        case when p.settlement <> 'none' then 'paid' else 'not paid' end, paid);
    perform payments.compare('payment', p.id::text, 'unanswered', null, null);
    if p.settlement <> 'none' and paid = 'paid' then
        counted := counted + payments.compare('payment', p.id::text, 'currency', p.verified_currency, ask ->> 'currency')
            + payments.compare('payment', p.id::text, 'amount', p.verified_amount::text,
                payments.from_provider(p.provider, ask ->> 'currency', (ask ->> 'amount')::bigint)::text)
            + payments.compare('payment', p.id::text, 'environment', p.environment, ask ->> 'environment')
            + payments.compare_payment(p)
            + case when coalesce(jsonb_typeof(ask -> 'refunded'), 'null') = 'number' then payments.compare_refunded(p,
                payments.from_provider(p.provider, p.verified_currency, (ask ->> 'refunded')::bigint)) else 0 end;
    elsif paid = 'paid' then
        perform payments.look_again(p.provider, 'payment', p.provider_payment_id, 'reconcile|' || p.id);
    end if;
    update payments.payments x set reconciled_at = case when counted = 0 then now() end, reconcile_tries = 0,
           reconcile_after = now() + interval '1 day' where x.id = p.id;
    return jsonb_build_object('differences', counted);
end $$;

-- -------------------------------------------------------------------------------------------------------------- seeing

create function payments.reconciliation_report() returns jsonb language sql stable security definer set search_path = '' as $$
    select jsonb_build_object(
        'last_run', (select to_jsonb(r) - 'id' from payments.reconciliation_runs r order by r.id desc limit 1),
        'open', (select count(*) from payments.reconciliation_differences d where d.resolved_at is null),
        'resolved', (select count(*) from payments.reconciliation_differences d where d.resolved_at is not null),
        'unreconciled', (select count(*) from payments.payments p where p.reconciled_at is null
            and p.status in ('success', 'refunded', 'failed', 'cancelled', 'expired') and p.provider_payment_id is not null),
        'dead_letters', (select count(*) from payments.payment_events e where e.outcome = 'dead_letter'),
        'kinds', coalesce((select jsonb_agg(to_jsonb(k) order by k.object_type, k.kind) from (
            select d.object_type, d.kind, count(*) as open, min(d.first_seen) as oldest
              from payments.reconciliation_differences d where d.resolved_at is null group by 1, 2) k), '[]'))
$$;

create function payments.differences_seen() returns setof payments.reconciliation_differences
    language sql stable security definer set search_path = '' as $$
    select d.* from payments.reconciliation_differences d where (select people.has_role(auth.uid(), 'admin', 'pdg'))
$$;
create function payments.dead_letters() returns setof payments.payment_events language sql stable security definer set search_path = '' as $$
    select e.* from payments.payment_events e where (select people.has_role(auth.uid(), 'admin', 'pdg')) and e.outcome = 'dead_letter'
$$;
comment on function payments.dead_letters is
    'Events that nobody could finish in ten attempts, to staff; nothing to anybody else.';
create view api.admin_reconciliation with (security_invoker = true) as
    select id, object_type, object_id, kind, expected, found, first_seen, last_seen, resolved_at from payments.differences_seen();
create view api.admin_dead_letters with (security_invoker = true) as
    select id, provider, event, subject, provider_payment_id, attempts, received_at, processed_at from payments.dead_letters();

create function api.payment_reconcile_claim(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.reconcile_claim(ask);
create function api.payment_reconcile(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.reconcile(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.reconcile_claim(jsonb), payments.reconcile(jsonb), payments.reconciliation_report(),
    api.payment_reconcile_claim(jsonb), api.payment_reconcile(jsonb) to service_role;
grant execute on function payments.differences_seen(), payments.dead_letters() to authenticated;
grant select on api.admin_reconciliation, api.admin_dead_letters to authenticated;
