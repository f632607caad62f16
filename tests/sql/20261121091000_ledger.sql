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
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@ledger.test');
    return someone;
end $$;
create function pg_temp.wallet(n integer) returns uuid language sql as $$
    select w.id from ledger.wallets w join people.profiles p on p.id = w.user_id
     where p.email = 'p' || n || '@ledger.test' and w.currency = 'GNF'
$$;
create function pg_temp.balance(n integer) returns bigint language sql as $$
    select balance from ledger.wallets where id = pg_temp.wallet(n)
$$;
create function pg_temp.platform(kind text) returns bigint language sql as $$
    select coalesce(sum(e.amount), 0)::bigint from ledger.entries e where e.account_id = ledger.platform_account(kind, 'GNF')
$$;
-- Legs as text pairs: 'w1' is the first wallet, other names are platform accounts.
create function pg_temp.legs(given text) returns ledger.leg[] language sql as $$
    select array_agg((case when l ~ '^w[0-9]+=' then pg_temp.wallet(substr(split_part(l, '=', 1), 2)::integer)
        else ledger.platform_account(split_part(l, '=', 1), 'GNF') end, split_part(l, '=', 2)::bigint)::ledger.leg)
      from unnest(string_to_array(given, ' ')) l
$$;
create function pg_temp.post(type text, legs text, reference text default null, fee bigint default 0) returns text
    language plpgsql as $$
begin
    perform ledger.post(type, 'GNF', pg_temp.legs(legs), case when reference is not null then 'test' end, reference, 100, fee);
    return 'ok';
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb ->> 'code';
when others then
    return sqlstate;
end $$;
create function pg_temp.stands(n integer) returns void language plpgsql as $$
declare
    books jsonb := ledger.check_books();
begin
    assert (books ->> 'ok')::boolean and (books ->> 'broken_balances') = '0', 'the books do not balance: ' || books;
end $$;

-- A wallet is made on first use, empty, once per user and currency, with one account of its own.
do $$
declare
    alice uuid := pg_temp.person(1);
begin
    assert ledger.wallet_for(alice, 'GNF') = ledger.wallet_for(alice, 'GNF');
    assert ledger.wallet_for(alice, 'GNF') <> ledger.wallet_for(alice, 'XOF');
    assert (select array_agg(balance order by currency) from ledger.wallets where user_id = alice) = '{0,0}', 'no gift balance';
    assert (select kind from ledger.accounts where id = pg_temp.wallet(1)) = 'user_wallet';
    assert pg_temp.code(format('select ledger.wallet_for(%L, ''ZZZ'')', alice)) = 'VALIDATION_ERROR', 'no such currency';
    assert pg_temp.code('select ledger.wallet_for(gen_random_uuid(), ''GNF'')') = 'UNAUTHENTICATED', 'no such person';
    assert pg_temp.code(format('insert into ledger.wallets (id, user_id, currency) values (%L, %L, ''GNF'')',
        ledger.platform_account('losses', 'GNF'), alice)) = '23505', 'a second wallet';
    perform ledger.wallet_for(pg_temp.person(2), 'GNF'), ledger.wallet_for(pg_temp.person(3), 'GNF');
end $$;

-- There is one platform account of each kind in each currency; a missing one is our error, never a default.
do $$ begin
    assert (select count(*) from ledger.accounts where kind not in ('user_wallet', 'store_balance'))
        = 7 * (select count(*) from core.currencies);
    assert ledger.platform_account('escrow', 'GNF') <> ledger.platform_account('escrow', 'XOF');
    assert pg_temp.code('select ledger.platform_account(''escrow'', ''ZZZ'')') = 'P0001';
    assert pg_temp.code('select ledger.platform_account(''user_wallet'', ''GNF'')') = 'P0001', 'a wallet is no platform account';
    assert pg_temp.code('insert into ledger.accounts (kind, currency) values (''escrow'', ''GNF'')') = '23505';
end $$;

-- A posting moves all its legs: balances, entries and the transaction say the same.
do $$
declare
    tx ledger.transactions;
begin
    assert pg_temp.post('deposit', 'provider_clearing=-1000 w1=995 platform_fees=5', 'd1', 5) = 'ok';
    assert pg_temp.balance(1) = 995 and pg_temp.platform('platform_fees') = 5 and pg_temp.platform('provider_clearing') = -1000;
    select * into tx from ledger.transactions where reference_id = 'd1';
    assert tx.sender_wallet_id is null and tx.receiver_wallet_id = pg_temp.wallet(1) and tx.fee = 5;
    assert (select array_agg(amount || ':' || coalesce(balance_after::text, '-') order by leg) from ledger.entries
             where transaction_id = tx.id and created_at = tx.created_at) = '{-1000:-,995:995,5:-}';
    assert pg_temp.post('transfer', 'w1=-101 w2=100 platform_fees=1') = 'ok';
    assert pg_temp.balance(1) = 894 and pg_temp.balance(2) = 100;
    perform pg_temp.stands(1);
end $$;

-- A reference is posted once per type, for ever; without one there is no such bound.
do $$ begin
    assert pg_temp.post('deposit', 'provider_clearing=-10 w1=10', 'd1') = '23505';
    assert pg_temp.post('refund', 'provider_clearing=-10 w1=10', 'd1') = 'ok', 'another type of the same reference';
    assert pg_temp.balance(1) = 904;
    assert pg_temp.code('delete from ledger.references') = 'P0001', 'what happened once cannot be forgotten';
    assert pg_temp.code('update ledger.references set type = ''x''') = 'P0001' and pg_temp.code('truncate ledger.references') = 'P0001';
end $$;

-- Legs that do not sum to zero, name an account twice, another currency's or none, or move nothing: nothing is posted.
do $$
declare
    before bigint := (select count(*) from ledger.entries);
begin
    assert pg_temp.post('deposit', 'w1=10') = 'P0001', 'a single leg';
    assert pg_temp.post('deposit', 'provider_clearing=-10 w1=11') = 'P0001', 'off by one';
    assert pg_temp.post('transfer', 'w1=-10 w1=10') = 'P0001', 'one account twice';
    assert pg_temp.post('transfer', 'w1=-20 w2=10 w2=10') = 'P0001';
    assert pg_temp.post('transfer', 'w1=-10 w2=10 escrow=0') = '23514', 'a leg of nothing';
    assert pg_temp.post('nonsense', 'w1=-10 w2=10') = '23514', 'an unknown type';
    assert pg_temp.code(format('select ledger.post(''transfer'', ''XOF'', pg_temp.legs(''w1=-10 w2=10''), null, null, 10)')) = 'P0001',
        'accounts of another currency';
    assert pg_temp.code($q$select ledger.post('transfer', 'GNF', pg_temp.legs('w1=-10')
        || (gen_random_uuid(), 10)::ledger.leg, null, null, 10)$q$) = 'P0001', 'an account that is not there';
    assert pg_temp.code($q$select ledger.post('transfer', 'GNF', pg_temp.legs('w1=-10 w2=10'), null, null, 0)$q$) = '23514';
    assert (select count(*) from ledger.entries) = before and pg_temp.balance(1) = 904 and pg_temp.balance(2) = 100;
end $$;

-- A posting has any number of legs, several that give and several that get; it is one transaction, all or nothing.
do $$
declare
    tx ledger.transactions;
begin
    assert pg_temp.post('transfer', 'w1=-30 w2=-20 w3=15 platform_fees=5 escrow=25 losses=4 suspense=1', 'many') = 'ok';
    assert (pg_temp.balance(1), pg_temp.balance(2), pg_temp.balance(3)) = (874, 80, 15) and pg_temp.platform('escrow') = 25;
    select * into tx from ledger.transactions where reference_id = 'many';
    assert (tx.sender_wallet_id, tx.receiver_wallet_id) = (pg_temp.wallet(1), pg_temp.wallet(3)), 'named are the first that gives and the first that gets';
    assert tx.sender_user_id = (select user_id from ledger.wallets where id = tx.sender_wallet_id);
    assert pg_temp.post('transfer', 'w2=-81 w1=-1 w3=82') = 'INSUFFICIENT_FUNDS' and pg_temp.balance(1) = 874, 'one of two could not give';
    assert pg_temp.post('refund', 'w3=-15 platform_fees=-5 escrow=-25 losses=-4 suspense=-1 w1=30 w2=20') = 'ok' and pg_temp.balance(1) = 904;
    perform pg_temp.stands(7);
end $$;

-- Whatever the edge lets through, the database refuses: NaN, fractions, overflow, a wrong currency, a transfer to oneself.
do $$
declare
    c record; home text;
    before jsonb := ledger.check_books();
begin
    for c in select * from (values ('NaN', '''NaN''', '22P02'), ('infinity', '''Infinity''', '22P02'), ('a fraction in text', '''1.5''', '22P02'),
        ('an exponent', '''1e3''', '22P02'), ('a float NaN', '''NaN''::float8', '22003'), ('above bigint', '9223372036854775808', '22003'),
        ('above 2^53 - 1', '9007199254740992', '23514'), ('the largest bigint', '9223372036854775807', '23514')) as t (what, amount, code)
    loop
        assert pg_temp.code(format('select ledger.post(''deposit'', ''GNF'', array[(ledger.platform_account(''escrow'', ''GNF''), -(%s)::bigint),
            (ledger.platform_account(''losses'', ''GNF''), (%1$s)::bigint)]::ledger.leg[], null, null, 1)', c.amount)) = c.code, c.what;
    end loop;
    assert pg_temp.post('deposit', 'provider_clearing=-9223372036854775807 w1=9223372036854775807') = '22003', 'a balance that overflows';
    -- Into the table, and straight into the partition of the month: nobody may go around the check.
    foreach home in array array['ledger.entries', 'ledger.entries_' || to_char(now() at time zone 'UTC', 'YYYYMM')] loop
        for c in select * from (values ('a single leg', '(1, $1, ''GNF'', 5)'), ('off by one', '(1, $1, ''GNF'', 5), (2, $2, ''GNF'', -4)'),
            ('a transfer to oneself', '(1, $1, ''GNF'', 5), (2, $1, ''GNF'', -5)'), ('an account twice', '(1, $1, ''GNF'', 5), (2, $1, ''GNF'', 5), (3, $2, ''GNF'', -10)'),
            ('a wrong currency', '(1, $1, ''XOF'', 5), (2, $2, ''XOF'', -5)'), ('two currencies', '(1, $1, ''GNF'', 5), (2, $3, ''XOF'', -5)'),
            ('nobody''s account', '(1, $1, ''GNF'', 5), (2, gen_random_uuid(), ''GNF'', -5)')) as t (what, legs)
        loop
            assert pg_temp.code(format('insert into %s (transaction_id, leg, account_id, currency, amount) select %L, n, a::uuid, c, v from (values %s) v (n, a, c, v)',
                home, gen_random_uuid(), replace(replace(replace(c.legs, '$1', quote_literal(pg_temp.wallet(1))), '$2', quote_literal(pg_temp.wallet(2))),
                '$3', quote_literal(ledger.platform_account('losses', 'XOF'))))) = 'P0001', c.what || ' into ' || home;
        end loop;
    end loop;
    assert pg_temp.code('select ledger.post(''transfer'', ''GNF'', ''{}'', null, null, 1)') = 'P0001', 'a transaction without a leg';
    assert ledger.check_books() = before;
end $$;

-- Each partition has the triggers of its parent's statements, the ones to come too.
do $$ begin
    perform core.add_partition('ledger.entries', '209912', 'for values from (''2099-12-01 UTC'') to (''2100-01-01 UTC'')');
    assert not exists (select from pg_inherits i where i.inhparent = 'ledger.entries'::regclass and (select array_agg(t.tgname::text order by t.tgname)
        from pg_trigger t where t.tgrelid = i.inhrelid and not t.tgisinternal) <> '{append_only,entries_balance,never_truncated}'), 'a partition lacks a trigger';
end $$;

-- A wallet has a floor of zero and a ceiling of 2^53 - 1; the last unit may be spent, not one more.
do $$ begin
    assert pg_temp.post('transfer', 'w2=-101 w1=101') = 'INSUFFICIENT_FUNDS';
    assert pg_temp.post('transfer', 'w2=-100 w1=100') = 'ok' and pg_temp.balance(2) = 0;
    assert pg_temp.post('transfer', 'w2=-1 w1=1') = 'INSUFFICIENT_FUNDS';
    assert pg_temp.post('deposit', 'provider_clearing=-9007199254740000 w2=9007199254740000') = 'ok';
    assert pg_temp.post('deposit', 'provider_clearing=-992 w2=992') = 'RECIPIENT_UNAVAILABLE', 'above 2^53 - 1';
    assert pg_temp.post('refund', 'w2=-9007199254740000 provider_clearing=9007199254740000') = 'ok';
    assert pg_temp.code('update ledger.wallets set balance = -1') = '23514';
    perform pg_temp.stands(1);
end $$;

-- A blocked or closed wallet neither gives nor takes.
do $$
declare
    bad text;
begin
    foreach bad in array array['blocked', 'closed'] loop
        update ledger.wallets set status = bad where id = pg_temp.wallet(3);
        assert pg_temp.post('transfer', 'w1=-10 w3=10') = 'RECIPIENT_UNAVAILABLE';
        update ledger.wallets set status = 'active' where id = pg_temp.wallet(3);
        assert pg_temp.post('transfer', 'w1=-10 w3=10') = 'ok';
        update ledger.wallets set status = bad where id = pg_temp.wallet(3);
        assert pg_temp.post('transfer', 'w3=-10 w1=10') = 'WALLET_BLOCKED';
        update ledger.wallets set status = 'active' where id = pg_temp.wallet(3);
        assert pg_temp.post('transfer', 'w3=-10 w1=10') = 'ok';
    end loop;
    assert pg_temp.balance(3) = 0 and pg_temp.balance(1) = 1004;
end $$;

-- Lines written past the posting function must balance too, and what is written stays: for the owner, and in partitions.
do $$
declare
    target text;
    part text;
begin
    assert pg_temp.code('insert into ledger.entries (transaction_id, leg, account_id, currency, amount) select gen_random_uuid(),
        n, pg_temp.wallet(n), ''GNF'', a from (values (1, 5), (2, -5)) v (n, a)') = 'P0001', 'two transactions do not balance each other';
    foreach target in array array['ledger.transactions', 'ledger.entries'] loop
        execute format('select tableoid::regclass::text from %s limit 1', target) into part;
        assert part ~ '_[0-9]{6}$', 'rows lie in the partition of their month';
        foreach part in array array[target, part] loop
            assert pg_temp.code(format('update %s set amount = 1', part)) = 'P0001', part || ' can be updated';
            assert pg_temp.code(format('delete from %s', part)) = 'P0001', part || ' can be deleted from';
            assert pg_temp.code(format('truncate %s', part)) = 'P0001', part || ' can be truncated';
        end loop;
    end loop;
    perform pg_temp.stands(1);
end $$;

-- The proof finds one unit that appeared or vanished, whoever wrote it.
do $$
declare
    books jsonb;
begin
    begin
        update ledger.wallets set balance = balance + 1 where id = pg_temp.wallet(1);
        books := ledger.check_books();
        raise exception using errcode = 'U0001';
    exception when sqlstate 'U0001' then
        assert books ->> 'ok' = 'false' and books ->> 'broken_balances' = '1', 'a tampered balance was not found: ' || books;
    end;
    begin
        alter table ledger.entries disable trigger entries_balance;
        insert into ledger.entries (transaction_id, leg, account_id, currency, amount)
        values (gen_random_uuid(), 1, ledger.platform_account('losses', 'GNF'), 'GNF', 1);
        books := ledger.check_books();
        raise exception using errcode = 'U0001';
    exception when sqlstate 'U0001' then
        assert books ->> 'ok' = 'false', 'an unbalanced entry was not found: ' || books;
    end;
    perform pg_temp.stands(1);
end $$;

-- A wallet's lines, read in the order of their page, carry a balance that follows from the line before.
do $$ begin
    assert not exists (
        select from (select balance_after, amount, lag(balance_after, 1, 0::bigint) over (partition by account_id
                         order by created_at, transaction_id) as before from ledger.entries
                      where account_id in (pg_temp.wallet(1), pg_temp.wallet(2), pg_temp.wallet(3))) l
         where balance_after <> before + amount), 'a statement does not add up line by line';
end $$;

-- Users read their own wallets and lines, page by page; nobody writes, posts or makes a wallet from outside.
do $$
declare
    door text;
    target text;
    seen integer;
    last api.wallet_history;
    page integer := 0;
begin
    perform set_config('request.jwt.claims', jsonb_build_object('sub',
        (select user_id from ledger.wallets where id = pg_temp.wallet(1)), 'role', 'authenticated')::text, true);
    set local role authenticated;
    assert (select count(*) from api.wallets) = 2, 'GNF and XOF of his own';
    select count(*) into seen from api.wallet_history;
    assert seen > 5 and seen = (select count(*) from ledger.entries), 'the lines of others, or of the platform, show';
    assert (select bool_and(wallet_id in (select id from api.wallets)) from api.wallet_history);
    loop
        select h.* into last from (select * from api.wallet_history x where last.id is null or (x.created_at, x.id) < (last.created_at, last.id)
            order by x.created_at desc, x.id desc limit 1) h;
        exit when not found;
        page := page + 1;
    end loop;
    assert page = seen, format('%s lines were read in pages, of %s', page, seen);
    reset role;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['wallets', 'transactions', 'entries', 'accounts', 'references'] loop
            assert pg_temp.code(format('insert into ledger.%I default values', target)) = '42501', door || ' inserts ' || target;
            assert pg_temp.code(format('delete from ledger.%I', target)) = '42501', door || ' deletes ' || target;
            assert pg_temp.code(format('truncate ledger.%I', target)) = '42501', door || ' truncates ' || target;
        end loop;
        assert pg_temp.code('update ledger.wallets set balance = 1000000') = '42501';
        assert pg_temp.code('update api.wallets set balance = 1000000, status = ''active''') = '42501';
        assert pg_temp.code('update ledger.wallets set daily_limit = 1000000') = '42501';
        assert pg_temp.code('select ledger.wallet_for(gen_random_uuid(), ''GNF'')') = '42501';
        assert pg_temp.code('select ledger.post(''deposit'', ''GNF'', ''{}'', null, null, 1)') = '42501';
        assert pg_temp.code('select ledger.check_books()') = case door when 'service_role' then 'ok' else '42501' end;
        reset role;
    end loop;
    perform set_config('role', 'anon', true);
    assert pg_temp.code('select * from api.wallets') = '42501' and pg_temp.code('select * from api.wallet_history') = '42501';
    reset role;
end $$;
rollback;
