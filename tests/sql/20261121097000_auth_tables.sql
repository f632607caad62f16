begin;
-- The columns are those that supabase/auth's own migrations make, each with its type: rows can move either way.
do $$
declare
    c record;
    found text[];
    wanted text[];
begin
    for c in select * from (values
        ('identities', 'created_at timestamptz, email text generated, id uuid not null, identity_data jsonb not null,
            last_sign_in_at timestamptz, provider text not null, provider_id text not null, updated_at timestamptz,
            user_id uuid not null'),
        ('mfa_amr_claims', 'authentication_method text not null, created_at timestamptz not null, id uuid not null,
            session_id uuid not null, updated_at timestamptz not null'),
        ('one_time_tokens', 'created_at timestamp not null, id uuid not null, relates_to text not null, token_hash text not null,
            token_type auth.one_time_token_type not null, updated_at timestamp not null, user_id uuid not null'),
        ('refresh_tokens', 'created_at timestamptz, id bigint not null, instance_id uuid, parent varchar(255), revoked boolean,
            session_id uuid, token varchar(255), updated_at timestamptz, user_id varchar(255)'),
        ('sessions', 'aal auth.aal_level, created_at timestamptz, factor_id uuid, id uuid not null, ip inet,
            not_after timestamptz, oauth_client_id uuid, refresh_token_counter bigint, refresh_token_hmac_key text,
            refreshed_at timestamp, scopes text, tag text, updated_at timestamptz, user_agent text,
            user_id uuid not null'),
        ('users', 'aud varchar(255), banned_until timestamptz, confirmation_sent_at timestamptz,
            confirmation_token varchar(255), confirmed_at timestamptz generated, created_at timestamptz,
            deleted_at timestamptz, email varchar(255), email_change varchar(255), email_change_confirm_status smallint,
            email_change_sent_at timestamptz, email_change_token_current varchar(255),
            email_change_token_new varchar(255), email_confirmed_at timestamptz, encrypted_password varchar(255),
            id uuid not null, instance_id uuid, invited_at timestamptz, is_anonymous boolean not null,
            is_sso_user boolean not null, is_super_admin boolean, last_sign_in_at timestamptz, phone text,
            phone_change text, phone_change_sent_at timestamptz, phone_change_token varchar(255),
            phone_confirmed_at timestamptz, raw_app_meta_data jsonb, raw_user_meta_data jsonb,
            reauthentication_sent_at timestamptz, reauthentication_token varchar(255), recovery_sent_at timestamptz,
            recovery_token varchar(255), role varchar(255), updated_at timestamptz')) as t (home, columns)
    loop
        select array_agg(a.attname || ' ' || replace(replace(replace(format_type(a.atttypid, a.atttypmod), 'character varying', 'varchar'),
                   'timestamp with time zone', 'timestamptz'), 'timestamp without time zone', 'timestamp')
                   || case when a.attnotnull then ' not null' else '' end || case a.attgenerated when 's' then ' generated' else '' end)
          into found from pg_attribute a where a.attrelid = ('auth.' || c.home)::regclass and a.attnum > 0 and not a.attisdropped;
        wanted := regexp_split_to_array(c.columns, ',\s+');
        assert found @> wanted and wanted @> found, format('%s: ours alone %s, Supabase''s alone %s', c.home,
            (select array_agg(f) from unnest(found) f where f <> all (wanted)), (select array_agg(w) from unnest(wanted) w where w <> all (found)));
    end loop;
end $$;

-- A row with an id and an address is one that GoTrue reads: no null where it wants a text, its instance, its audience.
do $$
declare
    u auth.users;
begin
    insert into auth.users (id, email) values ('00000000-0000-4000-8000-000000000001', 'a@tables.test') returning * into u;
    assert u.instance_id = '00000000-0000-0000-0000-000000000000' and u.aud = 'authenticated' and u.role = 'authenticated', u::text;
    assert (u.confirmation_token, u.recovery_token, u.email_change_token_new, u.email_change, u.email_change_token_current,
        u.phone_change, u.phone_change_token, u.reauthentication_token) = ('', '', '', '', '', '', '', ''), u::text;
    assert u.raw_app_meta_data = '{}' and u.raw_user_meta_data = '{}' and not u.is_anonymous and u.confirmed_at is null and u.phone is null;
    update auth.users set email_confirmed_at = '2026-01-02Z', phone_confirmed_at = '2026-01-01Z' where id = u.id returning * into u;
    assert u.confirmed_at = '2026-01-01Z', 'the first of both';
    assert exists (select from people.profiles p where p.id = u.id and p.email = 'a@tables.test');
end $$;

-- An address belongs to one account; single sign-on may share it, and nobody's address clashes with nobody's.
do $$
begin
    insert into auth.users (email, is_sso_user) values ('a@tables.test', true), ('a@tables.test', true);
    insert into auth.users (email, is_anonymous) values (null, true), (null, true);
    begin
        insert into auth.users (email) values ('a@tables.test');
        assert false, 'two accounts with one address';
    exception when unique_violation then
        assert sqlerrm like '%users_email_partial_key%', sqlerrm;
    end;
end $$;

-- What hangs on an account goes with it; what the tables hold is for nobody outside.
do $$
declare
    who uuid := gen_random_uuid();
    door text;
    home text;
begin
    insert into auth.sessions (id, user_id) values (who, '00000000-0000-4000-8000-000000000001');
    insert into auth.refresh_tokens (token, session_id) values ('t-tables', who);
    insert into auth.mfa_amr_claims values (who, now(), now(), 'password', gen_random_uuid());
    delete from auth.sessions where id = who;
    assert not exists (select from auth.refresh_tokens where token = 't-tables')
       and not exists (select from auth.mfa_amr_claims where session_id = who);
    foreach home in array array['users', 'identities', 'sessions', 'refresh_tokens', 'one_time_tokens', 'mfa_amr_claims'] loop
        assert (select relrowsecurity from pg_class where oid = ('auth.' || home)::regclass), home || ' has no row-level security';
        foreach door in array array['anon', 'authenticated', 'service_role', 'authenticator'] loop
            assert not has_table_privilege(door, 'auth.' || home, 'select, insert, update, delete, truncate, references, trigger'),
                format('%s reaches auth.%s', door, home);
        end loop;
    end loop;
end $$;

-- What a policy written for Supabase calls, by everybody who has a policy.
do $$
declare
    door text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true),
            set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000001", "role": "authenticated", "email": "a@tables.test"}', true);
        assert auth.jwt() ->> 'sub' = auth.uid()::text and auth.role() = 'authenticated' and auth.email() = 'a@tables.test';
        perform set_config('request.jwt.claims', '', true);
        assert auth.jwt() is null and auth.role() is null and auth.email() is null, 'after a transaction the setting is empty, not absent';
        perform set_config('role', 'none', true);
    end loop;
end $$;
rollback;
