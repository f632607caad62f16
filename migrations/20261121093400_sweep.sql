-- The sweep: what nobody told us is asked about, each row by one sweeper, within each provider's rate.
-- Why:       webhooks are lost for good after half an hour; without this, money that arrived would stay unseen.
-- Locks:     due rows with skip locked; one row per provider and minute, in the order of their names.
-- Old code:  nothing earlier exists.
-- Undo:      drop table payments.provider_calls; drop the functions created here.

create table payments.provider_calls (
    provider text not null,
    minute   timestamptz not null,
    calls    integer not null check (calls >= 0),
    primary key (provider, minute)
);
alter table payments.provider_calls enable row level security;

create function payments.calls_left(provider text) returns integer language plpgsql set search_path = '' as $$
declare
    this_minute timestamptz := date_trunc('minute', now());
    used integer;
begin
    insert into payments.provider_calls values (provider, this_minute, 0) on conflict do nothing;
    select c.calls into used from payments.provider_calls c
     where c.provider = calls_left.provider and c.minute = this_minute for update;
    return greatest(0, (select p.calls_per_minute from payments.providers p where p.name = calls_left.provider) - used);
end $$;
comment on function payments.calls_left is 'Of this minute, and its row locked until calls_made has said how many were taken.';

create function payments.calls_made(provider text, made integer) returns void language sql set search_path = '' as $$
    update payments.provider_calls c set calls = c.calls + made
     where c.provider = calls_made.provider and c.minute = date_trunc('minute', now())
$$;

create function payments.asked_providers(ask jsonb) returns setof text language sql stable set search_path = '' as $$
    -- In one order for everybody who counts calls.
    select p.name from payments.providers p
     where p.name in (select jsonb_array_elements_text(coalesce(ask -> 'providers', '[]'))) order by p.name
$$;

-- ------------------------------------------------------------------------------------------------------------ claiming

create function payments.claim_payments(provider text, quota integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    p payments.payments;
    own payments.payments;
    claimed jsonb := '[]';
begin
    for p in
        select * from payments.payments x
         where x.provider = claim_payments.provider and x.status in ('initiating', 'pending', 'unknown') and x.next_check_at <= now()
         order by x.next_check_at limit quota for update skip locked
    loop
        -- Nobody came back with an answer, and in a day nobody found it: only its own webhook can revive it.
        update payments.payments x set checks = x.checks + 1,
               status = case when x.status = 'pending' then x.status
                   when x.checks >= 4 or x.provider_payment_id is null and x.created_at < now() - interval '24 hours' then 'expired'
                   else 'unknown' end,
               -- Without any answer after a day: ever more rarely, so that lost rows cannot eat the budget.
               next_check_at = greatest(now() + interval '5 minutes' * power(2, least(greatest(x.checks - 3, 0), 9)),
                   x.created_at + (array[interval '1 hour', interval '6 hours', interval '24 hours'])[least(x.checks + 1, 3)])
         where x.id = p.id returning * into own;
        if own.status = 'expired' then
            update payments.payments x set next_check_at = null where x.id = own.id;
            perform payments.ended(own);
        end if;
        claimed := claimed || (payments.reference_of(own) || jsonb_build_object('lost', own.provider_payment_id is null));
    end loop;
    return claimed;
end $$;
comment on function payments.claim_payments is
    '5 minutes, 1, 6 and 24 hours after the beginning. lost: without an id at the provider, to be searched for there.';

create function payments.claim_events(provider text, quota integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    e payments.payment_events;
    claimed jsonb := '[]';
begin
    for e in
        select * from payments.payment_events x
         where x.provider = claim_events.provider and x.processed_at is null and x.next_attempt_at <= now()
         order by x.next_attempt_at limit quota for update skip locked
    loop
        update payments.payment_events x set attempts = x.attempts + 1,
               next_attempt_at = now() + least(interval '1 minute' * power(2, x.attempts), interval '6 hours'),
               processed_at = case when x.attempts >= 9 then now() end,
               outcome = case when x.attempts >= 9 then 'dead_letter' else x.outcome end
         where x.received_at = e.received_at and x.id = e.id;
        if e.attempts >= 9 then
            perform payments.alert('dead_letter', e.provider_payment_id, jsonb_build_object('provider', e.provider, 'event', e.event));
        end if;
        claimed := claimed || jsonb_build_object('subject', e.subject, 'id', e.provider_payment_id);
    end loop;
    return claimed;
end $$;

create function payments.named(provider text, id text) returns jsonb language sql stable set search_path = '' as $$
    select coalesce((select payments.reference_of(p) from payments.payments p where p.provider = named.provider
                        and p.provider_payment_id = named.id),
        jsonb_build_object('provider', provider, 'provider_payment_id', id, 'payment_id', null, 'amount', 0, 'exponent', 0,
            'currency', '', 'data', '{}'::jsonb, 'exponents', payments.exponents_of(provider), 'as_of', now())) || '{"lost": false}'
$$;
comment on function payments.named is 'For an id that is none of ours too: its signed tag may say whose it is.';

create function payments.sweep_one(provider text, quota integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    payouts jsonb := payments.claim_payouts_due(provider, quota / 2);   -- Money on its way out is never starved.
    paid jsonb := payments.claim_payments(provider, quota - jsonb_array_length(payouts));
    events jsonb := payments.claim_events(provider, quota - jsonb_array_length(payouts) - jsonb_array_length(paid));
begin
    select coalesce(jsonb_agg(distinct d.due), '[]') into paid from (
        select due from jsonb_array_elements(paid) due
        union all
        -- What is due anyway is not asked about twice.
        select payments.named(provider, e ->> 'id') from jsonb_array_elements(events) e
         where e ->> 'subject' = 'payment'
           and not exists (select from jsonb_array_elements(paid) d where d ->> 'provider_payment_id' = e ->> 'id')) d;
    select coalesce(jsonb_agg(distinct d.due), '[]') into payouts from (
        select due from jsonb_array_elements(payouts) due
        union all
        select coalesce(payments.payout_named(provider, e ->> 'id'), payments.unknown_payout(provider, e ->> 'id'))
          from jsonb_array_elements(events) e where e ->> 'subject' = 'payout') d;
    return jsonb_build_object('payments', paid, 'payouts', payouts);
end $$;

-- --------------------------------------------------------------------------------------------------------------- sweep

create function payments.keep_house() returns void language plpgsql set search_path = '' as $$
begin
    delete from payments.provider_calls c where c.minute < now() - interval '1 hour';
    perform core.keep_partitions();
exception when others then
    -- Months are made ahead: a failure here is for people to look at, and holds up no money.
    perform payments.alert('partitions', to_char(now(), 'YYYYMMDD'), jsonb_build_object('cause', sqlerrm));
end $$;

create function payments.sweep(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    providers text[] := array(select payments.asked_providers(ask));
    spare integer := 100;
    part jsonb;
    claimed jsonb := '{"payments": [], "payouts": []}';
    taken integer;
begin
    perform payments.keep_house();
    perform payments.lose_payouts();
    for i in 1 .. cardinality(providers) loop
        -- An equal part of what is left, so that no name in the alphabet goes hungry.
        part := payments.sweep_one(providers[i], least(payments.calls_left(providers[i]),
            (spare + cardinality(providers) - i) / (cardinality(providers) - i + 1)));
        taken := jsonb_array_length(part -> 'payments') + jsonb_array_length(part -> 'payouts');
        perform payments.calls_made(providers[i], taken);
        spare := spare - taken;
        claimed := jsonb_build_object('payments', (claimed -> 'payments') || (part -> 'payments'),
            'payouts', (claimed -> 'payouts') || (part -> 'payouts'));
    end loop;
    return claimed;
end $$;
comment on function payments.sweep is
    'Claims at most 100 rows of the providers whose keys are there: payments due, events that wait, payouts without an end. It
     begins nothing, sends nothing, and calls nothing failed because of our own time-out.';

create function api.payment_sweep(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.sweep(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.sweep(jsonb), api.payment_sweep(jsonb) to service_role;
