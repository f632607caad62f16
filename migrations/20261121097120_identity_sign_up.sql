-- Identity: sign-up, what a password is compared with, failed sign-ins, and the session that a right password opens.
-- Why:       bcrypt is computed at the edge; who may exist and who may come in is decided here, in one transaction each.
-- Locks:     none on existing tables; a row of auth.users before its sessions, everywhere.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.identity_sign_up(jsonb), api.identity_password(jsonb), api.identity_failed_login(jsonb),
--            api.identity_open_session(jsonb), and the functions created here.

create function identity.added(wanted auth.users) returns auth.users language plpgsql set search_path = '' as $$
declare
    u auth.users;
    clash text;
begin
    insert into auth.users (id, instance_id, aud, role, email, phone, encrypted_password, email_confirmed_at, phone_confirmed_at,
        raw_app_meta_data, raw_user_meta_data, banned_until, is_anonymous, created_at, updated_at)
    values (coalesce(wanted.id, gen_random_uuid()), '00000000-0000-0000-0000-000000000000', 'authenticated', 'authenticated',
        wanted.email, wanted.phone, wanted.encrypted_password, wanted.email_confirmed_at, wanted.phone_confirmed_at,
        coalesce(wanted.raw_app_meta_data, '{}'), identity.merged('{}', wanted.raw_user_meta_data), wanted.banned_until,
        coalesce(wanted.is_anonymous, false), now(), now())
    returning * into u;
    -- The older first: it names the account's provider.
    if u.email is not null then
        u := identity.linked(u.id, 'email', u.email_confirmed_at is not null);
    end if;
    if u.phone is not null then
        u := identity.linked(u.id, 'phone', u.phone_confirmed_at is not null);
    end if;
    return u;
exception when unique_violation then
    get stacked diagnostics clash = constraint_name;
    if clash = 'users_email_partial_key' then
        perform core.refuse('EMAIL_EXISTS', 422, 'A user with this email address has already been registered');
    elsif clash = 'users_phone_key' then
        perform core.refuse('PHONE_EXISTS', 422, 'A user with this phone number has already been registered');
    elsif clash = 'users_pkey' then
        perform core.refuse('USER_EXISTS', 422, 'User already registered');
    end if;
    raise;
end $$;
comment on function identity.added is 'A new account with its identities. Of two at the same moment the index lets one through.';

-- ------------------------------------------------------------------------------------------------------------- sign-up

create function identity.made_up(address text, data jsonb) returns jsonb language plpgsql volatile set search_path = '' as $$
declare
    u auth.users;
begin
    u.id := gen_random_uuid();
    u.email := address;
    u.raw_user_meta_data := data;
    u.raw_app_meta_data := '{"provider": "email", "providers": ["email"]}';
    u.is_anonymous := false;
    u.confirmation_sent_at := now();
    u.created_at := now();
    u.updated_at := now();
    return jsonb_build_object('user', identity.shown(u), 'session', null, 'exists', true);
end $$;
comment on function identity.made_up is
    'As GoTrue: where an address has to be confirmed, signing up with somebody else''s looks like signing up.';

create function identity.signed_up_anonymously(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    u auth.users;
begin
    u.is_anonymous := true;
    u.raw_user_meta_data := identity.object_field(ask, 'data');
    u := identity.added(u);
    if identity.given(ask, 'refresh_hash') then
        return identity.opened(u.id, ask, 'anonymous') || '{"exists": false}';
    end if;
    return jsonb_build_object('user', identity.shown(u), 'session', null, 'exists', false);
end $$;

create function identity.signed_up_at_once(wanted auth.users, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    told jsonb;
begin
    wanted.email_confirmed_at := now();
    begin
        wanted := identity.added(wanted);
    exception when sqlstate 'PGRST' then
        told := sqlerrm::jsonb;
        if told ->> 'code' <> 'EMAIL_EXISTS' then
            raise;
        end if;
        -- Unconfirmed or not: without a mail nobody has shown that it is his.
        perform core.refuse('USER_EXISTS', 422, 'User already registered');
    end;
    if identity.given(ask, 'refresh_hash') then
        return identity.opened(wanted.id, ask, 'password') || '{"exists": false}';
    end if;
    return jsonb_build_object('user', identity.shown(wanted), 'session', null, 'exists', false);
end $$;

create function identity.sign_up(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    wanted auth.users;
    known auth.users;
begin
    if identity.flag(ask, 'anonymous') then
        return identity.signed_up_anonymously(ask);
    end if;
    perform identity.required(ask, 'email', 'password_hash');
    wanted.email := identity.email_field(ask);
    wanted.encrypted_password := identity.password_field(ask);
    wanted.raw_user_meta_data := coalesce(identity.object_field(ask, 'data'), '{}');
    if identity.flag(ask, 'autoconfirm') then
        return identity.signed_up_at_once(wanted, ask);
    end if;
    select * into known from auth.users u where u.email = wanted.email and not u.is_sso_user for update;
    if not found then
        known := identity.added(wanted);
    elsif known.confirmed_at is not null then
        return identity.made_up(wanted.email, wanted.raw_user_meta_data);
    else
        -- Nobody has confirmed yet, so the newest mail decides, and what was asked for with it.
        update auth.users u set encrypted_password = wanted.encrypted_password, raw_user_meta_data = wanted.raw_user_meta_data
         where u.id = known.id;
    end if;
    known := identity.mailed(known.id, 'signup', known.email, ask ->> 'confirmation_link', identity.hash_field(ask, 'confirmation_hash'));
    return jsonb_build_object('user', identity.shown(known), 'session', null, 'exists', false);
end $$;
comment on function identity.sign_up is
    'autoconfirm: confirmed at once, with a session if refresh_hash is there. Else a mail with a link, and no session.';

-- ------------------------------------------------------------------------------------------------------------ password

create function identity.failures(who uuid) returns bigint language sql stable set search_path = '' as $$
    select count(*) from people.failed_logins f where f.user_id = who and f.at > now() - interval '15 minutes'
$$;

create function identity.password(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    named uuid := core.uuid_field(ask, 'user_id');
    address text := identity.email_field(ask);
    u auth.users;
begin
    if named is not null then
        select * into u from auth.users x where x.id = named and x.deleted_at is null;
    else
        perform identity.required(ask, 'email');
        select * into u from auth.users x where x.email = address and not x.is_sso_user and x.deleted_at is null;
    end if;
    return jsonb_build_object('user_id', u.id, 'password_hash', nullif(u.encrypted_password, ''),
        'confirmed', u.confirmed_at is not null, 'banned', u.id is not null and identity.is_banned(u),
        'recent_failures', identity.failures(u.id));
end $$;
comment on function identity.password is
    'The same keys for somebody unknown, so that the edge compares with a hash of its own and takes as long.';

create function identity.failed_login(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    who uuid := core.uuid_field(ask, 'user_id');
begin
    delete from people.failed_logins f where f.user_id = who and f.at < now() - interval '1 day';
    insert into people.failed_logins (user_id) select p.id from people.profiles p where p.id = who;
    return jsonb_build_object('recent_failures', identity.failures(who));
end $$;
comment on function identity.failed_login is 'Counts for ledger.fraud_score. Nobody (null) is counted nowhere, in the same time.';

create function identity.open_session(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    u auth.users;
begin
    perform identity.required(ask, 'user_id', 'refresh_hash');
    select * into u from auth.users x where x.id = core.uuid_field(ask, 'user_id') and x.deleted_at is null for update;
    if not found then
        perform core.refuse('USER_NOT_FOUND', 404, 'User not found');
    elsif identity.given(ask, 'password_hash') and identity.password_field(ask) is distinct from u.encrypted_password then
        -- Changed while the edge was comparing: the old one opens nothing any more.
        perform core.refuse('INVALID_CREDENTIALS', 400, 'Invalid login credentials');
    elsif identity.is_banned(u) then
        perform core.refuse('USER_BANNED', 403, 'User is banned');
    elsif u.confirmed_at is null and not u.is_anonymous then
        perform core.refuse('EMAIL_NOT_CONFIRMED', 400, 'Email not confirmed');
    end if;
    return identity.opened(u.id, ask, coalesce(core.text_field(ask, 'amr', 1, 50), 'password'));
end $$;

create function api.identity_sign_up(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.sign_up(ask);
create function api.identity_password(ask jsonb) returns jsonb language sql stable security invoker set search_path = ''
    return identity.password(ask);
create function api.identity_failed_login(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.failed_login(ask);
create function api.identity_open_session(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.open_session(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.sign_up(jsonb), identity.password(jsonb), identity.failed_login(jsonb),
    identity.open_session(jsonb), api.identity_sign_up(jsonb), api.identity_password(jsonb), api.identity_failed_login(jsonb),
    api.identity_open_session(jsonb) to service_role;
