-- People: a profile for everyone who signs up, ids to be found by, roles; and what the service says of its health.
-- Why:       rights come from user_roles alone, never from what a user can edit.
-- Locks:     on Supabase, one trigger is added to auth.users.
-- Old code:  people who signed up before have no profile: insert it once from auth.users.
-- Undo:      drop trigger cauris_profile on auth.users; drop schema people cascade; drop function api.health(jsonb), core.health();

create schema people;
grant usage on schema people to anon, authenticated, service_role;

create sequence people.custom_id_seq;
create table people.profiles (
    id         uuid primary key references auth.users (id),
    email      text,
    first_name text check (length(first_name) between 1 and 100),
    last_name  text check (length(last_name) between 1 and 100),
    public_id  text not null unique default upper(substr(replace(gen_random_uuid()::text, '-', ''), 1, 12)),
    is_active  boolean not null default true,
    deleted_at timestamptz,
    created_at timestamptz not null default now()
);
alter table people.profiles enable row level security;
create policy profiles_own on people.profiles for select to authenticated using (id = (select auth.uid()));
grant select on people.profiles to authenticated;

create table people.user_ids (
    user_id   uuid primary key references people.profiles (id),
    custom_id text not null unique check (custom_id ~ '^[A-Z]{3}[0-9]{4,}$')
);
alter table people.user_ids enable row level security;

create table people.user_roles (
    user_id    uuid not null references people.profiles (id),
    role       text not null check (role in ('client', 'vendor', 'store_owner', 'driver', 'courier', 'agent', 'sub_agent',
                   'bureau', 'consultant', 'organiser', 'pdg', 'admin')),
    created_at timestamptz not null default now(),
    primary key (user_id, role)
);
alter table people.user_roles enable row level security;

create function people.has_role(wanted uuid, variadic roles text[]) returns boolean
    language sql stable security definer set search_path = '' as $$
    select exists (select from people.user_roles r where r.user_id = wanted and r.role = any (roles))
$$;

create function people.on_sign_up() returns trigger language plpgsql security definer set search_path = '' as $$
declare
    -- User-editable: names are texts to show, and are cut to fit; nothing here decides a right.
    given jsonb := coalesce(new.raw_user_meta_data, '{}');
    serial text := nextval('people.custom_id_seq')::text;
begin
    insert into people.profiles (id, email, first_name, last_name) values (new.id, new.email,
        nullif(left(given ->> 'first_name', 100), ''), nullif(left(given ->> 'last_name', 100), ''));
    insert into people.user_ids (user_id, custom_id)
    values (new.id, 'USR' || lpad(serial, greatest(4, length(serial)), '0'));
    return new;
end $$;
create trigger cauris_profile after insert on auth.users for each row execute function people.on_sign_up();

create view api.profiles with (security_invoker = true) as
    select id, email, first_name, last_name, public_id, created_at from people.profiles;
grant select on api.profiles to authenticated;

create function core.health() returns jsonb language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('database', 'ok', 'staff', people.has_role(auth.uid(), 'admin', 'pdg'))
$$;
comment on function core.health is 'One trivial read; staff says whether the caller may see details.';
create function api.health(ask jsonb default null) returns jsonb language sql stable security invoker set search_path = ''
    return core.health();

revoke execute on all functions in schema api, core, people from public;
grant execute on function core.health(), api.health(jsonb) to anon, authenticated, service_role;
