begin;
\ir lib/identity.psql
delete from identity.signing_keys;
create function pg_temp.key(kid text, status text, more jsonb default '{}') returns jsonb language sql as $$
    select jsonb_build_object('kid', kid, 'status', status, 'private_key', encode(sha256(convert_to(kid, 'UTF8')), 'base64'), 'public_jwk',
        jsonb_build_object('kty', 'EC', 'crv', 'P-256', 'kid', kid, 'x', repeat('x', 43), 'y', repeat('y', 43))) || more
$$;
create function pg_temp.states() returns text language sql as $$
    select string_agg(kid || ' ' || status, ', ' order by kid) from identity.signing_keys
$$;
create function pg_temp.published() returns text[] language sql as $$ select array_agg(k ->> 'kid') from jsonb_array_elements(api.jwks() -> 'keys') k $$;

-- The first key is current at once; whoever comes second with one gets the first one's row back, and makes nothing.
do $$
declare
    got jsonb;
begin
    assert api.jwks() = '{"keys": []}';
    assert pg_temp.told('signing_keys_rotate', '{}') = 'KEY_MISSING 409';
    got := pg_temp.ask('signing_key_add', pg_temp.key('a', 'current'));
    assert got -> 'added' = 'true' and got -> 'key' ->> 'status' = 'current', got::text;
    assert decode(got -> 'key' ->> 'private_key', 'base64') = sha256('a'), 'the bytes come back as they were given';
    got := pg_temp.ask('signing_key_add', pg_temp.key('b', 'current'));
    assert got -> 'added' = 'false' and got -> 'key' ->> 'kid' = 'a' and got -> 'key' ? 'private_key', got::text;
    assert pg_temp.ask('signing_key_add', pg_temp.key('a', 'current')) -> 'added' = 'false', 'again';
    assert pg_temp.ask('signing_key_add', pg_temp.key('b', 'standby')) -> 'added' = 'true';
    assert pg_temp.ask('signing_key_add', pg_temp.key('c', 'standby')) -> 'key' ->> 'kid' = 'b';
    assert pg_temp.states() = 'a current, b standby', pg_temp.states();
end $$;

-- Only a public ES256 key with its own id goes in, and only with something that can be its other half.
do $$
declare
    c jsonb;
begin
    foreach c in array array['{"kid": "z"}', '{"public_jwk": {"d": "secret"}}', '{"public_jwk": null}', '{"private_key": null}', '{"private_key": "c2hvcnQ="}',
        '{"private_key": "%%%"}', '{"status": "previous"}', '{"status": "revoked"}', '{"kid": "a b"}']::jsonb[]
    loop
        assert pg_temp.told('signing_key_add', pg_temp.key('q', 'standby') || c || case when c -> 'public_jwk' ? 'd'
            then jsonb_build_object('public_jwk', pg_temp.key('q', 'standby') -> 'public_jwk' || (c -> 'public_jwk')) else '{}' end) = 'VALIDATION_ERROR 400', c::text;
    end loop;
    delete from identity.signing_keys where kid = 'b';
    for c in select pg_temp.key('q', 'standby') || jsonb_build_object('public_jwk', pg_temp.key('q', 'standby') -> 'public_jwk' || x)
               from jsonb_array_elements('[{"d": "s"}, {"kty": "RSA"}, {"crv": "P-384"}, {"x": "short"}, {"y": null}, {"kid": "other"}]') x
    loop
        assert pg_temp.told('signing_key_add', c) = 'VALIDATION_ERROR 400', c::text;
    end loop;
    assert pg_temp.states() = 'a current', pg_temp.states();
end $$;

-- Standby, current, previous: announced before it signs, believed after it has signed; the private half goes when it signs no more.
do $$
declare
    got jsonb;
begin
    assert pg_temp.told('signing_keys_rotate', '{}') = 'KEY_MISSING 409';
    perform pg_temp.ask('signing_key_add', pg_temp.key('b', 'standby'));
    assert pg_temp.published() = '{a,b}';
    got := pg_temp.ask('signing_keys_rotate', '{}');
    assert got -> 'current' ->> 'kid' = 'b' and got -> 'current' ? 'private_key' and got ->> 'previous' = 'a', got::text;
    assert pg_temp.states() = 'a previous, b current' and pg_temp.published() = '{b,a}';
    assert (select private_key is null from identity.signing_keys where kid = 'a');
    assert pg_temp.told('signing_keys_rotate', '{}') = 'KEY_MISSING 409', 'twice in a row needs two';
    assert pg_temp.told('signing_key_add', pg_temp.key('a', 'standby')) = 'VALIDATION_ERROR 400', 'an id is never used again';
    assert (select (a.old, a.new) = ('{"current": "a"}'::jsonb, '{"current": "b", "left_as": "previous"}'::jsonb)
              from core.audit_logs a where a.action = 'signing_keys_rotated' and a.target_id = 'b');
end $$;

-- Revoked: it leaves the public set. The current one only with somebody to sign in its place.
do $$
begin
    assert pg_temp.told('signing_key_revoke', '{"kid": "nobody"}') = 'KEY_NOT_FOUND 404';
    assert pg_temp.told('signing_key_revoke', '{"kid": "b"}') = 'KEY_MISSING 409' and pg_temp.states() = 'a previous, b current';
    assert pg_temp.ask('signing_key_revoke', '{"kid": "a"}') -> 'key' ->> 'status' = 'revoked' and pg_temp.published() = '{b}';
    assert pg_temp.told('signing_key_revoke', '{"kid": "a"}') = 'ok', 'twice is once';
    assert (select count(*) from core.audit_logs a where a.action = 'signing_key_revoked' and a.target_id = 'a') = 1;
    perform pg_temp.ask('signing_key_add', pg_temp.key('c', 'standby'));
    assert pg_temp.ask('signing_key_revoke', '{"kid": "b"}') -> 'key' ->> 'status' = 'revoked';
    assert pg_temp.states() = 'a revoked, b revoked, c current' and pg_temp.published() = '{c}';
    perform pg_temp.ask('signing_key_add', pg_temp.key('d', 'standby'));
    assert pg_temp.ask('signing_key_revoke', '{"kid": "d"}') -> 'key' -> 'private_key' = 'null' and pg_temp.published() = '{c}';
end $$;

-- What is published is the public half and nothing else, to everybody; the state is for the service.
do $$
declare
    door text;
    names text[];
begin
    select array_agg(k order by k) into names from jsonb_object_keys(api.jwks() -> 'keys' -> 0) k;
    assert names = '{alg,crv,key_ops,kid,kty,use,x,y}', names::text;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        assert api.jwks() -> 'keys' -> 0 ->> 'kid' = 'c', door;
        begin
            perform kid from identity.signing_keys;
            assert false, door || ' reads the table';
        exception when insufficient_privilege then
            null;
        end;
        perform set_config('role', 'none', true);
    end loop;
    assert (select provolatile from pg_proc where oid = 'api.jwks()'::regprocedure) = 's', 'a GET is read-only';
    assert (select string_agg(k ->> 'kid' || ' ' || coalesce(length(k ->> 'private_key'), 0), ', ')
              from jsonb_array_elements(pg_temp.ask('signing_keys_state', '{}') -> 'keys') k) ~ '^c 44, [abd] 0, [abd] 0, [abd] 0$';
end $$;
rollback;
