-- Running totals of the ledger: what every account kind holds, added up line by line as lines arrive and never twice.
-- Why:       an alarm on "the ledger's sum is not 0" asks every half minute; adding up every line each time would cost more
--            with every day.
-- Locks:     none on the ledger; two at once: the second one does nothing.
-- Old code:  keeps working; nothing it reads or writes changes.
-- Undo:      drop function ledger.sum_up(bigint), ledger.quiet_since(interval); drop table ledger.running_sums, ledger.summed;
--            delete from core.settings where key = 'sum_grace_s';

create table ledger.running_sums (
    currency text not null,
    kind     text not null,
    total    bigint not null,
    lines    bigint not null check (lines > 0),
    primary key (currency, kind)
);
comment on table ledger.running_sums is
    'Of all lines before ledger.summed.until; the totals of a currency add up to 0. Kind wallets is everything with an owner.
     Finds what arrives wrong. What is altered afterwards is found by ledger.verify_chain and ledger.audit.';
alter table ledger.running_sums enable row level security;

create table ledger.summed (
    one    boolean primary key default true check (one),
    until  timestamptz not null
);
alter table ledger.summed enable row level security;
insert into ledger.summed (until) values ('-infinity');
insert into core.settings (key, value, unit, description) values
    ('sum_grace_s', 60, 's', 'lines younger than this are not in the running totals yet');

create function ledger.quiet_since(grace interval) returns timestamptz language sql stable set search_path = '' as $$
    -- As ledger.last_finished_day: lines carry the clock of their posting, not of their commit, so whoever still writes may
    -- bring lines as old as his transaction. A start that our role may not see counts as long ago: waiting, never guessing.
    select least(now() - grace,
        (select min(coalesce(a.xact_start, '-infinity')) from pg_stat_activity a where a.datname = current_database()
            and a.backend_xid is not null and a.pid <> pg_backend_pid()),
        (select '-infinity'::timestamptz from pg_prepared_xacts p where p.database = current_database() limit 1))
$$;

create function ledger.sum_up(max_lines bigint) returns timestamptz language plpgsql set search_path = '' as $$
declare
    horizon timestamptz := ledger.quiet_since(make_interval(secs => core.setting('sum_grace_s')));
    since timestamptz;
    cut timestamptz;
begin
    if current_setting('transaction_isolation') <> 'read committed'
        or not pg_try_advisory_xact_lock(hashtextextended('ledger.sum_up', 0)) then
        return (select s.until from ledger.summed s);
    end if;
    select s.until into since from ledger.summed s;
    if horizon <= since then
        return since;
    end if;
    -- Never inside an instant: a transaction's lines share theirs, so every cut is whole.
    select e.created_at into cut from ledger.entries e
     where e.created_at >= since and e.created_at < horizon order by e.created_at offset max_lines limit 1;
    cut := case when cut is null then horizon else greatest(cut, since + interval '1 microsecond') end;
    insert into ledger.running_sums as r (currency, kind, total, lines)
    select e.currency, coalesce(a.kind, 'wallets'), sum(e.amount)::bigint, count(*)
      from ledger.entries e
      left join ledger.accounts a on a.id = e.account_id and a.kind not in ('user_wallet', 'store_balance')
     where e.created_at >= since and e.created_at < cut group by 1, 2
        on conflict (currency, kind) do update set total = r.total + excluded.total, lines = r.lines + excluded.lines;
    update ledger.summed s set until = cut;
    return cut;
end $$;
comment on function ledger.sum_up is
    'Adds what has arrived since the last time, at most about so many lines; answers up to when the totals reach.';

revoke execute on all functions in schema ledger from public;
