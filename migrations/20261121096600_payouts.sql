-- Payouts on their way: which rail takes them, claiming, and what sending came to.
-- Why:       no provider of ours knows a payout twice, so it is claimed before it is sent and sent at most once.
-- Locks:     payout rows with skip locked; one row per provider and minute.
-- Old code:  payouts requested before this are pending and are claimed.
-- Undo:      drop table payments.payout_rails; drop the functions created here.

create table payments.payout_rails (
    currency        text not null references core.currencies (code),
    method          text not null check (method ~ '^[a-z0-9_]{2,40}$'),
    phone_prefix    text not null check (phone_prefix ~ '^[0-9]{0,6}$'),
    provider        text not null references payments.providers (name),
    provider_method text not null,
    enabled         boolean not null default true,
    primary key (currency, method, phone_prefix)
);
comment on table payments.payout_rails is
    'Which provider pays a method out. No row: manual. Guinea has none: an admin pays and settles it.';
comment on column payments.payout_rails.phone_prefix is 'The country of the number, for words that several countries share.';
create index payout_rails_provider on payments.payout_rails (provider);
alter table payments.payout_rails enable row level security;
-- By the provider's own code, and by the word that a client says without knowing countries.
insert into payments.payout_rails (currency, method, phone_prefix, provider, provider_method)
select r.currency, m.method, r.prefix, 'moneroo', r.word || '_' || r.country
  from (values ('XOF', '225', 'ci', '{mtn,orange,wave,moov}'::text[]), ('XOF', '221', 'sn', '{orange,wave}'),
               ('XOF', '229', 'bj', '{mtn,moov}'), ('XOF', '223', 'ml', '{orange}'), ('XOF', '228', 'tg', '{moov}'),
               ('XAF', '237', 'cm', '{mtn,orange}'), ('GHS', '233', 'gh', '{mtn}'), ('NGN', '234', 'ng', '{mtn,airtel}'),
               ('RWF', '250', 'rw', '{mtn,airtel}'), ('UGX', '256', 'ug', '{mtn,airtel}'), ('KES', '254', 'ke', '{mpesa}'),
               ('TZS', '255', 'tz', '{mpesa,airtel}')) as l (currency, prefix, country, words)
 cross join lateral (select l.currency, l.prefix, l.country, unnest(l.words) as word) r
 cross join lateral unnest(array[r.word || '_' || r.country] || case r.word when 'mtn' then array['mtn_momo', 'mtn_money']
     when 'orange' then array['orange_money'] when 'wave' then array['wave'] when 'moov' then array['moov_money']
     when 'airtel' then array['airtel_money'] else array['mpesa'] end) m (method);
insert into payments.payout_rails (currency, method, phone_prefix, provider, provider_method)
values ('USD', 'moneroo_payout_demo', '', 'moneroo', 'moneroo_payout_demo');

create function payments.rail_of(o payments.payouts) returns payments.payout_rails language plpgsql stable set search_path = '' as $$
declare
    rail payments.payout_rails;
begin
    select * into rail from payments.payout_rails r
     where r.currency = o.currency and r.method = o.method and r.enabled and starts_with(o.destination, r.phone_prefix)
     order by length(r.phone_prefix) desc limit 1;
    if o.provider is not null then
        rail.provider := o.provider;   -- Given with the row: a refund goes back through who took the money.
        rail.provider_method := coalesce(rail.provider_method, o.method);
    end if;
    if payments.to_provider(rail.provider, o.currency, o.amount) is null then
        return null;   -- The provider cannot say this amount: a person pays it.
    end if;
    return rail;
end $$;
comment on function payments.rail_of is 'Null: no automatic rail.';

-- -------------------------------------------------------------------------------------------------------- as sent

create function payments.payout_object(o payments.payouts) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('payout_id', o.id, 'provider', o.provider, 'provider_payout_id', o.provider_payout_id,
        'amount', coalesce(payments.to_provider(o.provider, o.currency, o.amount), 0), 'exponent', coalesce(r.exponent, 0),
        'currency', o.currency, 'method', coalesce((payments.rail_of(o)).provider_method, o.method), 'destination', o.destination,
        'customer', (select jsonb_strip_nulls(jsonb_build_object('email', p.email, 'first_name', coalesce(p.first_name, p.public_id),
            'last_name', coalesce(p.last_name, p.public_id))) from people.profiles p where p.id = o.user_id))
      from (select 1) one left join payments.provider_currencies r on r.provider = o.provider and r.currency = o.currency
$$;

create function payments.payout_named(provider text, id text) returns jsonb language sql stable set search_path = '' as $$
    select payments.payout_object(o) from payments.payouts o
     where o.provider = payout_named.provider and o.provider_payout_id = payout_named.id
$$;

create function payments.unknown_payout(provider text, id text) returns jsonb language sql immutable set search_path = '' as $$
    select jsonb_build_object('payout_id', '', 'provider', provider, 'provider_payout_id', id, 'amount', 0, 'exponent', 0,
        'currency', '', 'method', '', 'destination', '', 'customer', '{}'::jsonb)
$$;
comment on function payments.unknown_payout is 'For an event whose id is none of ours yet: its signed tag may say whose it is.';

-- --------------------------------------------------------------------------------------------------------------- claim

create function payments.refer_to_people(batch integer) returns integer language plpgsql set search_path = '' as $$
declare
    referred integer;
begin
    update payments.payouts o set status = 'manual' where o.id in (
        select x.id from payments.payouts x where x.status = 'pending' and (payments.rail_of(x)).provider is null
         order by x.created_at, x.id limit batch for update skip locked);
    get diagnostics referred = row_count;
    return referred;
end $$;

create function payments.claim_payouts(providers text[], batch integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    spare jsonb := (select coalesce(jsonb_object_agg(p.name, payments.calls_left(p.name)), '{}') from unnest(providers) p (name));
    o payments.payouts;
    rail payments.payout_rails;
    due jsonb := '[]';
begin
    for o in
        select x.* from payments.payouts x
         where x.status = 'pending' and coalesce((spare ->> (payments.rail_of(x)).provider)::integer, 0) > 0
         order by x.created_at, x.id limit batch for update of x skip locked
    loop
        rail := payments.rail_of(o);
        continue when (spare ->> rail.provider)::integer = 0;
        -- Before it is sent: from here on it is never claimed again, whatever happens to us.
        update payments.payouts x set status = 'processing', provider = rail.provider, sent_at = now(), attempts = 1,
               next_check_at = now() + interval '5 minutes' where x.id = o.id returning * into o;
        due := due || payments.payout_object(o);
        spare := jsonb_set(spare, array[rail.provider], to_jsonb((spare ->> rail.provider)::integer - 1));
        perform payments.calls_made(rail.provider, 1);
    end loop;
    return due;
end $$;

create function payments.payout_claim(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    providers text[] := array(select payments.asked_providers(ask));
    batch integer := least(coalesce((ask ->> 'limit')::integer, 50), 50);
    stuck text;
begin
    for stuck in
        select r.provider from (select distinct (payments.rail_of(o)).provider from payments.payouts o where o.status = 'pending') r
         where r.provider is not null
    loop
        -- Never reported as sent: it stays pending, and somebody has to look once a day.
        if stuck <> all (providers) then
            perform payments.alert('payout_not_configured', stuck || ':' || to_char(now(), 'YYYYMMDD'), '{}');
        end if;
    end loop;
    return jsonb_build_object('manual', payments.refer_to_people(50), 'due', payments.claim_payouts(providers, batch));
end $$;
comment on function payments.payout_claim is
    'due: to be sent now, each exactly once. Without the keys of its provider a payout stays pending, with an alert.';

create function payments.payout_sent(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    outcome text := ask ->> 'outcome';
    given text := ask ->> 'provider_payout_id';
    o payments.payouts;
begin
    select * into o from payments.payouts x where x.id = core.uuid_field(ask, 'payout_id') for update;
    if o.id is null or outcome is null or outcome not in ('accepted', 'refused', 'unknown') or outcome = 'accepted' and given is null then
        raise exception 'payout %: % is no outcome of sending', ask ->> 'payout_id', outcome;
    elsif outcome = 'accepted' and exists (select from payments.payouts x
            where x.provider = o.provider and x.provider_payout_id = given and x.id <> o.id) then
        outcome := 'unknown';   -- An id that is another payout's proves nothing about this one.
    end if;
    if o.provider_payout_id is null and o.status in ('processing', 'unknown') then
        if outcome = 'accepted' then
            update payments.payouts x set status = 'processing', provider_payout_id = given where x.id = o.id returning * into o;
        elsif outcome = 'refused' then
            perform payments.finish_payout(o, 'failed', null);
        else
            update payments.payouts x set status = 'unknown' where x.id = o.id;
            perform payments.alert('payout_unknown', o.id::text, '{}');
        end if;
    elsif o.provider_payout_id is null and outcome = 'accepted' then
        -- Somebody ended it meanwhile, and it exists there all the same: it must be asked about.
        update payments.payouts x set provider_payout_id = given where x.id = o.id;
        perform payments.look_again(o.provider, 'payout', given, 'payout|' || o.id);
        perform payments.alert('payout_sent_late', o.id::text, jsonb_build_object('status', o.status));
    end if;
    select * into o from payments.payouts x where x.id = o.id;
    return jsonb_build_object('status', o.status, 'waiting_events', payments.waiting_events(o.provider, o.provider_payout_id));
end $$;
comment on function payments.payout_sent is
    'refused: nothing exists there, the money goes back. unknown: it may exist there, and is never sent again.';

-- --------------------------------------------------------------------------------------------------------------- sweep

create function payments.lose_payouts() returns void language plpgsql set search_path = '' as $$
declare
    o payments.payouts;
begin
    for o in
        update payments.payouts x set status = 'unknown', next_check_at = null
         where x.status = 'processing' and x.provider_payout_id is null and x.sent_at < now() - interval '2 minutes'
        returning *
    loop
        perform payments.alert('payout_unknown', o.id::text, '{}');
    end loop;
end $$;
comment on function payments.lose_payouts is 'Claimed, and nobody came back: it may have been sent.';

create function payments.claim_payouts_due(provider text, quota integer) returns jsonb language plpgsql set search_path = '' as $$
declare
    o payments.payouts;
    claimed jsonb := '[]';
begin
    for o in
        select * from payments.payouts x
         where x.provider = claim_payouts_due.provider and x.status in ('processing', 'unknown')
           and x.provider_payout_id is not null and x.next_check_at <= now()
         order by x.next_check_at limit quota for update skip locked
    loop
        update payments.payouts x set checks = x.checks + 1, next_check_at = greatest(
               now() + interval '5 minutes' * power(2, least(greatest(x.checks - 3, 0), 9)),
               x.sent_at + (array[interval '1 hour', interval '6 hours', interval '24 hours'])[least(x.checks + 1, 3)])
         where x.id = o.id;
        if o.checks = 4 then
            perform payments.alert('payout_stuck', o.id::text, '{}');
        end if;
        claimed := claimed || payments.payout_object(o);
    end loop;
    return claimed;
end $$;

create function api.payout_claim(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.payout_claim(ask);
create function api.payout_sent(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.payout_sent(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.payout_claim(jsonb), payments.payout_sent(jsonb), api.payout_claim(jsonb), api.payout_sent(jsonb)
    to service_role;
