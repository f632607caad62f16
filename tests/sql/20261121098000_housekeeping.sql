begin;

-- An answer is kept for two days, never for less than one, whatever the setting says.
do $$
declare
    who uuid := gen_random_uuid();
    kept text;
begin
    insert into core.idempotency_keys (caller, function, key, fingerprint, status, body, created_at)
    select who, 'f', 'key-' || hours, '\x00', 200, '{}', now() - make_interval(hours => hours) from unnest(array[1, 25, 47, 49, 500]) hours;
    assert (core.housekeep('{}') ->> 'idempotency_keys')::integer >= 2;
    select string_agg(key, ' ' order by created_at desc) into kept from core.idempotency_keys where caller = who;
    assert kept = 'key-1 key-25 key-47', kept;
    update core.settings set value = 0 where key = 'idempotency_hours';
    perform core.housekeep('{}');
    select string_agg(key, ' ' order by created_at desc) into kept from core.idempotency_keys where caller = who;
    assert kept = 'key-1', kept;
    assert (core.housekeep('{}') ->> 'idempotency_keys')::integer = 0, 'a second run finds nothing';
end $$;

do $$
begin
    set local role authenticated;
    perform api.housekeep('{}');
    raise exception 'anybody may clean';
exception when insufficient_privilege then
    null;
end $$;
rollback;
