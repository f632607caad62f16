-- The ground every domain stands on: roles, refusals, settings, partitions, idempotency, outbox, audit.
-- Why:       one definition of who calls, how SQL says no, and how a command is remembered.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      drop schema api, core cascade;

-- Supabase has these; a plain Postgres gets them. Passwords are the operator's, never a migration's.
do $$
declare
    door text;
begin
    if to_regrole('anon') is null then create role anon nologin noinherit; end if;
    if to_regrole('authenticated') is null then create role authenticated nologin noinherit; end if;
    if to_regrole('service_role') is null then create role service_role nologin noinherit bypassrls; end if;
    if to_regrole('authenticator') is null then create role authenticator login noinherit; end if;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        -- Asked first: where the platform granted them, we may lack the right to grant them again.
        if not pg_has_role('authenticator', door, 'member') then
            execute format('grant %I to authenticator', door);
        end if;
    end loop;
end $$;

create schema if not exists auth;
do $$
begin
    if to_regclass('auth.users') is null then
        create table auth.users (
            id                 uuid primary key default gen_random_uuid(),
            email              text unique,
            raw_user_meta_data jsonb not null default '{}',
            created_at         timestamptz not null default now()
        );
        alter table auth.users enable row level security;
    end if;
    if to_regprocedure('auth.uid()') is null then
        -- PostgREST sets the JSON, older gateways the single setting. As on Supabase without a search_path, or it is not inlined.
        create function auth.uid() returns uuid language sql stable as $f$
            select coalesce(
                nullif(current_setting('request.jwt.claim.sub', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid
        $f$;
        revoke execute on function auth.uid() from public;
        grant usage on schema auth to anon, authenticated, service_role;
        grant execute on function auth.uid() to anon, authenticated, service_role;
    end if;
end $$;

create schema api;
create schema core;
comment on schema api is 'The only exposed schema: thin invoker functions and views, no rules.';
grant usage on schema api, core to anon, authenticated, service_role;

-- ---------------------------------------------------------------------------------------------- saying no, answering

create function core.refuse(code text, status integer, message text, details jsonb default null, hint text default null)
    returns void language plpgsql set search_path = '' as $$
begin
    -- PostgREST reads status, code and texts out of this state; it types details as text, so JSON travels as text.
    raise sqlstate 'PGRST' using
        message = jsonb_build_object('code', code, 'message', message, 'details', details::text, 'hint', hint)::text,
        detail = jsonb_build_object('status', status, 'headers', '{}'::jsonb)::text;
end $$;
comment on function core.refuse is 'The one way SQL says no. Rolls the whole command back; the code reaches the client as it is.';

create function core.invalid(field text, message text) returns void language plpgsql set search_path = '' as $$
begin
    perform core.refuse('VALIDATION_ERROR', 400, field || ' ' || message,
        jsonb_build_array(jsonb_build_object('field', field, 'message', message)));
end $$;

create function core.answer(body jsonb, status integer) returns jsonb language plpgsql set search_path = '' as $$
begin
    if status <> 200 then
        perform set_config('response.status', status::text, true);
    end if;
    return body;
end $$;
comment on function core.answer is 'Answers with another status than 200 and commits; for 201, 202 and refusals that must leave a trace.';

-- ------------------------------------------------------------------------------------------------------- who is asking

create function core.caller() returns uuid language plpgsql stable set search_path = '' as $$
declare
    id uuid := auth.uid();
begin
    if id is null then
        perform core.refuse('UNAUTHENTICATED', 401, 'sign in first');
    end if;
    return id;
end $$;

create function core.claim(name text) returns text language sql stable set search_path = '' as $$
    select nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> name
$$;

create function core.request_id() returns text language sql stable set search_path = '' as $$
    select nullif(current_setting('request.headers', true), '')::jsonb ->> 'x-request-id'
$$;

-- ------------------------------------------------------------------------------------------------------ reading the ask

create function core.text_field(ask jsonb, field text, min integer, max integer)
    returns text language plpgsql stable set search_path = '' as $$
declare
    found text := ask ->> field;
begin
    if found is null then
        return null;
    end if;
    if jsonb_typeof(ask -> field) <> 'string' or length(found) not between min and max then
        perform core.invalid(field, format('must be text of %s to %s characters', min, max));
    end if;
    return found;
end $$;

create function core.uuid_field(ask jsonb, field text) returns uuid language plpgsql stable set search_path = '' as $$
declare
    found text := ask ->> field;
begin
    if found is null then
        return null;
    end if;
    if found !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' then
        perform core.invalid(field, 'must be a UUID');
    end if;
    return found::uuid;
end $$;

create function core.amount_field(ask jsonb, field text) returns bigint language plpgsql stable set search_path = '' as $$
declare
    found text := ask ->> field;
begin
    if found is null then
        return null;
    end if;
    -- The text decides: casting jsonb to bigint would silently round 1.5 to 2.
    if jsonb_typeof(ask -> field) <> 'number' or found !~ '^[0-9]{1,16}$'
        or found::bigint not between 1 and 9007199254740991 then
        perform core.invalid(field, 'must be an integer from 1 to 9007199254740991, in the currency''s minor unit');
    end if;
    return found::bigint;
end $$;

create function core.bps(amount bigint, bps integer) returns bigint language sql immutable strict set search_path = '' as $$
    -- Half up. Split so that the product cannot overflow: amount = q * 10000 + r.
    select (amount / 10000) * bps + (2 * (amount % 10000) * bps + 10000) / 20000
$$;
comment on function core.bps is 'amount × bps / 10000, rounded half up once; contracts: rates are basis points.';

-- ------------------------------------------------------------------------------------------------------------ settings

create table core.settings (
    key         text primary key,
    value       bigint not null,
    unit        text not null,
    description text not null
);
alter table core.settings enable row level security;

create function core.setting(key text) returns bigint language plpgsql stable set search_path = '' as $$
declare
    found bigint;
begin
    select s.value into found from core.settings s where s.key = setting.key;
    if found is null then
        raise exception 'setting % is missing', key;   -- Ours: a 500, never a default that nobody chose.
    end if;
    return found;
end $$;

create table core.currencies (
    code        text primary key check (code ~ '^[A-Z]{3}$'),
    exponent    smallint not null check (exponent between 0 and 3),
    min_payment bigint not null check (min_payment > 0),
    max_payment bigint not null check (max_payment >= min_payment),
    is_active   boolean not null default true
);
alter table core.currencies enable row level security;
comment on column core.currencies.exponent is 'Digits of the minor unit; every amount of the currency is an integer of that unit.';
insert into core.currencies (code, exponent, min_payment, max_payment) values
    ('GNF', 0, 1000, 50000000), ('XOF', 0, 100, 10000000), ('XAF', 0, 100, 10000000), ('RWF', 0, 100, 10000000),
    ('UGX', 0, 1000, 50000000), ('NGN', 2, 10000, 1000000000), ('GHS', 2, 100, 10000000), ('KES', 2, 1000, 100000000),
    ('TZS', 2, 100000, 5000000000), ('USD', 2, 100, 1000000), ('EUR', 2, 100, 1000000), ('GBP', 2, 100, 1000000);

-- --------------------------------------------------------------------------------- growth: partitions and append-only

create function core.refuse_change() returns trigger language plpgsql set search_path = '' as $$
begin
    raise exception '%.% is append-only: a correction is a new row', tg_table_schema, tg_table_name;
end $$;

create function core.make_append_only(target regclass) returns void language plpgsql set search_path = '' as $$
begin
    -- Row triggers reach every partition; a statement's do not, so partitions get their own below.
    execute format('create trigger append_only before update or delete on %s
        for each row execute function core.refuse_change()', target);
    execute format('create trigger never_truncated before truncate on %s
        for each statement execute function core.refuse_change()', target);
end $$;

create function core.add_partition(parent regclass, suffix text, bounds text)
    returns void language plpgsql set search_path = '' as $$
declare
    home text;
    plain text;
begin
    select n.nspname, c.relname into home, plain
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = parent;
    if to_regclass(format('%I.%I', home, plain || '_' || suffix)) is not null then
        return;
    end if;
    execute format('create table %I.%I partition of %s %s', home, plain || '_' || suffix, parent, bounds);
    execute format('alter table %I.%I enable row level security', home, plain || '_' || suffix);
    execute coalesce((select string_agg(replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', home, plain),
                          format(' ON %I.%I ', home, plain || '_' || suffix)), ';')
                        from pg_catalog.pg_trigger t
                       where t.tgrelid = parent and not t.tgisinternal and t.tgtype & 1 = 0), '');
end $$;

create table core.monthly_tables (name text primary key);
alter table core.monthly_tables enable row level security;
comment on table core.monthly_tables is 'Tables range-partitioned by month; core.keep_partitions makes their next months.';

create function core.make_partitions(target regclass, months integer) returns void language plpgsql set search_path = '' as $$
declare
    first date := date_trunc('month', now() at time zone 'UTC');
begin
    perform core.add_partition(target, 'default', 'default');
    for ahead in 0 .. months loop
        perform core.add_partition(target, to_char(first + make_interval(months => ahead), 'YYYYMM'),
            format('for values from (%L) to (%L)', (first + make_interval(months => ahead))::text || ' UTC',
                (first + make_interval(months => ahead + 1))::text || ' UTC'));
    end loop;
    insert into core.monthly_tables (name) values (target::text) on conflict do nothing;
end $$;

-- The time-out: a new partition locks its parent, and behind a long report every transfer would queue.
create function core.keep_partitions() returns integer language plpgsql security definer set search_path = ''
    set lock_timeout = '2s' as $$
declare
    next_month text := to_char((now() at time zone 'UTC') + interval '2 months', 'YYYYMM');
    made integer := 0;
    target text;
begin
    for target in select m.name from core.monthly_tables m loop
        if to_regclass(target || '_' || next_month) is null then
            perform core.make_partitions(target::regclass, 3);
            made := made + 1;
        end if;
    end loop;
    return made;
end $$;

-- ---------------------------------------------------------------------------------------- idempotency, outbox, audit

create table core.idempotency_keys (
    caller      uuid not null,
    function    text not null,
    key         text not null,
    fingerprint bytea not null,
    status      integer not null,
    body        jsonb not null,
    created_at  timestamptz not null default now(),
    primary key (caller, function, key)
);
create index idempotency_keys_age on core.idempotency_keys (created_at);
alter table core.idempotency_keys enable row level security;

create function core.fingerprint(ask jsonb) returns bytea language sql immutable set search_path = '' as $$
    select sha256(convert_to((ask - 'idempotency_key' - 'confirm_duplicate')::text, 'UTF8'))
$$;

create function core.idempotency_key(ask jsonb) returns text language plpgsql immutable set search_path = '' as $$
declare
    key text := ask ->> 'idempotency_key';
begin
    if key is not null and key !~ '^[!-~]{8,255}$' then
        perform core.invalid('idempotency_key', 'must be 8 to 255 visible ASCII characters');
    end if;
    return key;
end $$;

create function core.lock_key(scope text) returns void language plpgsql set search_path = '' as $$
begin
    -- A try-lock: waiting would pin a pool slot per retry. The unique row below is the guarantee, this is manners.
    if not pg_try_advisory_xact_lock(hashtextextended(scope, 0)) then
        perform core.refuse('IDEMPOTENCY_IN_PROGRESS', 409, 'the first request with this key is still running',
            null, 'retry after 1 second');
    end if;
end $$;

create function core.replay(fn text, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    asker uuid := auth.uid();
    wanted text := core.idempotency_key(ask);
    stored core.idempotency_keys;
begin
    if wanted is null then
        return null;
    end if;
    perform core.lock_key(asker || ':' || fn || ':' || wanted);
    select * into stored from core.idempotency_keys k where k.caller = asker and k.function = fn and k.key = wanted;
    if not found then
        return null;
    end if;
    if stored.fingerprint <> core.fingerprint(ask) then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another request');
    end if;
    perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
    return core.answer(stored.body, stored.status);
end $$;
comment on function core.replay is 'Null when the request is fresh (or carries no key); else the first answer, to be returned as it is.';

create function core.remember(fn text, ask jsonb, body jsonb, status integer default 200)
    returns jsonb language plpgsql set search_path = '' as $$
begin
    if ask ->> 'idempotency_key' is not null then
        insert into core.idempotency_keys (caller, function, key, fingerprint, status, body)
        values (auth.uid(), fn, ask ->> 'idempotency_key', core.fingerprint(ask), remember.status, remember.body);
    end if;
    return core.answer(body, status);
end $$;

create table core.outbox (
    id              uuid primary key default gen_random_uuid(),
    channel         text not null check (channel in ('email', 'sms', 'push', 'webhook', 'job', 'alert')),
    payload         jsonb not null,
    dedupe_key      text not null unique,
    status          text not null default 'pending' check (status in ('pending', 'sending', 'sent', 'failed', 'dead')),
    attempts        integer not null default 0,
    next_attempt_at timestamptz not null default now(),
    sent_at         timestamptz,
    created_at      timestamptz not null default now()
);
create index outbox_due on core.outbox (next_attempt_at) where status in ('pending', 'failed');
alter table core.outbox enable row level security;

create function core.outbox_add(channel text, payload jsonb, dedupe_key text)
    returns void language sql set search_path = '' as $$
    insert into core.outbox (channel, payload, dedupe_key) values (channel, payload, dedupe_key) on conflict do nothing
$$;

create table core.audit_logs (
    id          uuid not null default gen_random_uuid(),
    actor_id    uuid,
    action      text not null,
    target_type text not null,
    target_id   text not null,
    old         jsonb,
    new         jsonb,
    request_id  text,
    created_at  timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create index audit_logs_target on core.audit_logs (target_type, target_id, created_at);
alter table core.audit_logs enable row level security;
select core.make_append_only('core.audit_logs');
select core.make_partitions('core.audit_logs', 12);

create function core.audit(action text, target_type text, target_id text, old jsonb default null, new jsonb default null)
    returns void language sql set search_path = '' as $$
    insert into core.audit_logs (actor_id, action, target_type, target_id, old, new, request_id)
    values (auth.uid(), action, target_type, target_id, old, new, core.request_id())
$$;

revoke execute on all functions in schema api, core from public;
