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

-- A refusal carries status, code, texts and details in the shape that PostgREST reads, and rolls its command back.
do $$
declare
    told text;
begin
    begin
        insert into core.settings values ('refused', 1, 'x', 'x');
        perform core.refuse('NO_MONEY', 409, 'no money', '{"missing": 3}', 'earn some');
        assert false, 'a refusal did not raise';
    exception when sqlstate 'PGRST' then
        get stacked diagnostics told = pg_exception_detail;
        assert sqlerrm::jsonb = '{"code": "NO_MONEY", "message": "no money", "details": "{\"missing\": 3}", "hint": "earn some"}', sqlerrm;
        assert told::jsonb ->> 'status' = '409' and told::jsonb -> 'headers' = '{}', told;
    end;
    assert not exists (select from core.settings where key = 'refused'), 'a refusal left something behind';
    begin
        perform core.invalid('amount', 'is required');
    exception when sqlstate 'PGRST' then
        get stacked diagnostics told = pg_exception_detail;
        assert told::jsonb ->> 'status' = '400' and sqlerrm::jsonb ->> 'code' = 'VALIDATION_ERROR', sqlerrm;
        assert (sqlerrm::jsonb ->> 'details')::jsonb = '[{"field": "amount", "message": "is required"}]', sqlerrm;
    end;
end $$;

-- An answer with a status of its own is returned, not raised: what goes with it is committed.
do $$ begin
    assert core.answer('{"a": 1}', 200) = '{"a": 1}' and coalesce(current_setting('response.status', true), '') = '';
    assert core.answer('{"a": 1}', 202) = '{"a": 1}' and current_setting('response.status') = '202';
    perform set_config('response.status', '', true);
end $$;

-- The caller is the token's subject; nobody is a refusal.
do $$ begin
    assert pg_temp.code('select core.caller()') = 'UNAUTHENTICATED';
    perform set_config('request.jwt.claims', '{"role": "anon"}', true);
    assert pg_temp.code('select core.caller()') = 'UNAUTHENTICATED', 'a token without subject is nobody';
    perform pg_temp.sign_in('00000000-0000-4000-8000-000000000001', 'aal2');
    assert core.caller() = '00000000-0000-4000-8000-000000000001' and core.claim('aal') = 'aal2' and core.claim('x') is null;
    assert core.request_id() is null;
    perform set_config('request.headers', '{"x-request-id": "r-1"}', true);
    assert core.request_id() = 'r-1';
end $$;

-- An amount is an integer token from 1 to 2^53 - 1; the text decides, never a cast. jsonb itself turns 5e3 into 5000.
do $$
declare
    c record;
    found text;
begin
    for c in select * from (values ('1', '1'), ('9007199254740991', '9007199254740991'), ('5e3', '5000'), ('null', null),
        ('0', 'no'), ('-1', 'no'), ('9007199254740992', 'no'), ('1.5', 'no'), ('1.0', 'no'), ('5000.0', 'no'), ('"100"', 'no'),
        ('1e400', 'no'), ('true', 'no'), ('[1]', 'no'), ('{"a": 1}', 'no'), ('" 5 "', 'no'), ('"NaN"', 'no'), ('0.1', 'no'),
        ('99999999999999999999', 'no')) as t (given, expected)
    loop
        begin
            found := core.amount_field(jsonb_build_object('amount', c.given::jsonb), 'amount')::text;
        exception when sqlstate 'PGRST' then
            found := case sqlerrm::jsonb ->> 'code' when 'VALIDATION_ERROR' then 'no' else sqlerrm end;
        end;
        assert found is not distinct from c.expected, format('amount %s was read as %s', c.given, found);
    end loop;
    assert core.amount_field('{}', 'amount') is null, 'an absent amount is null, for the caller to require';
end $$;

-- Ids and texts: absent is null, malformed is 400.
do $$ begin
    assert core.uuid_field('{}', 'id') is null and core.text_field('{"t": null}', 't', 1, 5) is null;
    assert core.uuid_field('{"id": "ABCDEF00-0000-4000-8000-000000000001"}', 'id') = 'abcdef00-0000-4000-8000-000000000001';
    assert core.text_field('{"t": "Kindia"}', 't', 1, 6) = 'Kindia';
    assert pg_temp.code($q$select core.uuid_field('{"id": "abcdef00000040008000000000000001"}', 'id')$q$) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.uuid_field('{"id": 7}', 'id')$q$) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.text_field('{"t": "Kindia"}', 't', 1, 5)$q$) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.text_field('{"t": ""}', 't', 1, 5)$q$) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.text_field('{"t": 5}', 't', 1, 5)$q$) = 'VALIDATION_ERROR';
end $$;

-- Basis points: one rounding, half up, without overflow at the largest amount.
do $$
declare
    c record;
begin
    for c in select * from (values (10000, 100, 100), (10049, 100, 100), (10050, 100, 101), (49, 100, 0), (50, 100, 1),
        (100000, 50, 500), (50000, 150, 750), (1, 10000, 1), (0, 100, 0), (33, 8500, 28),
        (9007199254740991, 10000, 9007199254740991), (9007199254740991, 100, 90071992547410)) as t (amount, bps, fee)
    loop
        assert core.bps(c.amount, c.bps) = c.fee, format('%s at %s bps is %s', c.amount, c.bps, core.bps(c.amount, c.bps));
    end loop;
    assert not exists (select from generate_series(0, 40000, 7) n, generate_series(0, 10000, 33) b
        where core.bps(n, b) <> (2 * n::numeric * b + 10000) / 20000 - mod(2 * n::numeric * b + 10000, 20000) / 20000);
    assert core.setting('no such setting') is null;
exception when raise_exception then
    assert sqlerrm = 'setting no such setting is missing', 'a missing setting must not become a default: ' || sqlerrm;
end $$;

-- A command sent twice is done once; the same key with another body, or a bad key, is refused; another user's key is another.
do $$
declare
    key text := 'key-0001';
    ask jsonb := '{"amount": 5, "idempotency_key": "key-0001"}';
begin
    perform pg_temp.sign_in('00000000-0000-4000-8000-000000000001');
    assert core.replay('f', ask) is null, 'fresh';
    assert core.remember('f', ask, '{"done": 1}', 202) = '{"done": 1}';
    perform set_config('response.status', '', true);
    assert core.replay('f', '{"idempotency_key": "key-0001", "amount": 5}') = '{"done": 1}', 'the order of fields is no difference';
    assert current_setting('response.status') = '202', 'the stored status';
    assert current_setting('response.headers')::jsonb = '[{"Idempotent-Replayed": "true"}]';
    assert core.replay('f', ask || '{"confirm_duplicate": true}') = '{"done": 1}';
    assert pg_temp.code($q$select core.replay('f', '{"amount": 6, "idempotency_key": "key-0001"}')$q$) = 'IDEMPOTENCY_MISMATCH';
    assert core.replay('g', ask) is null, 'another function, another key';
    perform pg_temp.sign_in('00000000-0000-4000-8000-000000000002');
    assert core.replay('f', ask) is null, 'another user never sees the first one''s answer';
    assert core.replay('f', '{"amount": 5}') is null and core.remember('f', '{"amount": 5}', '{}') = '{}';
    assert (select count(*) from core.idempotency_keys k where k.key = 'key-0001') = 1, 'without a key nothing is stored';
    assert pg_temp.code($q$select core.replay('f', '{"idempotency_key": "1234567"}')$q$) = 'VALIDATION_ERROR', '7 characters';
    assert pg_temp.code($q$select core.replay('f', '{"idempotency_key": "12345678"}')$q$) = 'ok', '8 characters';
    assert pg_temp.code(format($q$select core.replay('f', '{"idempotency_key": %s}')$q$, to_jsonb(repeat('~', 255)))) = 'ok';
    assert pg_temp.code(format($q$select core.replay('f', '{"idempotency_key": %s}')$q$, to_jsonb(repeat('~', 256)))) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.replay('f', '{"idempotency_key": "with a space"}')$q$) = 'VALIDATION_ERROR';
    assert pg_temp.code($q$select core.replay('f', '{"idempotency_key": "clé-00001"}')$q$) = 'VALIDATION_ERROR';
end $$;

-- The outbox holds a message once.
do $$ begin
    perform core.outbox_add('push', '{"n": 1}', 'once'), core.outbox_add('push', '{"n": 2}', 'once');
    assert (select array_agg(payload) from core.outbox where dedupe_key = 'once') = array['{"n": 1}']::jsonb[];
    assert pg_temp.code($q$select core.outbox_add('pigeon', '{}', 'x')$q$) = '23514';
end $$;

-- An audit line cannot be changed, deleted or truncated, not by the owner, not through a partition.
do $$
declare
    part text;
begin
    perform core.audit('looked', 'thing', '7', null, '{"a": 1}');
    select a.tableoid::regclass::text into part from core.audit_logs a where a.action = 'looked'
       and a.actor_id = '00000000-0000-4000-8000-000000000002' and a.request_id = 'r-1';
    assert part ~ '_[0-9]{6}$', 'the line lies in the partition of its month, not in ' || coalesce(part, 'none');
    assert pg_temp.code('update core.audit_logs set action = ''x''') = 'P0001';
    assert pg_temp.code('delete from core.audit_logs') = 'P0001';
    assert pg_temp.code('truncate core.audit_logs') = 'P0001';
    assert pg_temp.code(format('update %s set action = ''x''', part)) = 'P0001';
    assert pg_temp.code(format('delete from %s', part)) = 'P0001';
    assert pg_temp.code(format('truncate %s', part)) = 'P0001', 'a partition can be truncated';
    assert (select count(*) from core.audit_logs where action = 'looked') = 1;
end $$;

-- Each month has its partition ahead of time, with the guards of its parent; making them twice changes nothing.
do $$
declare
    late text := to_char((now() at time zone 'UTC') + interval '2 months', 'YYYYMM');
begin
    assert core.keep_partitions() = 0, 'nothing to do';
    execute format('drop table core.audit_logs_%s', late);
    assert core.keep_partitions() = 1 and core.keep_partitions() = 0;
    assert pg_temp.code(format('truncate core.audit_logs_%s', late)) = 'P0001';
    assert (select relrowsecurity from pg_class where oid = format('core.audit_logs_%s', late)::regclass);
    insert into core.audit_logs (action, target_type, target_id, created_at) values ('old', 't', '1', '2001-02-03');
    assert (select tableoid::regclass::text from core.audit_logs where action = 'old') = 'core.audit_logs_default';
end $$;

rollback;
