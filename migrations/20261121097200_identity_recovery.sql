-- Identity: mailed links (recovery, sign-in, confirmation, new address), and what a user changes about himself.
-- Why:       a link works once and for an hour; a new password ends every session but the one it was set in.
-- Locks:     none on existing tables; the user's row before his tokens and sessions.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.identity_recover(jsonb), api.identity_verify(jsonb), api.identity_update_user(jsonb), and the
--            functions created here.

create function identity.recover(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    address text := identity.email_field(ask);
    kind text := coalesce(core.text_field(ask, 'type', 1, 20), 'recovery');
    u auth.users;
begin
    perform identity.required(ask, 'email', 'token_hash', 'link');
    if kind not in ('recovery', 'magiclink', 'signup') then
        perform core.invalid('type', 'must be recovery, magiclink or signup');
    end if;
    select * into u from auth.users x where x.email = address and not x.is_sso_user and x.deleted_at is null;
    if found and not identity.is_banned(u) and (kind <> 'signup' or u.confirmed_at is null) then
        perform identity.mailed(u.id, kind, u.email, ask ->> 'link', identity.hash_field(ask, 'token_hash'));
    end if;
    return '{}';   -- Whoever asks does not learn who has an account.
end $$;

-- ----------------------------------------------------------------------------------------------------------- verifying

create function identity.redeemed(ask jsonb) returns auth.one_time_tokens language plpgsql set search_path = '' as $$
declare
    wanted text := core.text_field(ask, 'type', 1, 20);
    kinds auth.one_time_token_type[] := case wanted
        when 'recovery' then '{recovery_token}' when 'magiclink' then '{recovery_token}'
        when 'signup' then '{confirmation_token}' when 'invite' then '{confirmation_token}'
        when 'email' then '{confirmation_token,recovery_token}' when 'email_change' then '{email_change_token_new}' end;
    presented text := identity.hash_field(ask, 'token_hash');
    address text := identity.email_field(ask);
    owner uuid;
    found_token auth.one_time_tokens;
begin
    if kinds is null then
        perform core.invalid('type', 'must be recovery, magiclink, signup, invite, email or email_change');
    end if;
    perform identity.required(ask, 'token_hash', 'refresh_hash');
    select t.user_id into owner from auth.one_time_tokens t where t.token_hash = presented and t.token_type = any (kinds);
    perform from auth.users u where u.id = owner for update;
    -- Of two with the same link, the second finds nothing here.
    delete from auth.one_time_tokens t
     where t.user_id = owner and t.token_hash = presented and t.token_type = any (kinds)
       and t.created_at > now() at time zone 'UTC' - make_interval(secs => core.setting('one_time_token_seconds'))
       and (address is null or lower(t.relates_to) = address)
    returning * into found_token;
    if not found then
        perform core.refuse('OTP_EXPIRED', 403, 'Email link is invalid or has expired');
    end if;
    return found_token;
end $$;
comment on function identity.redeemed is 'Unknown, used, expired, for another address: one refusal, which says nothing of the four.';

create function identity.readdressed(who uuid, address text) returns auth.users language plpgsql set search_path = '' as $$
declare
    old auth.users;
    u auth.users;
    clash text;
begin
    select * into old from auth.users x where x.id = who;
    update auth.users x set email = address, email_confirmed_at = now(), email_change = '', email_change_sent_at = null,
           is_anonymous = false, updated_at = now() where x.id = who;
    -- A link that went to the old address must not outlive it.
    delete from auth.one_time_tokens t where t.user_id = who;
    u := identity.linked(who, 'email', true);
    perform identity.audited(who, 'email_changed', 'user', who::text, identity.snapshot(old), identity.snapshot(u));
    return u;
exception when unique_violation then
    get stacked diagnostics clash = constraint_name;
    if clash <> 'users_email_partial_key' then
        raise;
    end if;
    perform core.refuse('EMAIL_EXISTS', 422, 'A user with this email address has already been registered');
end $$;

create function identity.verify(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    token auth.one_time_tokens := identity.redeemed(ask);
    u auth.users;
begin
    select * into u from auth.users x where x.id = token.user_id;
    if identity.is_banned(u) then
        perform core.refuse('USER_BANNED', 403, 'User is banned');
    elsif token.token_type = 'email_change_token_new' then
        u := identity.readdressed(u.id, token.relates_to);
    elsif u.email_confirmed_at is null then
        -- Whoever opens a link that went to the address has shown that it is his.
        update auth.users x set email_confirmed_at = now() where x.id = u.id;
        u := identity.linked(u.id, 'email', true);
    end if;
    return identity.opened(u.id, ask, 'otp');
end $$;

-- ------------------------------------------------------------------------------------------------------------ updating

create function identity.new_password(who uuid, hash text, keep uuid) returns void language plpgsql set search_path = '' as $$
begin
    update auth.users u set encrypted_password = hash, updated_at = now() where u.id = who;
    delete from auth.sessions s where s.user_id = who and s.id is distinct from keep;
    delete from auth.one_time_tokens t where t.user_id = who and t.token_type = 'recovery_token';
end $$;
comment on function identity.new_password is 'Ends every session but keep (null: every one), and the links that could set another.';

create function identity.update_user(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    address text := identity.email_field(ask);
    hash text := identity.password_field(ask);
    data jsonb := identity.object_field(ask, 'data');
    u auth.users;
begin
    perform from auth.users x where x.id = core.uuid_field(ask, 'user_id') for update;
    u := identity.present(ask);
    if address = u.email then
        address := null;
    elsif exists (select from auth.users x where x.email = address and not x.is_sso_user) then
        perform core.refuse('EMAIL_EXISTS', 422, 'A user with this email address has already been registered');
    end if;
    if address is not null and identity.flag(ask, 'autoconfirm') then
        u := identity.readdressed(u.id, address);
    elsif address is not null then
        perform identity.mailed(u.id, 'email_change', address, ask ->> 'confirmation_link',
            identity.hash_field(ask, 'confirmation_hash'));
        update auth.users x set email_change = address where x.id = u.id returning * into u;
    end if;
    if hash is not null then
        if u.email is null and u.phone is null and address is null then
            perform core.invalid('password', 'needs an e-mail address or a phone number to sign in with');
        end if;
        perform identity.new_password(u.id, hash, core.uuid_field(ask, 'session_id'));
        perform identity.audited(u.id, 'password_changed', 'user', u.id::text, null, null);
    end if;
    -- Never app_metadata: rights hang on it.
    update auth.users x set raw_user_meta_data = identity.merged(x.raw_user_meta_data, data), updated_at = now()
     where x.id = u.id returning * into u;
    if length(u.raw_user_meta_data::text) > 16384 then
        perform core.invalid('data', 'makes more than 16384 characters together with what is there');
    end if;
    return jsonb_build_object('user', identity.shown(u));
end $$;

create function api.identity_recover(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.recover(ask);
create function api.identity_verify(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.verify(ask);
create function api.identity_update_user(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.update_user(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.recover(jsonb), identity.verify(jsonb), identity.update_user(jsonb), api.identity_recover(jsonb),
    api.identity_verify(jsonb), api.identity_update_user(jsonb) to service_role;
