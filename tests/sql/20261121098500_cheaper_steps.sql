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

-- What the cheap forms take is exactly what the patterns took that they replace.
do $$
declare
    given text;
    id text := '00000000-0000-4000-8000-00000000000f';
begin
    foreach given in array array[id, upper(id), 'abcdefAB-cdef-0123-4567-89ABCDEF0123', '', '0', replace(id, '-', ''), '{' || id || '}', id || '0', ' ' || id,
        id || E'\n', replace(id, 'f', 'g'), replace(id, 'f', 'é'), '000000000-000-4000-8000-00000000000f', replace(id, '4', '-'), replace(id, '-', '0'),
        replace(id, '-', '_'), overlay(id placing '{}' from 1 for 2), '٠' || substr(id, 2)] loop
        assert core.is_uuid(given) = (given ~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$'), given;
    end loop;
    assert core.is_uuid(null) is null and core.uuid_field(jsonb_build_object('id', id), 'id') = id::uuid;
    assert pg_temp.code(format('select core.uuid_field(%L, ''id'')', jsonb_build_object('id', '{' || id || '}'))) = 'VALIDATION_ERROR';
    foreach given in array array['12345678', '1234567', repeat('!', 255), repeat('~', 256), 'with a space', 'a' || E'\n' || 'line-long', E'tabbed\tkey',
        'clé-clé-clé', repeat('é', 8), '', E'12345678\n', 'ключ-ключ'] loop
        assert (pg_temp.code(format('select core.idempotency_key(%L)', jsonb_build_object('idempotency_key', given))) = 'ok')
            = (given ~ '^[!-~]{8,255}$'), given;
    end loop;
    assert core.idempotency_key('{}') is null and core.idempotency_key('{"idempotency_key": null}') is null;
    foreach given in array array['1', '9007199254740991', '9007199254740992', '99999999999999999999', '0', '-1', '1.0', '1.5', '1e3', '"1"', '""', 'true', '[1]', '{}',
        '0.1', '1e-3', '-0', '12345678901234567'] loop
        assert (pg_temp.code(format('select core.amount_field(%L, ''a'')', jsonb_build_object('a', given::jsonb))) = 'ok')
            = (jsonb_typeof(given::jsonb) = 'number' and given::jsonb::text ~ '^[0-9]{1,16}$' and given::jsonb::text::numeric between 1 and 9007199254740991), given;
    end loop;
end $$;

-- A share is rounded half up once, the largest too; a fingerprint is of all that was asked but the key and the confirmation.
do $$ begin
    assert (select bool_and(core.bps(a, b) = floor(a::numeric * b / 10000 + 0.5)) from unnest(array[0, 1, 49, 50, 149, 150, 9999, 10001, 9007199254740991]) a,
        unnest(array[0, 1, 100, 8500, 9999, 10000]) b);
    assert core.bps(null, 1) is null;
    assert core.fingerprint('{"a": 1, "idempotency_key": "x", "confirm_duplicate": true}') = sha256('{"a": 1}') and core.fingerprint('{"a": 2}') <> core.fingerprint('{"a": 1}');
    perform set_config('request.headers', '', true);
    assert core.request_id() is null;
    perform set_config('request.headers', '{"x": "1", "x-request-id": "r-1"}', true);
    assert core.request_id() = 'r-1';
end $$;

-- A status other than 200 is still said, and 200 says nothing over what was said before.
do $$ begin
    perform set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000001"}', true);
    assert core.remember('f', '{"idempotency_key": "key-0001"}', '{"done": 1}', 202) = '{"done": 1}' and current_setting('response.status') = '202';
    assert core.remember('f', '{"idempotency_key": "key-0002"}', '{"done": 2}') = '{"done": 2}' and current_setting('response.status') = '202';
    assert (select array_agg(status order by key) from core.idempotency_keys where function = 'f') = '{202,200}';
end $$;
rollback;
