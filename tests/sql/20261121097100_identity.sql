begin;
\ir lib/identity.psql

-- A user is shown in GoTrue's shape: what is null is absent, a missing address is an empty text, nulls inside metadata stay.
do $$
declare
    u jsonb;
    names text[];
begin
    insert into auth.users (id, email, raw_user_meta_data, raw_app_meta_data, created_at, updated_at)
    values ('00000000-0000-4000-8000-000000000001', 'bare@identity.test', '{"a": {"b": null}}', null,
        '2026-01-02 03:04:05.678901Z', '2026-01-02 04:04:05+01');
    select identity.shown(x) into u from auth.users x where x.id = '00000000-0000-4000-8000-000000000001';
    assert u = '{"id": "00000000-0000-4000-8000-000000000001", "aud": "authenticated", "role": "authenticated",
        "email": "bare@identity.test", "phone": "", "app_metadata": {}, "user_metadata": {"a": {"b": null}}, "identities": [],
        "created_at": "2026-01-02T03:04:05.678901Z", "updated_at": "2026-01-02T03:04:05.000000Z", "is_anonymous": false}', u::text;
    u := pg_temp.signed_up('shape', '{"data": {"first_name": "Awa"}}') -> 'user';
    select array_agg(k order by k) into names from jsonb_object_keys(u) k;
    assert names = '{app_metadata,aud,confirmed_at,created_at,email,email_confirmed_at,id,identities,is_anonymous,last_sign_in_at,phone,
        role,updated_at,user_metadata}', names::text;
    assert u -> 'app_metadata' = '{"provider": "email", "providers": ["email"]}' and u -> 'user_metadata' = '{"first_name": "Awa"}';
    u := u -> 'identities' -> 0;
    select array_agg(k order by k) into names from jsonb_object_keys(u) k;
    assert names = '{created_at,email,id,identity_data,identity_id,last_sign_in_at,provider,updated_at,user_id}', names::text;
    assert u ->> 'id' = u ->> 'user_id' and u ->> 'email' = 'shape@identity.test' and u ->> 'provider' = 'email';
    assert u -> 'identity_data' = jsonb_build_object('sub', u ->> 'user_id', 'email', 'shape@identity.test', 'email_verified', true,
        'phone_verified', false), u::text;
end $$;

-- Bounds in pairs: the last good and the first bad.
do $$
declare
    c record;
    got text;
begin
    for c in select * from (values
        ('select identity.email_field(''{"email": " A@B.C "}'')', 'a@b.c'), ('select identity.email_field(''{"email": "a@b@c"}'')', 'no'),
        ('select identity.email_field(''{"email": "a b@c"}'')', 'no'), ('select identity.email_field(''{"email": "ab"}'')', 'no'),
        ('select identity.email_field(''{"email": 7}'')', 'no'), ('select identity.email_field(''{}'')', null),
        ('select identity.email_field(jsonb_build_object(''email'', repeat(''a'', 252) || ''@b''))', repeat('a', 252) || '@b'),
        ('select identity.email_field(jsonb_build_object(''email'', repeat(''a'', 253) || ''@b''))', 'no'),
        ('select identity.phone_field(''{"phone": "+22462000"}'')', '22462000'), ('select identity.phone_field(''{"phone": "2246200"}'')', 'no'),
        ('select identity.phone_field(''{"phone": "123456789012345"}'')', '123456789012345'),
        ('select identity.phone_field(''{"phone": "1234567890123456"}'')', 'no'), ('select identity.phone_field(''{"phone": "12345678a"}'')', 'no'),
        ('select identity.hash_field(''{"h": "AB"}'', ''h'')', 'no'), ('select identity.hash_field(''{"h": null}'', ''h'')', null),
        ('select identity.password_field(''{"password_hash": "secret12"}'')', 'no'),
        ('select identity.flag(''{"f": "true"}'', ''f'')', 'no'), ('select identity.flag(''{"f": null}'', ''f'')', 'false'),
        ('select identity.object_field(''{"d": []}'', ''d'')', 'no'), ('select identity.ip_field(''{"ip": "not one"}'')', null),
        ('select identity.ip_field(''{"ip": "2001:db8::1"}'')', '2001:db8::1/128'),
        ('select length(identity.object_field(jsonb_build_object(''d'', jsonb_build_object(''k'', repeat(''x'', 16375))), ''d'')::text)', '16384'),
        ('select identity.object_field(jsonb_build_object(''d'', jsonb_build_object(''k'', repeat(''x'', 16376))), ''d'')', 'no'),
        ('select identity.merged(''{"a": 1, "b": {"c": 1}}'', ''{"a": null, "b": {"d": null}, "e": 2}'')', '{"b": {"d": null}, "e": 2}'),
        ('select identity.merged(null, null)', '{}'), ('select identity.masked(''awa@x.org'')', 'a***@x.org'),
        ('select identity.masked(''224620000001'')', '***01'), ('select identity.masked('''')', null)) as t (command, expected)
    loop
        begin
            execute c.command into got;
        exception when sqlstate 'PGRST' then
            got := case sqlerrm::jsonb ->> 'code' when 'VALIDATION_ERROR' then 'no' else sqlerrm end;
        end;
        assert got is not distinct from c.expected, format('%s: %s', c.command, got);
    end loop;
end $$;

-- A session is over by its date, or when nobody has refreshed it for 90 days.
do $$
declare
    c record;
    s auth.sessions;
begin
    for c in select * from (values ('89 days 23 hours', null, null, false), ('90 days 1 hour', null, null, true),
        ('200 days', '89 days', null, false), ('200 days', '91 days', null, true), ('1 day', null, '1 minute', true),
        ('1 day', null, '-1 minute', false)) as t (made, refreshed, ended, over)
    loop
        s.created_at := now() - c.made::interval;
        s.refreshed_at := now() at time zone 'UTC' - c.refreshed::interval;
        s.not_after := now() - c.ended::interval;
        assert identity.is_over(s) = c.over, c::text;
    end loop;
end $$;

-- Nothing of it can be called from outside but the public keys; and an account's tables by nobody at all.
do $$
declare
    offender text;
begin
    select string_agg(p.oid::regprocedure || ' by ' || door, ', ') into offender
      from pg_proc p cross join unnest(array['anon', 'authenticated', 'authenticator']) door
     where (p.pronamespace = 'identity'::regnamespace or p.pronamespace = 'api'::regnamespace and p.proname ~ '^(identity_|signing_key|jwks)')
       and p.proname <> 'jwks' and has_function_privilege(door, p.oid, 'execute');
    assert offender is null, offender;
    -- The service reaches the commands, and no piece they are made of.
    select string_agg(p.proname, ', ' order by p.proname) into offender from pg_proc p
     where p.pronamespace = 'identity'::regnamespace and has_function_privilege('service_role', p.oid, 'execute')
       and not p.prosecdef;
    assert offender is null, offender;
    assert not has_schema_privilege('anon', 'identity', 'usage') and not has_schema_privilege('authenticated', 'identity', 'usage');
end $$;
rollback;
