begin;
create function pg_temp.person(n integer, role text default null) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@audit.test') on conflict do nothing;
    insert into people.user_roles select someone, role where role is not null on conflict do nothing;
    return someone;
end $$;
create function pg_temp.seen(who uuid, door text default 'authenticated') returns jsonb language plpgsql as $$
declare
    lines jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('sub', who, 'role', door, 'app_metadata', '{"role": "admin"}'::jsonb))::text, true);
    perform set_config('role', door, true);
    select coalesce(jsonb_agg(to_jsonb(a)), '[]') into lines from api.audit_logs a where a.target_type = 'thing';
    perform set_config('role', 'none', true);
    return lines;
end $$;

-- Whose name, number or place it is does not show; what was done, how much, and to which object does.
do $$
begin
    assert core.masked('{"email": "fatou@x.test", "phone": "224620000001", "user_email": null, "destination": "224620000001", "pickup_lat": 9.5, "amount": 30000, "fee": 0,
        "wallet": {"id": "00000000-0000-4000-8000-000000000001", "first_name": "Fatou"}, "private_key": "x", "key": "sweep_batch", "is_open": true, "has_password": true,
        "past": [{"last_name": "Camara"}, "wrote to fatou@x.test", 7]}')
        = '{"email": "***", "phone": "***", "user_email": null, "destination": "***", "pickup_lat": "***", "amount": 30000, "fee": 0,
        "wallet": {"id": "00000000-0000-4000-8000-000000000001", "first_name": "***"}, "private_key": "***", "key": "sweep_batch", "is_open": true, "has_password": true,
        "past": [{"last_name": "***"}, "wrote to ***", 7]}';
    assert core.masked('"called +224 620 00 00 01 and 224620000001, owes 30000 for 12345678-0000-4000-8000-123456789012"')
        = '"called *** and ***, owes 30000 for 12345678-0000-4000-8000-123456789012"', core.masked('"called +224 620 00 00 01 and 224620000001, owes 30000 for 12345678-0000-4000-8000-123456789012"')::text;
    assert core.masked('{}') = '{}' and core.masked('[]') = '[]' and core.masked(null) is null and core.masked('null') = 'null';
end $$;

-- Administrators and the pdg read it, newest first; nobody else sees a line, whatever his token claims.
do $$
declare
    boss uuid := pg_temp.person(1, 'admin');
    head uuid := pg_temp.person(2, 'pdg');
    agent uuid := pg_temp.person(3, 'agent');
    lines jsonb;
    denied integer := 0;
    door text;
begin
    insert into core.audit_logs (action, target_type, target_id, old, new, created_at)
    select 'moved', 'thing', n::text, jsonb_build_object('amount', n), jsonb_build_object('amount', n + 1, 'phone', '224620000001'),
           now() - make_interval(mins => n / 2) from generate_series(0, 5) n;
    lines := pg_temp.seen(boss);
    assert jsonb_array_length(lines) = 6 and lines = pg_temp.seen(head);
    assert lines = (select jsonb_agg(line order by line ->> 'created_at' desc, line ->> 'id' desc) from jsonb_array_elements(lines) line), 'not newest first';
    assert lines -> 0 -> 'new' ->> 'phone' = '***' and lines::text not like '%224620000001%';
    assert lines -> 0 ?& '{id,actor_id,action,target_type,target_id,old,new,request_id,created_at}'
        and (select count(*) = 9 from jsonb_object_keys(lines -> 0));
    assert pg_temp.seen(agent) = '[]' and pg_temp.seen(gen_random_uuid()) = '[]' and pg_temp.seen(null) = '[]';
    delete from people.user_roles where user_id = boss;
    assert pg_temp.seen(boss) = '[]', 'the role is read now, not when he signed in';
    foreach door in array array['anon', 'service_role'] loop
        begin
            perform pg_temp.seen(head, door);
        exception when insufficient_privilege then
            denied := denied + 1;
        end;
    end loop;
    assert denied = 2, 'a door too many';
end $$;

-- Nobody changes it, and its parts are no way around.
do $$
declare
    part text;
    command text;
    denied integer := 0;
begin
    select format('%I.%I', n.nspname, c.relname) into part from core.audit_logs a join pg_class c on c.oid = a.tableoid join pg_namespace n on n.oid = c.relnamespace limit 1;
    perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.person(2))::text, true), set_config('role', 'authenticated', true);
    foreach command in array array['insert into api.audit_logs (action) values (1)', 'update api.audit_logs set action = 1', 'delete from api.audit_logs',
        'insert into core.audit_logs (action) values (1)', 'update core.audit_logs set action = 1', 'delete from core.audit_logs', 'truncate core.audit_logs',
        'select * from ' || part] loop
        begin
            execute command;
        exception when others then
            assert sqlstate in ('42501', '42804', '0A000', '55000'), sqlstate || ' for ' || command;
            denied := denied + 1;
        end;
    end loop;
    perform set_config('role', 'none', true);
    assert denied = 8, 'it was changed';
end $$;
rollback;
