-- A page of a history costs a page: lines are read in their order from an index until the page is full, however long the history is.
-- Why:       the planner took somebody with 100,000 lines for one with 20, and sorted them all for each page. Told that few people
--            share the lines, it reads in order, which for few lines costs the same.
-- Locks:     the tables named here, for a moment; one small index of ledger.known_recipients is built anew.
-- Old code:  keeps working; the views show the same rows in the same columns.
-- Undo:      alter column … reset (n_distinct) on the columns named here; create core.add_partition and view api.wallet_history as
--            their own migrations do.

create or replace function core.add_partition(parent regclass, suffix text, bounds text)
    returns void language plpgsql set search_path = '' as $$
declare
    home text;
    plain text;
begin
    select n.nspname, c.relname into home, plain
      from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.oid = parent;
    if to_regclass(format('%I.%I', home, plain || '_' || suffix)) is not null then
        return;
    end if;
    execute format('create table %I.%I partition of %s %s', home, plain || '_' || suffix, parent, bounds);
    execute format('alter table %I.%I enable row level security', home, plain || '_' || suffix);
    execute coalesce((select string_agg(replace(pg_get_triggerdef(t.oid), format(' ON %I.%I ', home, plain),
                          format(' ON %I.%I ', home, plain || '_' || suffix)), ';')
                        from pg_catalog.pg_trigger t
                       where t.tgrelid = parent and not t.tgisinternal and t.tgtype & 1 = 0), '');
    -- What the planner is told of a column is not inherited either.
    execute coalesce((select string_agg(format('alter table %I.%I alter column %I set (%s)', home, plain || '_' || suffix, a.attname,
                          array_to_string(a.attoptions, ', ')), ';')
                        from pg_catalog.pg_attribute a where a.attrelid = parent and a.attoptions is not null), '');
end $$;

do $$
declare
    told record;
    part regclass;
begin
    for told in select * from (values ('ledger.entries'::regclass, 'user_id'), ('ledger.entries', 'account_id'),
        ('ledger.transactions', 'sender_wallet_id'), ('ledger.wallet_logs', 'actor_id'), ('ledger.fraud_detection_logs', 'user_id'))
        as t (parent, name) loop
        for part in select told.parent union all select i.inhrelid from pg_inherits i where i.inhparent = told.parent loop
            execute format('alter table %s alter column %I set (n_distinct = 100)', part, told.name);
        end loop;
    end loop;
end $$;

-- The same rows as before. Of the bare comparison the planner expects so few that it reads them all to find them; nobody looks a
-- transaction up by its people.
drop policy transactions_own on ledger.transactions;
create policy transactions_own on ledger.transactions for select to authenticated
    using (coalesce(sender_user_id = (select auth.uid()) or receiver_user_id = (select auth.uid()), false));

-- An outer join, and a condition that is no join: of an inner one the planner expects a single line, and then sorts for it. A line
-- whose transaction the asker may not see stays out, as before.
create or replace view api.wallet_history with (security_invoker = true) as
    select e.transaction_id as id, e.account_id as wallet_id, t.type::text as type, e.amount::bigint as amount, e.balance_after,
           e.currency, t.fee::bigint as fee, t.description::text as description, t.reference_type, t.reference_id, e.created_at
      from ledger.entries e left join ledger.transactions t on t.created_at = e.created_at and t.id = e.transaction_id
     where e.user_id is not null and coalesce(t.id is not null, false);
comment on view api.wallet_history is
    'A caller''s own lines, signed. Page with order=created_at.desc,id.desc and, of the last row, created_at=lte.C and
     or=(created_at.lt.C,id.lt.I): the first condition finds the place in the index.';

-- Whether two wallets know each other is one row by either index: of a merchant's million payers no other is read.
-- squawk-ignore require-concurrent-index-deletion
drop index ledger.known_recipients_receiver;
-- squawk-ignore require-concurrent-index-creation
create index known_recipients_receiver on ledger.known_recipients (receiver_wallet_id, sender_wallet_id);
