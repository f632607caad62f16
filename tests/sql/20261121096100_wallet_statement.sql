begin;
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@statement.test');
    return someone;
end $$;
-- Asks an RPC as its user would: own role, own claims.
create function pg_temp.ask(who uuid, rpc text, ask jsonb) returns jsonb language plpgsql as $$
declare
    got jsonb;
begin
    perform set_config('request.jwt.claims', coalesce(jsonb_build_object('sub', who, 'role', 'authenticated')::text, ''), true);
    set local role authenticated;
    execute format('select api.%I($1)', rpc) into got using ask;
    reset role;
    return got;
exception when others then
    reset role;
    return jsonb_build_object('code', case sqlstate when 'PGRST' then sqlerrm::jsonb ->> 'code' else sqlstate || ' ' || sqlerrm end);
end $$;
create function pg_temp.wallet(who uuid) returns uuid language sql as $$ select id from ledger.wallets where user_id = who and currency = 'GNF' $$;
create function pg_temp.deposit(who uuid, amount bigint, effective timestamptz default null) returns ledger.transactions language plpgsql as $$
declare
    tx uuid := ledger.post('deposit', 'GNF', array[(ledger.platform_account('provider_clearing', 'GNF'), -amount)::ledger.leg,
        (ledger.wallet_for(who, 'GNF'), amount)::ledger.leg], null, null, abs(amount), 0, 'number ' || amount, effective);
    made ledger.transactions;
begin
    select * into made from ledger.transactions where id = tx;
    return made;
end $$;

-- The balance at an instant is that of the last line at or before it; of a platform account the sum of its lines.
do $$
declare
    alice uuid := pg_temp.person(1);
    fees uuid := ledger.platform_account('provider_clearing', 'GNF');
    tick interval := '1 microsecond';
    txs ledger.transactions[];
begin
    txs := array[pg_temp.deposit(alice, 100), pg_temp.deposit(alice, 50), pg_temp.deposit(alice, -30)];
    assert (select array_agg(ledger.balance_at(pg_temp.wallet(alice), at) order by n) from (values
        (1, '-infinity'), (2, txs[1].created_at - tick), (3, txs[1].created_at), (4, txs[2].created_at - tick), (5, txs[2].created_at),
        (6, txs[3].created_at - tick), (7, txs[3].created_at), (8, clock_timestamp()), (9, 'infinity')) t (n, at)) = '{0,0,100,100,150,150,120,120,120}';
    assert ledger.balance_at(fees, txs[2].created_at) = -150 and ledger.balance_at(fees, txs[1].created_at - tick) = 0;
    assert ledger.balance_at(gen_random_uuid(), 'infinity') = 0;
end $$;

-- W16, point in time: what is booked late counts from its booking in recorded time, from its own day in effective time.
do $$
declare
    bob uuid := pg_temp.person(2);
    before ledger.transactions := pg_temp.deposit(bob, 1000);
    late ledger.transactions := pg_temp.deposit(bob, 500, before.created_at - interval '3 days');
    w uuid := pg_temp.wallet(bob);
    clearing uuid := ledger.platform_account('provider_clearing', 'GNF');
    between_them timestamptz := before.created_at - interval '1 day';
begin
    assert ledger.balance_at(w, between_them) = 0 and ledger.balance_effective_at(w, between_them) = 500;
    assert ledger.balance_effective_at(w, late.effective_at) = 500 and ledger.balance_effective_at(w, late.effective_at - interval '1 microsecond') = 0;
    assert ledger.balance_at(w, before.created_at) = 1000 and ledger.balance_effective_at(w, before.created_at) = 1500;
    assert ledger.balance_at(w, late.created_at) = 1500 and ledger.balance_effective_at(w, late.created_at) = 1500, 'once booked, both are the same';
    assert ledger.balance_effective_at(clearing, between_them) - ledger.balance_at(clearing, between_them) = -500, 'the other side moves with it';
    perform pg_temp.deposit(bob, 7, clock_timestamp() + interval '1 hour');
    assert false, 'what has not happened was booked';
exception when check_violation then
    assert sqlerrm like '%effective_before_recorded%', sqlerrm;
end $$;

-- A caller asks about his own wallet, at a time that has been; reading makes no wallet.
do $$
declare
    alice uuid := '00000000-0000-4000-8000-000000000001';
    carol uuid := pg_temp.person(3);
    first timestamptz := (select min(created_at) from ledger.entries where user_id = alice);
    bad text;
begin
    assert pg_temp.ask(alice, 'wallet_balance_at', jsonb_build_object('at', ledger.utc(first)))
        = jsonb_build_object('success', true, 'currency', 'GNF', 'balance', 100, 'at', ledger.utc(first));
    assert pg_temp.ask(alice, 'wallet_balance_at', '{"at": "2020-01-01T12:00:00.5+02:00"}') @> '{"balance": 0, "at": "2020-01-01T10:00:00.500000Z"}';
    assert pg_temp.ask(alice, 'wallet_balance_at', '{"at": "2020-01-01T00:00:00Z", "currency": "XOF"}') @> '{"balance": 0, "currency": "XOF"}';
    assert pg_temp.ask(carol, 'wallet_balance_at', '{"at": "2020-01-01T00:00:00Z"}') @> '{"balance": 0}' and pg_temp.wallet(carol) is null;
    foreach bad in array array['null', '"now"', '"infinity"', '"2020-01-01"', '"2020-01-01 00:00:00Z"', '"2020-01-01T00:00:00"', '"2020-02-30T00:00:00Z"',
        '"2020-01-01T25:00:00Z"', '"2020-01-01T00:00:00+99:00"', '"0000-01-01T00:00:00Z"', '1577836800', '{}', '"9999-01-01T00:00:00Z"'] loop
        assert pg_temp.ask(alice, 'wallet_balance_at', jsonb_build_object('at', bad::jsonb)) ->> 'code' = 'VALIDATION_ERROR', bad;
    end loop;
    assert pg_temp.ask(alice, 'wallet_balance_at', '{"at": "2020-01-01T00:00:00Z", "currency": "ZZZ"}') ->> 'code' = 'VALIDATION_ERROR';
    assert pg_temp.ask(null, 'wallet_balance_at', '{"at": "2020-01-01T00:00:00Z"}') ->> 'code' = 'UNAUTHENTICATED';
end $$;

-- A statement in pages shows every line once, newest first, also while new ones arrive; opening + amounts = closing.
do $$
declare
    dora uuid := pg_temp.person(4);
    seen jsonb := '[]';
    page jsonb;
    until text;
    pages integer := 0;
begin
    perform pg_temp.deposit(dora, n) from generate_series(1, 25) n;
    page := pg_temp.ask(dora, 'wallet_statement', '{"limit": 10}');
    until := page ->> 'to';
    assert page @> '{"success": true, "currency": "GNF", "opening_balance": 0, "closing_balance": 325, "from": null}', page::text;
    assert page -> 'lines' -> 0 @> '{"type": "deposit", "amount": 25, "balance_after": 325, "fee": 0, "description": "number 25", "effective_at": null}';
    loop
        pages := pages + 1;
        seen := seen || (page -> 'lines');
        exit when page ->> 'next_cursor' is null;
        perform pg_temp.deposit(dora, 1000);
        page := pg_temp.ask(dora, 'wallet_statement', jsonb_build_object('limit', 10, 'to', until, 'cursor', page ->> 'next_cursor'));
        assert page @> '{"closing_balance": 325}', 'the range was asked for as before';
    end loop;
    assert pages = 3 and (select array_agg((l ->> 'amount')::integer) from jsonb_array_elements(seen) l) = (select array_agg(n) from generate_series(25, 1, -1) n);
    assert jsonb_array_length(pg_temp.ask(dora, 'wallet_statement', '{}') -> 'lines') = 20, 'the default';
    page := pg_temp.ask(dora, 'wallet_statement', jsonb_build_object('limit', 25, 'to', until));
    assert page ->> 'next_cursor' is null and jsonb_array_length(page -> 'lines') = 25, 'a full last page has no next one';
    page := pg_temp.ask(dora, 'wallet_statement', jsonb_build_object('from', seen -> 20 ->> 'created_at', 'to', seen -> 10 ->> 'created_at'));
    assert page @> '{"opening_balance": 10, "closing_balance": 105}' and jsonb_array_length(page -> 'lines') = 10, 'from inclusive, to exclusive: 5 to 14';
    assert (page ->> 'opening_balance')::bigint + (select sum((l ->> 'amount')::bigint) from jsonb_array_elements(page -> 'lines') l) = 105;
end $$;

-- What strangers send as a cursor.
\ir lib/cursors.psql

-- Another's cursor shows nothing of his; what is no cursor, limit or range is 400.
do $$
declare
    dora uuid := '00000000-0000-4000-8000-000000000004';
    erin uuid := pg_temp.person(5);
    hers text := pg_temp.ask(dora, 'wallet_statement', '{"limit": 1}') ->> 'next_cursor';
    c record;
begin
    assert hers ~ '^[A-Za-z0-9_-]+$' and pg_temp.ask(erin, 'wallet_statement', jsonb_build_object('cursor', hers))
        @> '{"lines": [], "opening_balance": 0, "closing_balance": 0, "next_cursor": null}';
    for c in select * from (values ('cursor', '"x"'), ('cursor', '""'), ('cursor', '7'), ('cursor', '"****"'), ('cursor', '"_w"'),
        ('cursor', to_jsonb(left(hers, -3))::text), ('cursor', to_jsonb(hers || 'AA')::text), ('cursor', to_jsonb(translate(encode('now x', 'base64'), '=', ''))::text),
        ('cursor', to_jsonb(translate(encode('infinity 00000000-0000-4000-8000-000000000004', 'base64'), '=', ''))::text), ('cursor', to_jsonb(repeat('A', 201))::text),
        ('limit', '0'), ('limit', '101'), ('limit', '1.5'), ('limit', '"10"'), ('limit', '-1'), ('from', '"yesterday"'), ('to', '7'), ('currency', '"ZZZ"'), ('currency', '"GN"')
        ) as t (field, value)
    loop
        assert pg_temp.ask(dora, 'wallet_statement', jsonb_build_object(c.field, c.value::jsonb)) ->> 'code' = 'VALIDATION_ERROR', c.field || ' ' || c.value;
    end loop;
    assert pg_temp.ask(dora, 'wallet_statement', '{"from": "2020-01-02T00:00:00Z", "to": "2020-01-01T00:00:00Z"}') ->> 'code' = 'VALIDATION_ERROR';
    assert pg_temp.ask(dora, 'wallet_statement', '{"limit": 100, "cursor": null}') ->> 'success' = 'true';
    assert pg_temp.ask(null, 'wallet_statement', '{}') ->> 'code' = 'UNAUTHENTICATED';
end $$;

-- Whole scans of the partitions that hold something; an empty one may be scanned for all it costs.
create function pg_temp.scans() returns bigint language sql volatile as $$
    select sum(s.seq_scan)::bigint from pg_stat_xact_user_tables s join pg_class c on c.oid = s.relid
     where s.schemaname = 'ledger' and s.relname ~ '^(entries|transactions)_' and c.reltuples > 1000
$$;
-- However long the history, a page and a balance read a few lines through the index: the tables are never scanned.
do $$
declare
    gus uuid := pg_temp.person(6);
    w uuid := ledger.wallet_for(gus, 'GNF');
    other uuid := ledger.platform_account('losses', 'GNF');
    before bigint;
    fetched bigint;
    page jsonb;
begin
    insert into ledger.transactions (id, type, amount, currency, created_at)
    select ('00000000-0000-4000-9000-' || lpad(n::text, 12, '0'))::uuid, 'deposit', 1, 'GNF', now() - n * interval '1 minute' from generate_series(1, 6000) n;
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select t.created_at, t.id, l, case l when 1 then w else other end, case l when 1 then gus end, 'GNF', case l when 1 then 1 else -1 end, case l when 1 then 7 end
      from ledger.transactions t, generate_series(1, 2) l where t.id::text like '00000000-0000-4000-9000-%';
    analyze ledger.entries, ledger.transactions;
    before := pg_temp.scans();
    select sum(idx_tup_fetch) into fetched from pg_stat_xact_user_tables where schemaname = 'ledger' and relname ~ '^entries_';
    page := pg_temp.ask(gus, 'wallet_statement', jsonb_build_object('to', ledger.utc(now() - interval '1 day')));
    page := pg_temp.ask(gus, 'wallet_statement', jsonb_build_object('to', page ->> 'to', 'cursor', page ->> 'next_cursor'));
    assert jsonb_array_length(page -> 'lines') = 20 and page ->> 'next_cursor' is not null;
    assert ledger.balance_at(w, now() - interval '2 days') = 7;
    assert before > 0 and pg_temp.scans() = before, 'a table was scanned';
    assert (select sum(idx_tup_fetch) - fetched from pg_stat_xact_user_tables where schemaname = 'ledger' and relname ~ '^entries_') < 200, 'too many lines were read';
end $$;

-- Only a signed-in user asks; the functions within are nobody's.
do $$
declare
    door text;
    inner_one text;
begin
    foreach door in array array['anon', 'service_role', 'authenticated'] loop
        foreach inner_one in array array['ledger.balance_at(uuid, timestamptz)', 'ledger.balance_effective_at(uuid, timestamptz)',
            'ledger.statement_lines(uuid, timestamptz, timestamptz, ledger.place, integer)'] loop
            assert not has_function_privilege(door, inner_one, 'execute'), door || ' calls ' || inner_one;
        end loop;
        assert has_function_privilege(door, 'api.wallet_statement(jsonb)', 'execute') = (door = 'authenticated');
        assert has_function_privilege(door, 'api.wallet_balance_at(jsonb)', 'execute') = (door = 'authenticated');
    end loop;
end $$;
rollback;
