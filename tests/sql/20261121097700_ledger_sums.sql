begin;
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
declare
    someone uuid := ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid;
begin
    insert into auth.users (id, email) values (someone, 'p' || n || '@sums.test');
    return someone;
end $$;
-- Two lines at an instant, as ledger.post writes them: into a wallet of person n, from where the money came.
create function pg_temp.lines(n integer, amount bigint, at timestamptz, off bigint default 0) returns void language plpgsql as $$
declare
    own uuid := ledger.wallet_for(('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, 'GNF');
begin
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount)
    select at, t.id, l.leg, l.account, l.owner, 'GNF', l.amount
      from (select gen_random_uuid() as id) t, (values (1, ledger.platform_account('provider_clearing', 'GNF'), null, -amount),
               (2, own, ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid, amount + off)) l (leg, account, owner, amount);
end $$;
create function pg_temp.sums() returns text language sql as $$
    select string_agg(kind || ' ' || total || ' of ' || lines, ', ' order by kind) from ledger.running_sums where currency = 'GNF'
$$;

-- Every line once, oldest first, however few at a time; what is younger than the grace waits.
do $$
declare
    day timestamptz := '2026-11-01 10:00Z';
begin
    perform pg_temp.person(1), pg_temp.person(2);
    perform pg_temp.lines(1, 100, day), pg_temp.lines(2, 30, day + interval '1 hour'), pg_temp.lines(1, 5, day + interval '2 hours');
    perform pg_temp.lines(2, 7, now());
    assert pg_temp.sums() is null, 'nothing before the first time';
    assert ledger.sum_up(2) = day + interval '1 hour' and pg_temp.sums() = 'provider_clearing -100 of 1, wallets 100 of 1', pg_temp.sums();
    assert ledger.sum_up(2) = day + interval '2 hours' and pg_temp.sums() = 'provider_clearing -130 of 2, wallets 130 of 2', pg_temp.sums();
    assert ledger.sum_up(100) = now() - interval '60 seconds';
    assert pg_temp.sums() = 'provider_clearing -135 of 3, wallets 135 of 3', pg_temp.sums();
    assert ledger.sum_up(100) = now() - interval '60 seconds' and pg_temp.sums() like '% 135 of 3', 'a second time adds nothing';
    update core.settings set value = 0 where key = 'sum_grace_s';
    perform pg_temp.lines(1, 1, now() - interval '1 second');
    assert ledger.sum_up(100) = now() and pg_temp.sums() = 'provider_clearing -136 of 4, wallets 136 of 4', pg_temp.sums();
    update core.settings set value = 60 where key = 'sum_grace_s';
    assert ledger.sum_up(100) = now(), 'never backwards';
end $$;

-- One instant with more lines than may be added at once does not stop it.
do $$
begin
    update ledger.summed set until = '-infinity';
    truncate ledger.running_sums;
    assert ledger.sum_up(0) = '2026-11-01 10:00Z' and pg_temp.sums() is null;
    assert ledger.sum_up(0) = '2026-11-01 10:00:00.000001Z';
    assert pg_temp.sums() = 'provider_clearing -100 of 1, wallets 100 of 1', pg_temp.sums();
end $$;

-- n82: what does not balance shows, past triggers that a superuser switched off.
do $$
begin
    update ledger.summed set until = '-infinity';
    truncate ledger.running_sums;
    set local session_replication_role = replica;
    perform pg_temp.lines(2, 50, '2026-11-01 12:00Z', 3);
    set local session_replication_role = origin;
    perform ledger.sum_up(1000);
    assert (select sum(total) from ledger.running_sums where currency = 'GNF') = 3, pg_temp.sums();
end $$;

-- Nobody from outside sees or calls any of it.
do $$
declare
    door text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        assert not has_function_privilege(door, 'ledger.sum_up(bigint)', 'execute')
           and not has_table_privilege(door, 'ledger.running_sums', 'select'), door;
    end loop;
end $$;
rollback;
