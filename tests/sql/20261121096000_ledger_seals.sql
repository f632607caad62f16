begin;
create function pg_temp.code(command text) returns text language plpgsql as $$
begin
    execute command;
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.day(n integer) returns date language sql as $$ select (now() at time zone 'UTC')::date - 10 + n $$;
create function pg_temp.tx(n integer) returns uuid language sql as $$ select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid $$;
-- A transaction of a past day, with a line on each side; posted by hand, because ledger.post knows today only.
create function pg_temp.move(n integer, on_day integer, amount bigint default 100, at interval default '12 hours') returns void language plpgsql as $$
declare
    moment timestamptz := ledger.day_start(pg_temp.day(on_day)) + at;
begin
    insert into ledger.transactions (id, type, amount, currency, description, created_at)
    values (pg_temp.tx(n), 'transfer', amount, 'GNF', 'say "' || n || '"', moment);
    insert into ledger.entries (created_at, transaction_id, leg, account_id, currency, amount) values
        (moment, pg_temp.tx(n), 1, ledger.platform_account('escrow', 'GNF'), 'GNF', -amount),
        (moment, pg_temp.tx(n), 2, ledger.platform_account('losses', 'GNF'), 'GNF', amount);
end $$;
-- What verify_chain says after a superuser ran this with the triggers off; then all is as before.
create function pg_temp.tampered(commands text) returns jsonb language plpgsql as $$
declare
    found jsonb;
begin
    set local session_replication_role = replica;
    execute commands;
    set local session_replication_role = origin;
    found := ledger.verify_chain();
    raise exception using errcode = 'U0001', message = found::text;
exception when sqlstate 'U0001' then
    return sqlerrm::jsonb;
end $$;
-- What is broken, in short: day (counted as above), seal, and the numbers of the transactions.
create function pg_temp.short(found jsonb) returns text language sql as $$
    select case when (found ->> 'ok')::boolean then 'holds' else ((b ->> 'day')::date - pg_temp.day(0)) || ' ' || (b ->> 'seal')
        || coalesce((select string_agg(' ' || kind || ' ' || right(id, 2)::integer, '' order by kind, id)
             from unnest(array['changed', 'missing', 'added']) kind, jsonb_array_elements_text(b -> kind) id), '') end
      from (select found -> 'broken' as b) x
$$;

-- A text that nobody may change any more: the leaf of one transaction, written out, and its seal.
do $$
declare
    leaf record;
begin
    set local session_replication_role = replica;
    insert into ledger.transactions (id, type, sender_wallet_id, amount, fee, currency, reference_type, description, created_at, effective_at)
    values (pg_temp.tx(1), 'deposit', pg_temp.tx(2), 995, 5, 'GNF', 'test', E'a "b"\nc', '2020-02-29 23:59:59.5+00', '2020-02-01 12:00+02');
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after) values
        ('2020-02-29 23:59:59.5+00', pg_temp.tx(1), 2, pg_temp.tx(4), pg_temp.tx(5), 'GNF', 1000, 1000),
        ('2020-02-29 23:59:59.5+00', pg_temp.tx(1), 1, pg_temp.tx(3), null, 'GNF', -1000, null);
    set local timezone = 'Asia/Tokyo';
    set local datestyle = 'German';
    select * into leaf from ledger.leaves('2020-02-29 00:00+00', '2020-03-01 00:00+00');
    assert leaf.hash = sha256(convert_to(concat_ws(E'\n', 'v1', '2020-02-29T23:59:59.500000Z', '00000000-0000-4000-9000-000000000001',
        '["deposit", "00000000-0000-4000-9000-000000000002", null, null, null, 995, 5, "GNF", "test", null, "a \"b\"\nc", null, null, "2020-02-01T10:00:00.000000Z"]',
        '[1, "00000000-0000-4000-9000-000000000003", null, "GNF", -1000, null]',
        '[2, "00000000-0000-4000-9000-000000000004", "00000000-0000-4000-9000-000000000005", "GNF", 1000, 1000]'), 'UTF8'));
    assert leaf.entries = 2 and ledger.seal_hash('2020-02-29', 1, 2, sha256('p'), sha256('f'))
        = sha256(convert_to(E'v1\n2020-02-29\n1\n2\n' || encode(sha256('p'), 'hex') || E'\n' || encode(sha256('f'), 'hex'), 'UTF8'));
    assert (select ledger.fold(l) from (values ('\x01'::bytea), ('\x02')) v (l)) = sha256(sha256('\x01') || '\x02');
    delete from ledger.entries where transaction_id = pg_temp.tx(1);
    delete from ledger.transactions where id = pg_temp.tx(1);
    set local session_replication_role = origin;
end $$;

-- Finished days are sealed once, oldest first, up to so many at a time; a day on which nothing happened is sealed too.
do $$
declare
    head bytea := decode(repeat('00', 32), 'hex');
    s ledger.seals;
begin
    assert ledger.seal_days(5) = 0 and ledger.verify_chain() @> '{"ok": true, "days": 0, "head": null, "broken": null}', 'no transaction, no day';
    perform pg_temp.move(1, 0), pg_temp.move(2, 0, 200), pg_temp.move(3, 0, 5, '23:59:59.999999'), pg_temp.move(4, 1, 5, '0'), pg_temp.move(5, 3);
    assert ledger.seal_days(2) = 2 and ledger.seal_days(3) = 3;
    for s in select * from ledger.seals order by day loop
        assert s.previous = head, s.day || ' does not follow';
        head := s.hash;
    end loop;
    assert (select array_agg((day - pg_temp.day(0)) || ':' || transactions || ':' || entries order by day) from ledger.seals) = '{0:3:6,1:1:2,2:0:0,3:1:2,4:0:0}';
    assert (select count(*) from ledger.sealed_transactions) = 5 and pg_temp.short(ledger.verify_chain()) = 'holds';
    assert ledger.verify_chain() @> jsonb_build_object('days', 5, 'transactions', 5, 'from', pg_temp.day(0), 'to', pg_temp.day(4), 'head', encode(head, 'hex'));
end $$;

-- Today is not finished, nor is yesterday until its grace is over; sealed days stay as they are.
do $$
declare
    before jsonb := ledger.verify_chain();
begin
    update core.settings set value = 5 * 86400 where key = 'seal_grace_s';
    assert ledger.last_finished_day() <= pg_temp.day(4) and ledger.seal_days(100) = 0 and ledger.verify_chain() = before;
    update core.settings set value = 600 where key = 'seal_grace_s';
    assert ledger.last_finished_day() < pg_temp.day(10), 'today';
    assert pg_temp.code('insert into ledger.seals select day, 0, 0, previous, hash from ledger.seals limit 1') = '23505', 'a day sealed twice';
end $$;

-- What is sealed stays, for the owner and in partitions.
do $$
declare
    target text;
begin
    foreach target in array array['ledger.seals', 'ledger.sealed_transactions', (select min(tableoid::regclass::text) from ledger.sealed_transactions)] loop
        assert pg_temp.code(format('update %s set hash = sha256(''x'')', target)) = 'P0001' and pg_temp.code(format('delete from %s', target)) = 'P0001'
            and pg_temp.code(format('truncate %s', target)) = 'P0001', target || ' can be changed';
    end loop;
end $$;

-- A superuser who goes past the triggers is found: the day, and the very transaction.
do $$
declare
    c record;
    said text;
begin
    for c in select * from (values
        ('an amount, on both sides', 'update ledger.entries set amount = amount * 2 where transaction_id = pg_temp.tx(2)', '0 holds changed 2'),
        ('the amount of a transaction', 'update ledger.transactions set amount = 6 where id = pg_temp.tx(4)', '1 holds changed 4'),
        ('who was credited', 'update ledger.entries set account_id = ledger.platform_account(''suspense'', ''GNF'') where transaction_id = pg_temp.tx(5) and leg = 2', '3 holds changed 5'),
        ('a description', 'update ledger.transactions set description = ''x'' where id = pg_temp.tx(1)', '0 holds changed 1'),
        ('when it took effect', 'update ledger.transactions set effective_at = created_at where id = pg_temp.tx(1)', '0 holds changed 1'),
        ('a line deleted', 'delete from ledger.entries where transaction_id = pg_temp.tx(3) and leg = 1', '0 holds changed 3'),
        ('a line added', 'insert into ledger.entries select created_at, transaction_id, 3, account_id, user_id, currency, amount from ledger.entries where transaction_id = pg_temp.tx(3) and leg = 1', '0 holds changed 3'),
        ('a transaction deleted', 'delete from ledger.entries where transaction_id = pg_temp.tx(4); delete from ledger.transactions where id = pg_temp.tx(4)', '1 holds missing 4'),
        ('two of one day', 'delete from ledger.transactions where id = pg_temp.tx(1); update ledger.transactions set fee = 1 where id = pg_temp.tx(2)', '0 holds changed 1 changed 2'),
        ('a transaction added', 'select pg_temp.move(6, 1)', '1 holds added 6'),
        ('one added on an empty day', 'select pg_temp.move(6, 2)', '2 holds added 6'),
        ('one added before the first day', 'select pg_temp.move(6, -3)', '-3 missing added 6'),
        ('moved within its day', 'update ledger.entries set created_at = created_at + interval ''1 s'' where transaction_id = pg_temp.tx(5); update ledger.transactions set created_at = created_at + interval ''1 s'' where id = pg_temp.tx(5)', '3 holds added 5 missing 5'),
        ('moved to another day', 'update ledger.entries set created_at = created_at - interval ''1 day'' where transaction_id = pg_temp.tx(5)', '2 holds added 5'),
        ('a leaf', 'update ledger.sealed_transactions set hash = sha256(''x'') where transaction_id = pg_temp.tx(2)', '0 altered changed 2'),
        ('a leaf deleted', 'delete from ledger.sealed_transactions where transaction_id = pg_temp.tx(4)', '1 altered added 4'),
        ('a leaf added', 'insert into ledger.sealed_transactions select day, created_at, pg_temp.tx(7), hash from ledger.sealed_transactions where transaction_id = pg_temp.tx(4)', '1 altered missing 7'),
        ('a row and its leaf', 'update ledger.transactions set fee = 1 where id = pg_temp.tx(5); update ledger.sealed_transactions s set hash = l.hash from ledger.leaves(''-infinity'', now()) l where l.transaction_id = s.transaction_id', '3 altered'),
        ('a row, its leaf and its day', 'update ledger.transactions set fee = 1 where id = pg_temp.tx(5); delete from ledger.sealed_transactions where transaction_id = pg_temp.tx(5);
            delete from ledger.seals where day = pg_temp.day(3); select ledger.seal_day(pg_temp.day(3), (select hash from ledger.seals where day = pg_temp.day(2)))', '4 does not follow'),
        ('the figures of a day', 'update ledger.seals set transactions = 9 where day = pg_temp.day(1)', '1 altered'),
        ('a day', 'delete from ledger.seals where day = pg_temp.day(2)', '2 missing'),
        ('the first day', 'delete from ledger.seals where day = pg_temp.day(0)', '1 does not follow'),
        ('two faults: the first is named', 'select pg_temp.move(6, 3); update ledger.seals set hash = sha256(''x'') where day = pg_temp.day(1)', '1 altered')
        ) as t (what, commands, expected)
    loop
        said := pg_temp.short(pg_temp.tampered(c.commands));
        assert said = c.expected, format('%s: %s, not %s', c.what, said, c.expected);
    end loop;
    assert pg_temp.short(ledger.verify_chain()) = 'holds', 'the test itself left something';
end $$;

-- From a day on it does not look at what lies before; who rewrites everything differs from the head that was noted.
do $$
declare
    noted text := ledger.verify_chain() ->> 'head';
begin
    assert ledger.verify_chain(pg_temp.day(2)) @> jsonb_build_object('ok', true, 'days', 3, 'head', noted, 'from', pg_temp.day(2));
    assert ledger.verify_chain(pg_temp.day(9)) @> jsonb_build_object('ok', true, 'days', 0, 'head', noted);
    set local session_replication_role = replica;
    update ledger.entries set amount = amount * 2 where transaction_id = pg_temp.tx(2);
    assert not (ledger.verify_chain() ->> 'ok')::boolean and (ledger.verify_chain(pg_temp.day(1)) ->> 'ok')::boolean;
    delete from ledger.sealed_transactions;
    delete from ledger.seals;
    set local session_replication_role = origin;
    assert ledger.seal_days(5) = 5;
    assert pg_temp.short(ledger.verify_chain()) = 'holds' and ledger.verify_chain() ->> 'head' <> noted;
end $$;

-- The platform's clock seals; nobody else does, and nobody writes a seal.
do $$
declare
    door text;
    said jsonb;
begin
    set local role service_role;
    said := api.ledger_seal('{"max_days": 1}');
    assert said @> '{"success": true, "sealed": 1}' and said ->> 'head' ~ '^[0-9a-f]{64}$' and said ->> 'day' ~ '^[0-9-]{10}$', said::text;
    assert pg_temp.code('select api.ledger_seal(''{"max_days": "all"}'')') = 'VALIDATION_ERROR' and pg_temp.code('select ledger.verify_chain()') = 'ok';
    assert pg_temp.code('select ledger.seal_days(1)') = '42501' and pg_temp.code('insert into ledger.seals default values') = '42501';
    reset role;
    foreach door in array array['anon', 'authenticated'] loop
        perform set_config('role', door, true);
        assert pg_temp.code('select api.ledger_seal(''{}'')') = '42501' and pg_temp.code('select ledger.verify_chain()') = '42501', door;
        assert pg_temp.code('select * from ledger.seals') = '42501' and pg_temp.code('select * from ledger.sealed_transactions') = '42501', door;
        reset role;
    end loop;
end $$;
rollback;
