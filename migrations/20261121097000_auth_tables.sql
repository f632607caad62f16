-- Accounts on a plain Postgres: auth.users as Supabase has it, and the tables of sessions, tokens and identities beside it.
-- Why:       the rows of a project can move to Supabase or away from it, passwords included.
-- Locks:     on a plain Postgres auth.users, exclusively, while columns are added; on Supabase nothing is touched.
-- Old code:  keeps working; every new column has a default or may be null.
-- Undo:      drop table auth.mfa_amr_claims, auth.refresh_tokens, auth.sessions, auth.identities, auth.one_time_tokens; drop the
--            columns; drop type auth.aal_level, auth.one_time_token_type; drop function auth.jwt(), auth.role(), auth.email().

-- Names, types and indexes: supabase/auth, folder migrations, up to 20251111201300. The defaults are ours: what GoTrue writes into
-- a new row, so that a row of ours is one that GoTrue can read (it cannot read a null token).
do $$
begin
    if exists (select from pg_attribute a
                where a.attrelid = 'auth.users'::regclass and a.attname = 'encrypted_password' and not a.attisdropped) then
        return;   -- Supabase: the tables are there and belong to its auth server.
    elsif not (select pg_has_role(c.relowner, 'usage') from pg_class c where c.oid = 'auth.users'::regclass) then
        raise exception 'auth.users is neither Supabase''s nor ours: apply as its owner';
    end if;

    alter table auth.users
        alter column email type varchar(255),
        alter column raw_user_meta_data drop not null,
        alter column created_at drop not null,
        drop constraint if exists users_email_key,
        add column instance_id uuid default '00000000-0000-0000-0000-000000000000',
        add column aud varchar(255) default 'authenticated',
        add column role varchar(255) default 'authenticated',
        add column encrypted_password varchar(255),
        add column email_confirmed_at timestamptz,
        add column invited_at timestamptz,
        add column confirmation_token varchar(255) default '',
        add column confirmation_sent_at timestamptz,
        add column recovery_token varchar(255) default '',
        add column recovery_sent_at timestamptz,
        add column email_change_token_new varchar(255) default '',
        add column email_change varchar(255) default '',
        add column email_change_sent_at timestamptz,
        add column last_sign_in_at timestamptz,
        add column raw_app_meta_data jsonb default '{}',
        add column is_super_admin boolean,
        add column updated_at timestamptz default now(),
        add column phone text default null constraint users_phone_key unique,
        add column phone_confirmed_at timestamptz,
        add column phone_change text default '',
        add column phone_change_token varchar(255) default '',
        add column phone_change_sent_at timestamptz,
        add column confirmed_at timestamptz generated always as (least(email_confirmed_at, phone_confirmed_at)) stored,
        add column email_change_token_current varchar(255) default '',
        add column email_change_confirm_status smallint default 0
            constraint users_email_change_confirm_status_check check (email_change_confirm_status between 0 and 2),
        add column banned_until timestamptz,
        add column reauthentication_token varchar(255) default '',
        add column reauthentication_sent_at timestamptz,
        add column is_sso_user boolean not null default false,
        add column deleted_at timestamptz,
        add column is_anonymous boolean not null default false;
    create unique index users_email_partial_key on auth.users (email) where (is_sso_user = false);
    create index users_instance_id_idx on auth.users (instance_id);
    create index users_instance_id_email_idx on auth.users (instance_id, lower(email));
    create index users_is_anonymous_idx on auth.users (is_anonymous);
    create unique index confirmation_token_idx on auth.users (confirmation_token) where confirmation_token !~ '^[0-9 ]*$';
    create unique index recovery_token_idx on auth.users (recovery_token) where recovery_token !~ '^[0-9 ]*$';
    create unique index email_change_token_current_idx on auth.users (email_change_token_current)
        where email_change_token_current !~ '^[0-9 ]*$';
    create unique index email_change_token_new_idx on auth.users (email_change_token_new) where email_change_token_new !~ '^[0-9 ]*$';
    create unique index reauthentication_token_idx on auth.users (reauthentication_token) where reauthentication_token !~ '^[0-9 ]*$';
    comment on column auth.users.is_sso_user is 'True: the account came from single sign-on, and may share its address.';

    create table auth.identities (
        id              uuid primary key default gen_random_uuid(),
        provider_id     text not null,
        user_id         uuid not null references auth.users (id) on delete cascade,
        identity_data   jsonb not null,
        provider        text not null,
        last_sign_in_at timestamptz,
        created_at      timestamptz,
        updated_at      timestamptz,
        email           text generated always as (lower(identity_data ->> 'email')) stored,
        constraint identities_provider_id_provider_unique unique (provider_id, provider)
    );
    create index identities_user_id_idx on auth.identities (user_id);
    create index identities_email_idx on auth.identities (email text_pattern_ops);

    create type auth.aal_level as enum ('aal1', 'aal2', 'aal3');
    create table auth.sessions (
        id                     uuid primary key,
        user_id                uuid not null references auth.users (id) on delete cascade,
        created_at             timestamptz,
        updated_at             timestamptz,
        factor_id              uuid,
        aal                    auth.aal_level,
        not_after              timestamptz,
        refreshed_at           timestamp without time zone,
        user_agent             text,
        ip                     inet,
        tag                    text,
        oauth_client_id        uuid,
        refresh_token_hmac_key text,
        refresh_token_counter  bigint,
        scopes                 text constraint sessions_scopes_length check (char_length(scopes) <= 4096)
    );
    create index sessions_user_id_idx on auth.sessions (user_id);
    create index user_id_created_at_idx on auth.sessions (user_id, created_at);
    create index sessions_not_after_idx on auth.sessions (not_after desc);
    create index sessions_oauth_client_id_idx on auth.sessions (oauth_client_id);
    comment on column auth.sessions.not_after is 'When the session is over, whoever uses it; null: only idleness ends it.';

    create table auth.mfa_amr_claims (
        session_id            uuid not null references auth.sessions (id) on delete cascade,
        created_at            timestamptz not null,
        updated_at            timestamptz not null,
        authentication_method text not null,
        id                    uuid not null constraint amr_id_pk primary key,
        constraint mfa_amr_claims_session_id_authentication_method_pkey unique (session_id, authentication_method)
    );

    create table auth.refresh_tokens (
        instance_id uuid default '00000000-0000-0000-0000-000000000000',
        id          bigserial primary key,
        token       varchar(255) constraint refresh_tokens_token_unique unique,
        user_id     varchar(255),
        revoked     boolean,
        created_at  timestamptz,
        updated_at  timestamptz,
        parent      varchar(255),
        session_id  uuid references auth.sessions (id) on delete cascade
    );
    create index refresh_tokens_instance_id_idx on auth.refresh_tokens (instance_id);
    create index refresh_tokens_instance_id_user_id_idx on auth.refresh_tokens (instance_id, user_id);
    create index refresh_tokens_parent_idx on auth.refresh_tokens (parent);
    create index refresh_tokens_session_id_revoked_idx on auth.refresh_tokens (session_id, revoked);
    create index refresh_tokens_updated_at_idx on auth.refresh_tokens (updated_at desc);
    comment on column auth.refresh_tokens.token is
        'The SHA-256 of the token in 64 hex characters; the token itself only in a row that came from Supabase, until it is used.';

    create type auth.one_time_token_type as enum ('confirmation_token', 'reauthentication_token', 'recovery_token',
        'email_change_token_new', 'email_change_token_current', 'phone_change_token');
    create table auth.one_time_tokens (
        id         uuid primary key,
        user_id    uuid not null references auth.users (id) on delete cascade,
        token_type auth.one_time_token_type not null,
        token_hash text not null check (char_length(token_hash) > 0),
        relates_to text not null,
        created_at timestamp without time zone not null default now(),
        updated_at timestamp without time zone not null default now()
    );
    create index one_time_tokens_token_hash_hash_idx on auth.one_time_tokens using hash (token_hash);
    create index one_time_tokens_relates_to_hash_idx on auth.one_time_tokens using hash (relates_to);
    create unique index one_time_tokens_user_id_token_type_key on auth.one_time_tokens (user_id, token_type);

    alter table auth.identities enable row level security;
    alter table auth.sessions enable row level security;
    alter table auth.mfa_amr_claims enable row level security;
    alter table auth.refresh_tokens enable row level security;
    alter table auth.one_time_tokens enable row level security;
    -- Default privileges of the database may have granted what nobody meant to.
    revoke all on auth.users, auth.identities, auth.sessions, auth.mfa_amr_claims, auth.refresh_tokens, auth.one_time_tokens
        from public, anon, authenticated, service_role;
end $$;

-- The rest of what policies written for Supabase call. Without a search_path, as there, or they are not inlined.
do $$
begin
    if to_regprocedure('auth.jwt()') is null then
        create function auth.jwt() returns jsonb language sql stable as $f$
            select coalesce(nullif(current_setting('request.jwt.claim', true), ''),
                nullif(current_setting('request.jwt.claims', true), ''))::jsonb
        $f$;
        revoke execute on function auth.jwt() from public;
        grant execute on function auth.jwt() to anon, authenticated, service_role;
    end if;
    if to_regprocedure('auth.role()') is null then
        create function auth.role() returns text language sql stable as $f$
            select coalesce(nullif(current_setting('request.jwt.claim.role', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'role')
        $f$;
        revoke execute on function auth.role() from public;
        grant execute on function auth.role() to anon, authenticated, service_role;
    end if;
    if to_regprocedure('auth.email()') is null then
        create function auth.email() returns text language sql stable as $f$
            select coalesce(nullif(current_setting('request.jwt.claim.email', true), ''),
                nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'email')
        $f$;
        revoke execute on function auth.email() from public;
        grant execute on function auth.email() to anon, authenticated, service_role;
    end if;
end $$;
