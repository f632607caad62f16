-- Tamper evidence: every finished UTC day of the ledger is sealed into a hash chain; verify_chain names what was altered.
-- Why:       a trigger stops everybody but the one who can drop it. Whoever rewrites a line past the triggers must rewrite its
--            leaf, its day and every day since, and still differs from a head that was noted elsewhere.
-- Locks:     none on the ledger: sealing only reads it, after the day. Two sealers: the second one does nothing.
-- Old code:  keeps working; nothing it reads or writes changes.
-- Undo:      drop function api.ledger_seal(jsonb), ledger.seal(jsonb), ledger.seal_days(integer), ledger.verify_chain(date);
--            drop table ledger.seals, ledger.sealed_transactions.

create table ledger.seals (
    day          date primary key,
    transactions bigint not null check (transactions >= 0),
    entries      bigint not null check (entries >= 0),
    previous     bytea not null check (length(previous) = 32),
    hash         bytea not null check (length(hash) = 32),
    sealed_at    timestamptz not null default clock_timestamp()
);
comment on table ledger.seals is
    'One per UTC day from the first transaction on, also of days on which nothing happened: that, too, is sealed. previous is
     the hash of the day before (of the first: 32 zero bytes).';
alter table ledger.seals enable row level security;

create table ledger.sealed_transactions (
    day            date not null,
    created_at     timestamptz not null,
    transaction_id uuid not null,
    hash           bytea not null check (length(hash) = 32),
    primary key (created_at, transaction_id),
    constraint leaf_of_its_day check (day = (created_at at time zone 'UTC')::date)
) partition by range (created_at);
comment on table ledger.sealed_transactions is
    'The leaves: a transaction and all of its entries as they stood when their day was sealed. So that not only a day but the
     very transaction is named that no longer says what it said.';
alter table ledger.sealed_transactions enable row level security;
select core.make_append_only('ledger.seals'), core.make_append_only('ledger.sealed_transactions');
select core.make_partitions('ledger.sealed_transactions', 12);
insert into core.settings (key, value, unit, description) values
    ('seal_grace_s', 600, 's', 'a UTC day is sealed no earlier than this after its end');

-- ------------------------------------------------------------------------------------------------------------- hashes

create function ledger.fold_step(state bytea, leaf bytea) returns bytea language sql immutable strict parallel safe
    set search_path = '' return sha256(state || leaf);
create aggregate ledger.fold(bytea) (sfunc = ledger.fold_step, stype = bytea, initcond = '');
comment on aggregate ledger.fold(bytea) is 'Any number of leaves into one hash, in the order given, without holding them all.';

create function ledger.utc(at timestamptz) returns text language sql stable set search_path = ''
    return to_char(at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
create function ledger.day_start(day date) returns timestamptz language sql immutable set search_path = ''
    return day::timestamp at time zone 'UTC';

create function ledger.leaves(since timestamptz, until timestamptz)
    returns table (created_at timestamptz, transaction_id uuid, entries bigint, hash bytea)
    language sql stable set search_path = '' as $$
    -- JSON arrays, one a line: quotes, commas and line ends inside a value are escaped, so no two contents have one text. A
    -- column that is added later enters as 'v2', from a day on; what was sealed as v1 is read as v1 for ever.
    with lines as (
        select e.created_at, e.transaction_id, count(*) as entries, string_agg(jsonb_build_array(e.leg, e.account_id, e.user_id,
                   e.currency, e.amount, e.balance_after)::text, E'\n' order by e.leg) as text
          from ledger.entries e where e.created_at >= since and e.created_at < until group by e.created_at, e.transaction_id
    ), heads as (
        select t.created_at, t.id as transaction_id, jsonb_build_array(t.type, t.sender_wallet_id, t.receiver_wallet_id,
                   t.sender_user_id, t.receiver_user_id, t.amount, t.fee, t.currency, t.reference_type, t.reference_id,
                   t.description, t.initiator_id, t.request_id, ledger.utc(t.effective_at))::text as text
          from ledger.transactions t where t.created_at >= since and t.created_at < until
    )
    select created_at, transaction_id, coalesce(l.entries, 0), sha256(convert_to(concat_ws(E'\n', 'v1', ledger.utc(created_at),
               transaction_id, coalesce(h.text, '-'), coalesce(l.text, '-')), 'UTF8'))
      from heads h full join lines l using (created_at, transaction_id)
$$;
comment on function ledger.leaves is 'What is in the books now; also entries without a transaction, and the reverse.';

create function ledger.seal_hash(day date, transactions bigint, entries bigint, previous bytea, folded bytea)
    returns bytea language sql stable set search_path = '' as $$
    select sha256(convert_to(concat_ws(E'\n', 'v1', to_char(day, 'YYYY-MM-DD'), transactions, entries, encode(previous, 'hex'),
        encode(folded, 'hex')), 'UTF8'))
$$;

-- ------------------------------------------------------------------------------------------------------------ sealing

create function ledger.last_finished_day() returns date language sql stable set search_path = '' as $$
    -- Lines carry the clock of their posting, not of their commit: a transaction that began on a day may still bring lines of
    -- that day. So the day of the oldest writer is not finished, nor are those after it. A start that our role may not see
    -- (it lacks pg_read_all_stats), or that a prepared transaction lost, counts as long ago: sealing waits, it never guesses.
    select least((now() - make_interval(secs => core.setting('seal_grace_s'))) at time zone 'UTC',
            (select min(coalesce(a.xact_start, '-infinity')) from pg_stat_activity a where a.datname = current_database()
                and a.backend_xid is not null and a.pid <> pg_backend_pid()) at time zone 'UTC',
            (select '-infinity'::timestamp from pg_prepared_xacts p where p.database = current_database() limit 1))::date - 1
$$;

create function ledger.first_day() returns date language sql stable set search_path = '' as $$
    select (least((select min(t.created_at) from ledger.transactions t), (select min(e.created_at) from ledger.entries e))
        at time zone 'UTC')::date
$$;

create function ledger.seal_day(wanted date, before bytea) returns bytea language sql set search_path = '' as $$
    with leaf as materialized (
        select * from ledger.leaves(ledger.day_start(wanted), ledger.day_start(wanted + 1))
    ), kept as (
        insert into ledger.sealed_transactions (day, created_at, transaction_id, hash)
        select wanted, l.created_at, l.transaction_id, l.hash from leaf l
    )
    insert into ledger.seals (day, transactions, entries, previous, hash)
    select wanted, count(*), coalesce(sum(l.entries), 0), before, ledger.seal_hash(wanted, count(*), coalesce(sum(l.entries), 0)::bigint,
               before, ledger.fold(l.hash order by l.created_at, l.transaction_id)) from leaf l
    returning hash
$$;

create function ledger.seal_days(max_days integer) returns integer language plpgsql set search_path = '' as $$
declare
    last date := ledger.last_finished_day();
    wanted date;
    head bytea;
    made integer := 0;
begin
    if current_setting('transaction_isolation') <> 'read committed' then
        -- An older snapshot would not show what committed before the look at the writers.
        raise exception 'days are sealed in read committed, not in %', current_setting('transaction_isolation');
    elsif not pg_try_advisory_xact_lock(hashtextextended('ledger.seal_days', 0)) then
        return 0;
    end if;
    select s.day + 1, s.hash into wanted, head from ledger.seals s order by s.day desc limit 1;
    if not found then
        select ledger.first_day(), decode(repeat('00', 32), 'hex') into wanted, head;
    end if;
    while wanted <= last and made < max_days loop
        head := ledger.seal_day(wanted, head);
        wanted := wanted + 1;
        made := made + 1;
    end loop;
    return made;
end $$;
comment on function ledger.seal_days is 'Seals the finished days that are not sealed yet, oldest first, at most so many; answers how many.';

create function ledger.seal(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    made integer := ledger.seal_days(coalesce(core.amount_field(ask, 'max_days'), 10)::integer);
    newest ledger.seals;
begin
    select * into newest from ledger.seals s order by s.day desc limit 1;
    return jsonb_build_object('success', true, 'sealed', made, 'head', encode(newest.hash, 'hex'), 'day', newest.day);
end $$;
comment on function ledger.seal is 'The head and its day belong into a log or a mailbox that the database''s owner cannot rewrite.';

create function api.ledger_seal(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.seal(ask);

-- ---------------------------------------------------------------------------------------------------------- verifying

create function ledger.differences(since timestamptz, until timestamptz) returns jsonb language sql stable set search_path = '' as $$
    -- The leaves against the books as they are now; at most 100 ids of a kind, and the count says how many there are.
    with off as (
        select transaction_id as id,
               case when b.hash is null then 'missing' when l.hash is null then 'added' else 'changed' end as how
          from (select s.created_at, s.transaction_id, s.hash from ledger.sealed_transactions s
                 where s.created_at >= since and s.created_at < until) l
          full join ledger.leaves(since, until) b using (created_at, transaction_id)
         where l.hash is distinct from b.hash
    )
    select jsonb_build_object('count', count(*),
               'changed', coalesce((array_agg(id order by id) filter (where how = 'changed'))[1:100], '{}'),
               'missing', coalesce((array_agg(id order by id) filter (where how = 'missing'))[1:100], '{}'),
               'added', coalesce((array_agg(id order by id) filter (where how = 'added'))[1:100], '{}'))
      from off having count(*) > 0
$$;

create function ledger.verify_chain(from_day date default null) returns jsonb
    language plpgsql stable security definer set search_path = '' as $$
declare
    first date := greatest((select min(s.day) from ledger.seals s), from_day);
    before ledger.seals;
    seal ledger.seals;
    state text;
    off jsonb;
    broken jsonb;
    checked bigint := 0;
    total bigint := 0;
begin
    select * into before from ledger.seals s where s.day < first order by s.day desc limit 1;
    if before.day is null then
        off := ledger.differences('-infinity', ledger.day_start(first));   -- Older than the oldest seal: there was nothing.
        broken := jsonb_build_object('day', ledger.first_day(), 'seal', 'missing') || off;
    end if;
    for seal in select * from ledger.seals s where s.day >= first order by s.day loop
        exit when broken is not null;
        state := case
            when before.day is not null and seal.day <> before.day + 1 then 'missing'
            when seal.previous <> coalesce(before.hash, decode(repeat('00', 32), 'hex')) then 'does not follow'
            when seal.hash <> ledger.seal_hash(seal.day, seal.transactions, seal.entries, seal.previous,
                (select ledger.fold(l.hash order by l.created_at, l.transaction_id) from ledger.sealed_transactions l
                  where l.created_at >= ledger.day_start(seal.day) and l.created_at < ledger.day_start(seal.day + 1))) then 'altered'
            else 'holds' end;
        if state = 'missing' then
            seal.day := before.day + 1;
        end if;
        off := ledger.differences(ledger.day_start(seal.day), ledger.day_start(seal.day + 1));
        if state <> 'holds' or off is not null then
            broken := jsonb_build_object('day', seal.day, 'seal', state, 'count', 0, 'changed', '{}'::text[], 'missing', '{}'::text[],
                'added', '{}'::text[]) || coalesce(off, '{}');
        else
            checked := checked + 1;
            total := total + seal.transactions;
            before := seal;
        end if;
    end loop;
    return jsonb_build_object('ok', broken is null, 'days', checked, 'transactions', total, 'from', first, 'to', before.day,
        'head', encode(before.hash, 'hex'), 'broken', broken);
end $$;
comment on function ledger.verify_chain is
    'Days that hold, and the first that does not: its transactions changed, missing or added since, and whether its seal holds,
     is missing, does not follow from the day before, or is altered (leaves or figures). null: from the beginning.';

revoke execute on all functions in schema api, ledger from public;
grant execute on function ledger.seal(jsonb), api.ledger_seal(jsonb), ledger.verify_chain(date) to service_role;
