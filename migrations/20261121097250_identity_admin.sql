-- Identity: what an admin does with accounts: create, read, list, change, delete.
-- Why:       each of these is written to the audit log with before and after; addresses are masked there.
-- Locks:     none on existing tables.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.identity_admin_create(jsonb), api.identity_admin_get(jsonb), api.identity_admin_list(jsonb),
--            api.identity_admin_update(jsonb), api.identity_admin_delete(jsonb), and the functions created here.

create function identity.ban_field(ask jsonb) returns timestamptz language plpgsql stable set search_path = '' as $$
declare
    given text := core.text_field(ask, 'ban_duration', 1, 40);
begin
    if given = 'none' then
        return null;
    elsif given !~ '^([0-9]{1,9}(\.[0-9]{1,9})?(h|m|s|ms))+$' then
        perform core.invalid('ban_duration', 'must be a duration like 24h or 1h30m, or none');
    end if;
    return now() + given::interval;
exception when datetime_field_overflow or interval_field_overflow or invalid_datetime_format then
    perform core.invalid('ban_duration', 'is too long');
end $$;
comment on function identity.ban_field is 'Until when; null for none, and when nothing is given.';

create function identity.checked_role(ask jsonb) returns void language plpgsql stable set search_path = '' as $$
begin
    -- It becomes the database role of his tokens: rights of the house are rows of people.user_roles.
    if coalesce(core.text_field(ask, 'role', 0, 100), '') not in ('', 'authenticated') then
        perform core.invalid('role', 'must be authenticated');
    end if;
end $$;

create function identity.account(ask jsonb) returns auth.users language plpgsql set search_path = '' as $$
declare
    u auth.users;
begin
    perform identity.required(ask, 'user_id');
    select * into u from auth.users x where x.id = core.uuid_field(ask, 'user_id') for update;
    if not found then
        perform core.refuse('USER_NOT_FOUND', 404, 'User not found');
    end if;
    return u;
end $$;

-- ------------------------------------------------------------------------------------------------------------- creating

create function identity.admin_create(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    u auth.users;
begin
    u.id := core.uuid_field(ask, 'id');
    u.email := identity.email_field(ask);
    u.phone := identity.phone_field(ask);
    if u.email is null and u.phone is null then
        perform core.invalid('email', 'or a phone number is required');
    end if;
    perform identity.checked_role(ask);
    u.encrypted_password := identity.password_field(ask);
    u.email_confirmed_at := case when u.email is not null and identity.flag(ask, 'email_confirm') then now() end;
    u.phone_confirmed_at := case when u.phone is not null and identity.flag(ask, 'phone_confirm') then now() end;
    u.raw_user_meta_data := identity.object_field(ask, 'user_metadata');
    u.raw_app_meta_data := identity.merged('{}', identity.object_field(ask, 'app_metadata'));
    u.banned_until := identity.ban_field(ask);
    u := identity.added(u);
    perform identity.audited(core.uuid_field(ask, 'actor'), 'user_created', 'user', u.id::text, null, identity.snapshot(u));
    return jsonb_build_object('user', identity.shown(u));
end $$;

-- -------------------------------------------------------------------------------------------------------------- reading

create function identity.admin_get(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    u auth.users;
begin
    perform identity.required(ask, 'user_id');
    select * into u from auth.users x where x.id = core.uuid_field(ask, 'user_id');
    if not found then
        perform core.refuse('USER_NOT_FOUND', 404, 'User not found');
    end if;
    return jsonb_build_object('user', identity.shown(u));
end $$;

create function identity.admin_list(ask jsonb) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    page bigint := coalesce(core.amount_field(ask, 'page'), 1);
    size bigint := coalesce(core.amount_field(ask, 'per_page'), 50);
begin
    if size > 1000 or page > 1000000 then
        perform core.invalid('per_page', 'must be at most 1000, and page at most 1000000');
    end if;
    return jsonb_build_object('total', (select count(*) from auth.users), 'users', (
        select coalesce(jsonb_agg(identity.shown(x.u) order by (x.u).created_at desc, (x.u).id), '[]') from (
            select u from auth.users u order by u.created_at desc, u.id limit size offset (page - 1) * size) x));
end $$;
comment on function identity.admin_list is 'By number of page, as GoTrue''s admin client asks; the newest first.';

-- ------------------------------------------------------------------------------------------------------------- changing

create function identity.admin_address(u auth.users, ask jsonb) returns auth.users language plpgsql set search_path = '' as $$
declare
    address text := identity.email_field(ask);
    number text := identity.phone_field(ask);
    sure_email boolean := identity.flag(ask, 'email_confirm');
    sure_phone boolean := identity.flag(ask, 'phone_confirm');
    clash text;
begin
    update auth.users x set email = coalesce(address, x.email), phone = coalesce(number, x.phone),
           email_confirmed_at = case when sure_email and coalesce(address, x.email) is not null
               then coalesce(x.email_confirmed_at, now()) else x.email_confirmed_at end,
           phone_confirmed_at = case when sure_phone and coalesce(number, x.phone) is not null
               then coalesce(x.phone_confirmed_at, now()) else x.phone_confirmed_at end,
           is_anonymous = x.is_anonymous and not (sure_email and address is not null or sure_phone and number is not null)
     where x.id = u.id returning * into u;
    if address is not null then
        -- A link that went to the old address must not outlive it.
        delete from auth.one_time_tokens t where t.user_id = u.id;
    end if;
    if u.email is not null and (address is not null or sure_email) then
        u := identity.linked(u.id, 'email', u.email_confirmed_at is not null);
    end if;
    if u.phone is not null and (number is not null or sure_phone) then
        u := identity.linked(u.id, 'phone', u.phone_confirmed_at is not null);
    end if;
    return u;
exception when unique_violation then
    get stacked diagnostics clash = constraint_name;
    if clash = 'users_email_partial_key' then
        perform core.refuse('EMAIL_EXISTS', 422, 'A user with this email address has already been registered');
    elsif clash = 'users_phone_key' then
        perform core.refuse('PHONE_EXISTS', 422, 'A user with this phone number has already been registered');
    end if;
    raise;
end $$;

create function identity.admin_update(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    old auth.users := identity.account(ask);
    hash text := identity.password_field(ask);
    until timestamptz := identity.ban_field(ask);
    u auth.users;
begin
    perform identity.checked_role(ask);
    u := identity.admin_address(old, ask);
    if hash is not null then
        perform identity.new_password(u.id, hash, null);
    end if;
    update auth.users x set updated_at = now(),
           raw_user_meta_data = identity.merged(x.raw_user_meta_data, identity.object_field(ask, 'user_metadata')),
           raw_app_meta_data = identity.merged(x.raw_app_meta_data, identity.object_field(ask, 'app_metadata')),
           banned_until = case when identity.given(ask, 'ban_duration') then until else x.banned_until end
     where x.id = u.id returning * into u;
    perform identity.audited(core.uuid_field(ask, 'actor'), 'user_updated', 'user', u.id::text, identity.snapshot(old),
        identity.snapshot(u) || case when hash is not null then '{"password_changed": true}' else '{}' end::jsonb);
    return jsonb_build_object('user', identity.shown(u));
end $$;

-- ------------------------------------------------------------------------------------------------------------- deleting

create function identity.erased(who uuid) returns boolean language plpgsql set search_path = '' as $$
begin
    delete from people.failed_logins f where f.user_id = who;
    delete from people.user_roles r where r.user_id = who;
    delete from people.user_ids i where i.user_id = who;
    delete from people.profiles p where p.id = who;
    delete from auth.users u where u.id = who;
    return true;
exception when foreign_key_violation then
    return false;   -- Books, rides and payments keep whom they are about.
end $$;
comment on function identity.erased is 'True: the account is gone without a trace. False: something of ours refers to it, and all is as before.';

create function identity.scrambled(u auth.users) returns auth.users language plpgsql set search_path = '' as $$
declare
    salt text := gen_random_uuid()::text;   -- Or whoever has a list of addresses could try them.
begin
    update auth.users x set email = encode(sha256(convert_to(salt || x.email, 'UTF8')), 'hex'),
           phone = encode(sha256(convert_to(salt || x.phone, 'UTF8')), 'hex'), encrypted_password = null, email_change = '',
           phone_change = '', confirmation_token = '', recovery_token = '', email_change_token_current = '',
           email_change_token_new = '', phone_change_token = '', raw_user_meta_data = '{}', raw_app_meta_data = '{}',
           deleted_at = now(), updated_at = now() where x.id = u.id returning * into u;
    update auth.identities i set identity_data = '{}',
           provider_id = encode(sha256(convert_to(salt || i.provider_id || i.provider, 'UTF8')), 'hex') where i.user_id = u.id;
    delete from auth.one_time_tokens t where t.user_id = u.id;
    delete from auth.sessions s where s.user_id = u.id;
    update people.profiles p set email = null, first_name = null, last_name = null, is_active = false, deleted_at = now()
     where p.id = u.id;
    return u;
end $$;
comment on function identity.scrambled is 'GoTrue''s soft delete, and the profile with it: the id stays, the person does not.';

create function identity.admin_delete(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    old auth.users := identity.account(ask);
    told jsonb := identity.shown(old);
    u auth.users := old;
    soft boolean := identity.flag(ask, 'soft');
begin
    if not soft then
        soft := not identity.erased(old.id);
    end if;
    if soft and old.deleted_at is null then
        u := identity.scrambled(old);
    end if;
    perform identity.audited(core.uuid_field(ask, 'actor'), case when soft then 'user_deleted' else 'user_erased' end, 'user',
        old.id::text, identity.snapshot(old), case when soft then identity.snapshot(u) end);
    return jsonb_build_object('user', case when soft then identity.shown(u) else told end, 'soft', soft);
end $$;

create function api.identity_admin_create(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.admin_create(ask);
create function api.identity_admin_get(ask jsonb) returns jsonb language sql stable security invoker set search_path = ''
    return identity.admin_get(ask);
create function api.identity_admin_list(ask jsonb) returns jsonb language sql stable security invoker set search_path = ''
    return identity.admin_list(ask);
create function api.identity_admin_update(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.admin_update(ask);
create function api.identity_admin_delete(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return identity.admin_delete(ask);

revoke execute on all functions in schema api, identity from public;
grant execute on function identity.admin_create(jsonb), identity.admin_get(jsonb), identity.admin_list(jsonb),
    identity.admin_update(jsonb), identity.admin_delete(jsonb), api.identity_admin_create(jsonb), api.identity_admin_get(jsonb),
    api.identity_admin_list(jsonb), api.identity_admin_update(jsonb), api.identity_admin_delete(jsonb) to service_role;
