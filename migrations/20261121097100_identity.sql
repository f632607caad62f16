-- Identity: how an account is shown, read from an ask, changed, mailed to and audited. The commands follow in later files.
-- Why:       what sign-up, sessions, recovery and the admin share is decided once; GoTrue's JSON is made in one place.
-- Locks:     none on existing tables.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop schema identity cascade; delete from core.settings where key in the four rows below.

create schema identity;
comment on schema identity is 'Accounts, sessions and signing keys. Its commands are for the service key alone: whoever reads a token has checked it.';
grant usage on schema identity to service_role;
-- Refusals carry GoTrue's own texts: frontends show them, and some compare them.

insert into core.settings (key, value, unit, description) values
    ('refresh_reuse_seconds', 10, 's', 'a refresh token used again within this time is a second tab; later it is a thief'),
    ('session_idle_days', 90, 'days', 'a session that is not refreshed for so long is over'),
    ('one_time_token_seconds', 3600, 's', 'how long a mailed link works'),
    ('mail_interval_seconds', 60, 's', 'at most one mailed link a user in this time');

-- ------------------------------------------------------------------------------------------------------ reading the ask

create function identity.given(ask jsonb, field text) returns boolean language sql immutable set search_path = ''
    return coalesce(jsonb_typeof(ask -> field), 'null') <> 'null';

create function identity.required(ask jsonb, variadic fields text[]) returns void language plpgsql stable set search_path = '' as $$
begin
    for n in 1 .. cardinality(fields) loop
        if not identity.given(ask, fields[n]) then
            perform core.invalid(fields[n], 'is required');
        end if;
    end loop;
end $$;

create function identity.flag(ask jsonb, field text) returns boolean language plpgsql stable set search_path = '' as $$
begin
    if identity.given(ask, field) and jsonb_typeof(ask -> field) <> 'boolean' then
        perform core.invalid(field, 'must be true or false');
    end if;
    return coalesce((ask ->> field)::boolean, false);
end $$;

create function identity.email_field(ask jsonb, field text default 'email') returns text
    language plpgsql stable set search_path = '' as $$
declare
    found text := lower(btrim(core.text_field(ask, field, 3, 254)));
begin
    if found !~ '^[^@[:space:]]+@[^@[:space:]]+$' then
        perform core.invalid(field, 'must be an e-mail address');
    end if;
    return found;
end $$;

create function identity.phone_field(ask jsonb) returns text language plpgsql stable set search_path = '' as $$
declare
    found text := ltrim(core.text_field(ask, 'phone', 8, 16), '+');
begin
    if found !~ '^[0-9]{8,15}$' then
        perform core.invalid('phone', 'must be 8 to 15 digits');
    end if;
    return found;
end $$;

create function identity.hash_field(ask jsonb, field text) returns text language plpgsql stable set search_path = '' as $$
begin
    if identity.given(ask, field) and ask ->> field !~ '^[0-9a-f]{64}$' then
        perform core.invalid(field, 'must be a SHA-256 in 64 hex characters');
    end if;
    return ask ->> field;
end $$;

create function identity.password_field(ask jsonb) returns text language plpgsql stable set search_path = '' as $$
begin
    if identity.given(ask, 'password_hash') and ask ->> 'password_hash' !~ '^\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}$' then
        perform core.invalid('password_hash', 'must be a bcrypt hash');
    end if;
    return ask ->> 'password_hash';
end $$;

create function identity.object_field(ask jsonb, field text) returns jsonb language plpgsql stable set search_path = '' as $$
begin
    if not identity.given(ask, field) then
        return null;
    -- It travels in every access token, and a header has an end.
    elsif jsonb_typeof(ask -> field) <> 'object' or length((ask -> field)::text) > 16384 then
        perform core.invalid(field, 'must be an object of at most 16384 characters');
    end if;
    return ask -> field;
end $$;

create function identity.ip_field(ask jsonb) returns inet language plpgsql stable set search_path = '' as $$
begin
    return (ask ->> 'ip')::inet;
exception when invalid_text_representation then
    return null;   -- A note for people, not a decision.
end $$;

create function identity.merged(old jsonb, changes jsonb) returns jsonb language sql immutable set search_path = '' as $$
    select coalesce(jsonb_object_agg(m.key, m.value), '{}')
      from jsonb_each(coalesce(old, '{}') || coalesce(changes, '{}')) m where jsonb_typeof(m.value) <> 'null'
$$;
comment on function identity.merged is 'As GoTrue merges metadata: by top-level key, null removes.';

-- ------------------------------------------------------------------------------------------------------------- showing

create function identity.utc(at timestamptz) returns text language sql stable set search_path = ''
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');

create function identity.user_identities(who uuid) returns jsonb language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(jsonb_build_object('identity_id', i.id, 'id', i.provider_id, 'user_id', i.user_id,
               'identity_data', i.identity_data, 'provider', i.provider, 'created_at', identity.utc(i.created_at),
               'updated_at', identity.utc(i.updated_at)) || jsonb_strip_nulls(jsonb_build_object(
               'last_sign_in_at', identity.utc(i.last_sign_in_at), 'email', i.email)) order by i.created_at, i.provider, i.id), '[]')
      from auth.identities i where i.user_id = who
$$;

create function identity.shown(u auth.users) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_strip_nulls(jsonb_build_object(
            'id', u.id, 'aud', coalesce(nullif(u.aud, ''), 'authenticated'), 'role', coalesce(nullif(u.role, ''), 'authenticated'),
            'email', coalesce(u.email, ''), 'email_confirmed_at', identity.utc(u.email_confirmed_at),
            'phone', coalesce(u.phone, ''), 'phone_confirmed_at', identity.utc(u.phone_confirmed_at),
            'confirmed_at', identity.utc(u.confirmed_at), 'invited_at', identity.utc(u.invited_at),
            'confirmation_sent_at', identity.utc(u.confirmation_sent_at), 'recovery_sent_at', identity.utc(u.recovery_sent_at),
            'new_email', nullif(u.email_change, ''), 'email_change_sent_at', identity.utc(u.email_change_sent_at),
            'new_phone', nullif(u.phone_change, ''), 'phone_change_sent_at', identity.utc(u.phone_change_sent_at),
            'reauthentication_sent_at', identity.utc(u.reauthentication_sent_at),
            'last_sign_in_at', identity.utc(u.last_sign_in_at), 'created_at', identity.utc(u.created_at),
            'updated_at', identity.utc(u.updated_at), 'banned_until', identity.utc(u.banned_until),
            'deleted_at', identity.utc(u.deleted_at), 'is_anonymous', u.is_anonymous))
        || jsonb_build_object('app_metadata', coalesce(u.raw_app_meta_data, '{}'),
            'user_metadata', coalesce(u.raw_user_meta_data, '{}'), 'identities', identity.user_identities(u.id))
$$;
comment on function identity.shown is 'A user in GoTrue''s JSON: what is null is absent, an address that is missing is an empty text.';

create function identity.shown_session(s auth.sessions) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('id', s.id, 'created_at', identity.utc(s.created_at), 'not_after', identity.utc(s.not_after),
        'aal', coalesce(s.aal::text, 'aal1'), 'amr', (
            select coalesce(jsonb_agg(jsonb_build_object('method', a.authentication_method,
                       'timestamp', extract(epoch from a.created_at)::bigint) order by a.created_at desc), '[]')
              from auth.mfa_amr_claims a where a.session_id = s.id))
$$;

create function identity.is_banned(u auth.users) returns boolean language sql stable set search_path = '' as $$
    select coalesce(u.banned_until > now(), false)
        or exists (select from people.profiles p where p.id = u.id and not p.is_active)
$$;
comment on function identity.is_banned is 'By the auth server''s own date, or switched off in the house.';

create function identity.is_over(s auth.sessions) returns boolean language sql stable set search_path = '' as $$
    select coalesce(s.not_after <= now(), false)
        or coalesce(s.refreshed_at at time zone 'UTC', s.created_at, '-infinity')
           < now() - make_interval(days => core.setting('session_idle_days')::integer)
$$;

-- ------------------------------------------------------------------------------------------------------------ changing

create function identity.linked(who uuid, provider text, verified boolean) returns auth.users
    language plpgsql set search_path = '' as $$
declare
    u auth.users;
    providers jsonb;
begin
    select * into u from auth.users x where x.id = who;
    insert into auth.identities as i (provider_id, user_id, provider, last_sign_in_at, created_at, updated_at, identity_data)
    values (who::text, who, provider, now(), now(), now(), jsonb_strip_nulls(jsonb_build_object('sub', who,
        'email', case provider when 'email' then u.email end, 'phone', case provider when 'phone' then u.phone end,
        'email_verified', provider = 'email' and verified, 'phone_verified', provider = 'phone' and verified)))
    on conflict on constraint identities_provider_id_provider_unique do update
        set identity_data = i.identity_data || excluded.identity_data, updated_at = excluded.updated_at;
    select jsonb_agg(i.provider order by i.created_at, i.provider) into providers from auth.identities i where i.user_id = who;
    update auth.users x set raw_app_meta_data = coalesce(x.raw_app_meta_data, '{}')
            || jsonb_build_object('provider', coalesce(x.raw_app_meta_data ->> 'provider', providers ->> 0), 'providers', providers)
     where x.id = who returning * into u;
    -- The house shows the address it was given here.
    update people.profiles p set email = u.email where p.id = who and p.email is distinct from u.email;
    return u;
end $$;
comment on function identity.linked is 'The identity of an address as it is now, and what follows from it: providers and the profile.';

create function identity.opened(who uuid, ask jsonb, method text) returns jsonb language plpgsql set search_path = '' as $$
declare
    u auth.users;
    s auth.sessions;
begin
    update auth.users x set last_sign_in_at = now(), updated_at = now() where x.id = who returning * into u;
    update auth.identities i set last_sign_in_at = now() where i.user_id = who and i.provider = 'email';
    insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)
    values (gen_random_uuid(), who, now(), now(), 'aal1', left(ask ->> 'user_agent', 500), identity.ip_field(ask)) returning * into s;
    insert into auth.mfa_amr_claims (id, session_id, created_at, updated_at, authentication_method)
    values (gen_random_uuid(), s.id, now(), now(), method);
    insert into auth.refresh_tokens (token, user_id, revoked, created_at, updated_at, session_id)
    values (identity.hash_field(ask, 'refresh_hash'), who::text, false, now(), now(), s.id);
    return jsonb_build_object('user', identity.shown(u), 'session', identity.shown_session(s));
end $$;

create function identity.mailed(who uuid, type text, recipient text, link text, token_hash text) returns auth.users
    language plpgsql set search_path = '' as $$
declare
    u auth.users;
    wait integer;
    kind auth.one_time_token_type := case type when 'signup' then 'confirmation_token'
        when 'email_change' then 'email_change_token_new' else 'recovery_token' end;
begin
    if coalesce(link, '') !~ '^https?://[!-~]+$' or length(link) > 2000 then
        perform core.invalid('link', 'must be an http address of at most 2000 characters');
    elsif coalesce(token_hash, '') = '' then
        perform core.invalid('token_hash', 'is required');
    end if;
    select * into u from auth.users x where x.id = who for update;
    wait := ceil(core.setting('mail_interval_seconds')
        - extract(epoch from now() - greatest(u.confirmation_sent_at, u.recovery_sent_at, u.email_change_sent_at)));
    if wait > 0 then
        perform core.refuse('OVER_EMAIL_SEND_RATE_LIMIT', 429,
            format('For security purposes, you can only request this after %s seconds.', wait), jsonb_build_object('retry_after', wait));
    end if;
    delete from auth.one_time_tokens t where t.user_id = who and t.token_type = kind;
    insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at)
    values (gen_random_uuid(), who, kind, token_hash, recipient, now() at time zone 'UTC', now() at time zone 'UTC');
    update auth.users x set updated_at = now(),
           confirmation_sent_at = case kind when 'confirmation_token' then now() else x.confirmation_sent_at end,
           recovery_sent_at = case kind when 'recovery_token' then now() else x.recovery_sent_at end,
           email_change_sent_at = case kind when 'email_change_token_new' then now() else x.email_change_sent_at end
     where x.id = who returning * into u;
    perform core.outbox_add('email', jsonb_build_object('type', 'auth.' || type, 'to', recipient, 'link', link, 'user_id', who,
        'subject', case type when 'signup' then 'Confirm your e-mail address' when 'email_change' then 'Confirm your new e-mail address'
            when 'magiclink' then 'Your sign-in link' else 'Reset your password' end), 'auth:' || token_hash);
    return u;
end $$;
comment on function identity.mailed is 'One mail with one link that works once; the token of an earlier mail of this kind ends.';

-- ------------------------------------------------------------------------------------------------------------ auditing

create function identity.masked(address text) returns text language sql immutable set search_path = '' as $$
    select case when address like '%@%' then left(address, 1) || '***@' || split_part(address, '@', 2)
        when address <> '' then '***' || right(address, 2) end
$$;

create function identity.snapshot(u auth.users) returns jsonb language sql stable set search_path = '' as $$
    select case when u.id is not null then jsonb_strip_nulls(jsonb_build_object(
        'email', identity.masked(u.email), 'phone', identity.masked(u.phone), 'role', u.role, 'is_anonymous', u.is_anonymous,
        'email_confirmed', u.email_confirmed_at is not null, 'phone_confirmed', u.phone_confirmed_at is not null,
        'has_password', coalesce(u.encrypted_password, '') <> '', 'banned_until', identity.utc(u.banned_until),
        'deleted_at', identity.utc(u.deleted_at), 'app_metadata', u.raw_app_meta_data,
        'user_metadata_keys', (select jsonb_agg(k order by k) from jsonb_object_keys(u.raw_user_meta_data) k))) end
$$;

create function identity.audited(actor uuid, action text, target_type text, target_id text, old jsonb, new jsonb default null)
    returns void language sql set search_path = '' as $$
    insert into core.audit_logs (actor_id, action, target_type, target_id, old, new, request_id)
    values (actor, action, target_type, target_id, old, new, core.request_id())
$$;
comment on function identity.audited is 'core.audit takes the actor from the token; here the service asks in somebody''s name.';

revoke execute on all functions in schema identity from public;
