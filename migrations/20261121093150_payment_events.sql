-- The provider's word, on arrival: its id on our row, and the inbox of its notifications.
-- Why:       an event is stored once, for ever, before it is answered; what it says is looked up, never believed.
-- Locks:     the payment row.
-- Old code:  payments begun before this have status initiating and are swept.
-- Undo:      drop the tables and functions created here.

create function payments.alert(kind text, target text, details jsonb) returns void language sql set search_path = '' as $$
    select core.outbox_add('alert', jsonb_build_object('type', kind, 'target', target) || details, kind || ':' || target)
$$;

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
    subject             text not null check (subject in ('payment', 'payout', 'other')),
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
comment on column payments.payment_events.provider_payment_id is 'The provider''s id of the subject: of a payment or of a payout.';
create index payment_events_open on payments.payment_events (provider, provider_payment_id) where processed_at is null;
create index payment_events_due on payments.payment_events (provider, next_attempt_at) where processed_at is null;
alter table payments.payment_events enable row level security;
select core.make_partitions('payments.payment_events', 12);

create function payments.prove(p payments.payments, ask jsonb) returns void language plpgsql set search_path = '' as $$
declare
    token text := p.provider_data ->> 'notif_token';
    proof text := ask ->> 'proof';
begin
    if token is null and ask ->> 'provider' <> 'orange_money' then
        return;
    end if;
    -- Both must be there: null never equals null. Digests, so that the time it takes says nothing.
    if token is null or proof is null or length(token) = 0
        or sha256(convert_to(token, 'UTF8')) <> sha256(convert_to(proof, 'UTF8')) then
        perform core.refuse('INVALID_SIGNATURE', 403, 'the signature is missing or wrong');
    end if;
end $$;
comment on function payments.prove is
    'Orange signs nothing: its notification must show the token that it gave us for this very payment.';

create function payments.worth_asking(p payments.payments) returns jsonb language plpgsql set search_path = '' as $$
begin
    update payments.payments x set asked_at = now() where x.id = p.id and x.settlement = 'none'
       and coalesce(x.asked_at, '-infinity') < now() - make_interval(secs => core.setting('payment_ask_every_s'));
    return case when found then payments.reference_of(p) end;
end $$;
comment on function payments.worth_asking is
    'Known news of a payment that is not settled: the first time it came too early, or lied. Worth one more question, not fifty.';

create function payments.store_event(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    subject text := coalesce(ask ->> 'subject', 'payment');
    p payments.payments;
begin
    select * into p from payments.payments x
     where x.provider = ask ->> 'provider' and x.provider_payment_id = ask ->> 'provider_payment_id' and subject = 'payment';
    perform payments.prove(p, ask);
    insert into payments.event_keys (provider, dedupe_key) values (ask ->> 'provider', ask ->> 'dedupe_key')
        on conflict do nothing;
    if not found then
        return jsonb_build_object('duplicate', true, 'reference', payments.worth_asking(p));
    end if;
    insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, processed_at, outcome)
    values (ask ->> 'provider', ask ->> 'dedupe_key', ask ->> 'event', subject, ask ->> 'provider_payment_id', ask ->> 'body',
        ask -> 'headers', case subject when 'other' then now() end, case subject when 'other' then 'stored' end);
    if not (ask ->> 'known_event')::boolean then
        perform payments.alert('unknown_event', ask ->> 'provider_payment_id', jsonb_build_object('event', ask ->> 'event'));
    end if;
    return jsonb_build_object('duplicate', false, 'reference', case
        when subject = 'payout' then payments.payout_named(ask ->> 'provider', ask ->> 'provider_payment_id')
        when p.id is not null then payments.reference_of(p) end);
end $$;
comment on function payments.store_event is
    'reference: what to ask the provider about; null when the id is none of ours yet. Nothing is stored without its proof.';

create function payments.finish_events(provider text, provider_payment_id text, outcome text, as_of timestamptz default null)
    returns void language sql set search_path = '' as $$
    -- What arrived after the question was asked may be news to its answer, and keeps its turn.
    update payments.payment_events e set processed_at = now(), outcome = finish_events.outcome
     where e.provider = finish_events.provider and e.provider_payment_id = finish_events.provider_payment_id
       and e.processed_at is null and e.received_at <= coalesce(as_of, 'infinity')
$$;

create function payments.orphan_events(provider text, provider_payment_id text) returns void language sql set search_path = '' as $$
    -- They stay open: attempts are counted where the sweep claims.
    update payments.payment_events e set outcome = 'orphan'
     where e.provider = orphan_events.provider and e.provider_payment_id = orphan_events.provider_payment_id
       and e.processed_at is null
$$;

create function payments.waiting_events(provider text, provider_payment_id text) returns boolean
    language sql stable set search_path = '' as $$
    select exists (select from payments.payment_events e where e.provider = waiting_events.provider
        and e.provider_payment_id = waiting_events.provider_payment_id and e.processed_at is null)
$$;

-- ------------------------------------------------------------------------------------------------- the provider's answer

create function payments.ended(p payments.payments) returns void language plpgsql set search_path = '' as $$
begin
    if p.purpose = 'ride' then
        perform taxi.provider_payment_ended(p.purpose_id, p.id);
    end if;
end $$;
comment on function payments.ended is
    'Failed, cancelled, expired, or paid in a way that does not serve its purpose: what waits for this payment waits no longer.';

create function payments.attach(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    own payments.payments;
begin
    update payments.payments p
       set provider_payment_id = ask ->> 'provider_payment_id', checkout_url = ask ->> 'checkout_url',
           environment = ask ->> 'environment', attached_at = now(),
           provider_data = coalesce((select jsonb_object_agg(d.key, d.value)
               from jsonb_each(case jsonb_typeof(ask -> 'data') when 'object' then ask -> 'data' else '{}' end) d
              where jsonb_typeof(d.value) = 'string'), '{}'),
           -- Adopted by its webhook before we came back: success stays.
           status = case when p.status in ('initiating', 'unknown') then 'pending' else p.status end
     where p.id = core.uuid_field(ask, 'payment_id')
       and (p.provider_payment_id is null or p.provider_payment_id = ask ->> 'provider_payment_id')
    returning * into own;
    if not found then
        raise exception 'payment % is attached to another provider id', ask ->> 'payment_id';
    end if;
    return jsonb_build_object('status', own.status, 'reference', payments.reference_of(own),
        'waiting_events', payments.waiting_events(own.provider, own.provider_payment_id));
end $$;

create function payments.mark(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    own payments.payments;
    marked boolean;
begin
    if ask ->> 'status' not in ('failed', 'unknown') then
        raise exception 'an attempt ends failed or unknown, not %', ask ->> 'status';
    end if;
    -- Only from initiating: a slow answer never takes back what a webhook has confirmed.
    update payments.payments p set status = ask ->> 'status',
           next_check_at = case ask ->> 'status' when 'failed' then null else p.next_check_at end
     where p.id = core.uuid_field(ask, 'payment_id') and p.status = 'initiating' returning * into own;
    marked := found;
    if own.status = 'failed' then
        perform payments.ended(own);
    end if;
    return jsonb_build_object('marked', marked);
end $$;

create function payments.found(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    own payments.payments;
begin
    update payments.payments p set provider_payment_id = ask ->> 'provider_payment_id', environment = ask ->> 'environment'
     where p.id = core.uuid_field(ask, 'payment_id') and p.provider_payment_id is null
       and p.status in ('initiating', 'unknown', 'failed', 'cancelled', 'expired') returning * into own;
    return jsonb_build_object('found', own.id is not null, 'reference', case when own.id is not null then payments.reference_of(own) end);
exception when unique_violation then
    -- The search led to a payment that is another row's: nobody may have it twice.
    perform payments.alert('found_twice', ask ->> 'payment_id', jsonb_build_object('provider_payment_id', ask ->> 'provider_payment_id'));
    return jsonb_build_object('found', false, 'reference', null);
end $$;
comment on function payments.found is 'Stores the id that a search by our own id found, while there is none.';

create function api.payment_attach(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.attach(ask);
create function api.payment_mark(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.mark(ask);
create function api.payment_found(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.found(ask);
create function api.payment_event(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.store_event(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.attach(jsonb), payments.mark(jsonb), payments.found(jsonb), payments.store_event(jsonb),
    api.payment_attach(jsonb), api.payment_mark(jsonb), api.payment_found(jsonb), api.payment_event(jsonb) to service_role;
