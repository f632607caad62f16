begin;
-- The code of a refusal, or the SQLSTATE of any other error; 'ok' when there is none.
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.sign_in(who uuid, aal text default 'aal1') returns void language sql as $$
    select set_config('request.jwt.claims', jsonb_build_object('sub', who, 'role', 'authenticated', 'aal', aal)::text, true)
$$;
insert into auth.users (id, email, raw_user_meta_data) values
    ('00000000-0000-4000-8000-000000000001', 'alice@platform.test', '{"first_name": "Alice", "last_name": "Bah"}'),
    ('00000000-0000-4000-8000-000000000002', 'bob@platform.test', jsonb_build_object('first_name', repeat('b', 300), 'last_name', ''));

-- Signing up makes the profile: names are cut to fit, ids are unique; what the user wrote gives no right.
do $$
declare
    bob people.profiles;
begin
    select * into bob from people.profiles where email = 'bob@platform.test';
    assert length(bob.first_name) = 100 and bob.last_name is null and bob.public_id ~ '^[0-9A-F]{12}$';
    assert (select count(distinct custom_id) from people.user_ids i join people.profiles p on p.id = i.user_id
             where p.email like '%@platform.test' and custom_id ~ '^USR[0-9]{4,}$') = 2;
    insert into auth.users (id, email, raw_user_meta_data) values
        ('00000000-0000-4000-8000-000000000003', 'eve@platform.test', '{"role": "admin", "roles": ["admin"]}');
    assert not people.has_role('00000000-0000-4000-8000-000000000003', 'admin', 'pdg');
    assert not people.has_role(null, 'admin'), 'a missing identity has no role';
    insert into people.user_roles values (bob.id, 'driver');
    assert people.has_role(bob.id, 'admin', 'driver') and not people.has_role(bob.id, 'admin');
end $$;

-- A user sees his own profile and nothing else of these schemas; nobody from outside writes.
do $$
declare
    door text;
begin
    perform pg_temp.sign_in('00000000-0000-4000-8000-000000000001');
    set local role authenticated;
    assert (select array_agg(email) from api.profiles) = array['alice@platform.test'];
    assert pg_temp.code('update people.profiles set first_name = ''x''') = '42501';
    assert pg_temp.code('select * from core.idempotency_keys') = '42501';
    assert pg_temp.code('select * from core.settings') = '42501';
    assert pg_temp.code('select core.audit(''x'', ''x'', ''x'')') = '42501';
    assert pg_temp.code('select core.keep_partitions()') = '42501';
    assert pg_temp.code('insert into people.user_roles values (auth.uid(), ''admin'')') = '42501';
    assert pg_temp.code('select people.has_role(auth.uid(), ''admin'')') = '42501', 'roles of others cannot be asked for';
    reset role;
    foreach door in array array['anon', 'service_role'] loop
        perform set_config('role', door, true);
        assert api.health() = '{"staff": false, "database": "ok"}';
        assert pg_temp.code('select * from people.profiles') = '42501', door || ' reads profiles';
        assert pg_temp.code('insert into core.outbox (channel, payload, dedupe_key) values (''sms'', ''{}'', ''x'')') = '42501';
        reset role;
    end loop;
end $$;
rollback;
