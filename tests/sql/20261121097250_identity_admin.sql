begin;
\ir lib/identity.psql
create function pg_temp.made(name text, more jsonb default '{}') returns jsonb language sql as $$
    select pg_temp.ask('identity_admin_create', jsonb_build_object('email', name || '@identity.test', 'password_hash', pg_temp.bcrypt(name)) || more) -> 'user'
$$;

-- An admin makes an account as it is asked for, and a role of the database is not to be had.
do $$
declare
    boss uuid := (pg_temp.signed_up('boss') -> 'user' ->> 'id')::uuid;
    u jsonb;
begin
    u := pg_temp.made('made', jsonb_build_object('actor', boss, 'email_confirm', true, 'phone', '+224620000001', 'phone_confirm', false,
        'user_metadata', '{"n": 1}'::jsonb, 'app_metadata', '{"plan": "pro", "gone": null}'::jsonb, 'ban_duration', 'none',
        'id', '00000000-0000-4000-8000-000000000077'));
    assert u ->> 'id' = '00000000-0000-4000-8000-000000000077' and u ->> 'phone' = '224620000001' and u ? 'email_confirmed_at'
       and not u ? 'phone_confirmed_at' and not u ? 'banned_until', u::text;
    assert u -> 'app_metadata' = '{"plan": "pro", "provider": "email", "providers": ["email", "phone"]}' and u -> 'user_metadata' = '{"n": 1}', u::text;
    assert (select array_agg(i ->> 'provider') from jsonb_array_elements(u -> 'identities') i) = '{email,phone}';
    assert (select (a.actor_id, a.old, a.new ->> 'email', a.new ->> 'phone', a.new -> 'user_metadata_keys') is not distinct from (boss, null::jsonb, 'm***@identity.test', '***01',
                '["n"]'::jsonb) from core.audit_logs a where a.action = 'user_created' and a.target_id = u ->> 'id');
    assert pg_temp.told('identity_admin_create', '{"email": "MADE@identity.test"}') = 'EMAIL_EXISTS 422';
    assert pg_temp.told('identity_admin_create', '{"phone": "224620000001"}') = 'PHONE_EXISTS 422';
    assert pg_temp.told('identity_admin_create', '{"email": "x@identity.test", "id": "00000000-0000-4000-8000-000000000077"}') = 'USER_EXISTS 422';
    assert pg_temp.told('identity_admin_create', '{"email": "x@identity.test", "role": "service_role"}') = 'VALIDATION_ERROR 400';
    assert pg_temp.told('identity_admin_create', '{}') = 'VALIDATION_ERROR 400';
    assert pg_temp.ask('identity_admin_create', '{"phone": "224620000002"}') -> 'user' -> 'app_metadata' = '{"provider": "phone", "providers": ["phone"]}';
    assert not exists (select from auth.users where email = 'x@identity.test');
end $$;

-- How long a ban is, in Go's words; the last good and the first bad.
do $$
declare
    c record;
    got text;
begin
    for c in select * from (values ('24h', '24:00:00'), ('1h30m', '01:30:00'), ('90s', '00:01:30'), ('1.5h', '01:30:00'), ('300ms', '00:00:00.3'),
        ('876600h', '876600:00:00'), ('none', null), ('', 'no'), ('24', 'no'), ('1d', 'no'), ('-1h', 'no'), ('1 h', 'no'),
        ('999999999h999999999h', 'no')) as t (given, expected)
    loop
        begin
            got := (identity.ban_field(jsonb_build_object('ban_duration', c.given)) - now())::text;
        exception when sqlstate 'PGRST' then
            got := case sqlerrm::jsonb ->> 'code' when 'VALIDATION_ERROR' then 'no' else sqlerrm end;
        end;
        assert got::interval is not distinct from c.expected::interval, format('%s: %s', c.given, got);
    end loop;
exception when invalid_datetime_format then
    assert got = c.expected, format('%s: %s', c.given, got);
end $$;

-- Reading: by id, or page by page, the newest first.
do $$
declare
    u jsonb := pg_temp.made('listed');
    all_of_them bigint := (select count(*) from auth.users);
begin
    update auth.users set created_at = now() + interval '1 second' where id::text = u ->> 'id';
    assert pg_temp.ask('identity_admin_get', jsonb_build_object('user_id', u -> 'id')) -> 'user' ->> 'email' = 'listed@identity.test';
    assert pg_temp.told('identity_admin_get', jsonb_build_object('user_id', gen_random_uuid())) = 'USER_NOT_FOUND 404';
    assert pg_temp.told('identity_admin_get', '{"user_id": "7"}') = 'VALIDATION_ERROR 400';
    u := pg_temp.ask('identity_admin_list', '{"page": 1, "per_page": 2}');
    assert u -> 'total' = to_jsonb(all_of_them) and jsonb_array_length(u -> 'users') = 2 and u -> 'users' -> 0 ->> 'email' = 'listed@identity.test', u::text;
    assert (select count(distinct x ->> 'id') = all_of_them from generate_series(1, all_of_them) n,
        jsonb_array_elements(pg_temp.ask('identity_admin_list', jsonb_build_object('page', n, 'per_page', 1)) -> 'users') x), 'each on one page';
    assert pg_temp.ask('identity_admin_list', '{"page": 1000, "per_page": 1000}') -> 'users' = '[]';
    assert pg_temp.told('identity_admin_list', '{"per_page": 1001}') = 'VALIDATION_ERROR 400';
    assert pg_temp.told('identity_admin_list', '{"page": 0}') = 'VALIDATION_ERROR 400';
end $$;

-- Changing: only what is given; a ban shuts the door, a password ends every session, and both sides are written down.
do $$
declare
    who text := pg_temp.signed_up('changed') -> 'user' ->> 'id';
    ask jsonb := jsonb_build_object('user_id', who);
    before auth.users;
    u jsonb;
begin
    select * into before from auth.users where id::text = who;
    u := pg_temp.ask('identity_admin_update', ask || '{"app_metadata": {"plan": "pro"}}') -> 'user';
    assert u -> 'app_metadata' = '{"plan": "pro", "provider": "email", "providers": ["email"]}' and pg_temp.sessions(who) = 1, u::text;
    assert (select (x.email, x.encrypted_password, x.email_confirmed_at, x.banned_until) is not distinct from
        (before.email, before.encrypted_password, before.email_confirmed_at, before.banned_until) from auth.users x where x.id = before.id);
    u := pg_temp.ask('identity_admin_update', ask || '{"ban_duration": "1h"}') -> 'user';
    assert u ? 'banned_until' and pg_temp.told('identity_user', ask) = 'USER_BANNED 403';
    assert pg_temp.ask('identity_admin_update', ask || '{"user_metadata": {"n": 2}}') -> 'user' ? 'banned_until', 'who says nothing of it changes nothing';
    assert not pg_temp.ask('identity_admin_update', ask || '{"ban_duration": "none"}') -> 'user' ? 'banned_until';
    perform pg_temp.ask('identity_recover', jsonb_build_object('email', 'changed@identity.test', 'token_hash', pg_temp.hash('k'), 'link', 'https://x.test'));
    perform pg_temp.ask('identity_admin_update', ask || '{"email": "changed1@identity.test"}');
    assert pg_temp.told('identity_verify', jsonb_build_object('type', 'recovery', 'token_hash', pg_temp.hash('k'), 'refresh_hash', pg_temp.hash('kr')))
        = 'OTP_EXPIRED 403', 'the link went to an address that is no longer his';
    u := pg_temp.ask('identity_admin_update', ask || jsonb_build_object('password_hash', pg_temp.bcrypt('new'), 'email', 'Changed2@identity.test',
        'phone', '224620000003', 'phone_confirm', true)) -> 'user';
    assert pg_temp.sessions(who) = 0 and u ->> 'email' = 'changed2@identity.test' and u ? 'phone_confirmed_at' and jsonb_array_length(u -> 'identities') = 2, u::text;
    assert (select p.email from people.profiles p where p.id::text = who) = 'changed2@identity.test';
    assert (select a.new ->> 'password_changed' = 'true' and a.old ->> 'email' = 'c***@identity.test' and a.new::text !~ '2a\$10' from core.audit_logs a
             where a.action = 'user_updated' and a.target_id = who and a.new ? 'password_changed');
    assert pg_temp.told('identity_admin_update', ask || '{"email": "made@identity.test"}') = 'EMAIL_EXISTS 422';
    assert pg_temp.told('identity_admin_update', ask || '{"phone": "224620000001"}') = 'PHONE_EXISTS 422';
    assert pg_temp.told('identity_admin_update', ask || '{"role": "service_role"}') = 'VALIDATION_ERROR 400';
    assert pg_temp.told('identity_admin_update', jsonb_build_object('user_id', gen_random_uuid())) = 'USER_NOT_FOUND 404';
end $$;

-- Deleting somebody nothing refers to leaves nothing, and his address is free again.
do $$
declare
    who uuid := (pg_temp.signed_up('fresh') -> 'user' ->> 'id')::uuid;
    got jsonb;
begin
    insert into people.failed_logins (user_id) values (who);
    insert into people.user_roles values (who, 'client');
    got := pg_temp.ask('identity_admin_delete', jsonb_build_object('user_id', who));
    assert got -> 'soft' = 'false' and got -> 'user' ->> 'email' = 'fresh@identity.test', got::text;
    assert not exists (select from auth.users where id = who) and not exists (select from people.profiles where id = who)
       and not exists (select from auth.identities where user_id = who) and pg_temp.sessions(who::text) = 0;
    assert (select a.old ->> 'email' = 'f***@identity.test' and a.new is null from core.audit_logs a where a.action = 'user_erased' and a.target_id = who::text);
    assert pg_temp.told('identity_admin_delete', jsonb_build_object('user_id', who)) = 'USER_NOT_FOUND 404';
    assert pg_temp.signed_up('fresh', jsonb_build_object('refresh_hash', pg_temp.hash('again'))) -> 'exists' = 'false';
end $$;

-- Somebody whom the books know becomes nobody: the id stays, and all that hangs on it; person, password and sessions go.
do $$
declare
    who uuid := (pg_temp.signed_up('known', '{"data": {"first_name": "Awa"}}') -> 'user' ->> 'id')::uuid;
    wallet uuid := ledger.wallet_for(who, 'GNF');
    got jsonb;
    u auth.users;
begin
    insert into people.user_roles values (who, 'driver');
    got := pg_temp.ask('identity_admin_delete', jsonb_build_object('user_id', who, 'soft', false));
    select * into u from auth.users where id = who;
    assert got -> 'soft' = 'true' and u.deleted_at is not null and u.email ~ '^[0-9a-f]{64}$' and u.encrypted_password is null
       and u.raw_user_meta_data = '{}' and u.raw_app_meta_data = '{}', u::text;
    assert exists (select from ledger.wallets w where w.id = wallet and w.user_id = who) and people.has_role(who, 'driver'), 'half of the hard way stayed';
    assert (select (p.email, p.first_name, p.is_active) is not distinct from (null::text, null::text, false) and p.deleted_at is not null
              from people.profiles p where p.id = who);
    assert pg_temp.sessions(who::text) = 0 and (select i.identity_data = '{}' and i.provider_id <> who::text from auth.identities i where i.user_id = who);
    assert pg_temp.ask('identity_password', '{"email": "known@identity.test"}') -> 'user_id' = 'null';
    assert pg_temp.told('identity_open_session', jsonb_build_object('user_id', who, 'refresh_hash', pg_temp.hash('z'))) = 'USER_NOT_FOUND 404';
    assert pg_temp.told('identity_user', jsonb_build_object('user_id', who)) = 'USER_NOT_FOUND 403';
    assert pg_temp.signed_up('known', jsonb_build_object('refresh_hash', pg_temp.hash('known2'))) -> 'exists' = 'false', 'the address is free';
    -- Again, and softly where it was asked for: the first scrambling stands.
    assert pg_temp.ask('identity_admin_delete', jsonb_build_object('user_id', who, 'soft', true)) -> 'user' ->> 'email' = u.email;
    got := pg_temp.ask('identity_admin_delete', jsonb_build_object('user_id', (select id from auth.users where email = 'fresh@identity.test'), 'soft', true));
    assert got -> 'soft' = 'true' and got -> 'user' ? 'deleted_at';
end $$;
rollback;
