-- The whole audit in one answer: books, accounts, what waits and for whom, the chain, what wants a person's eye.
-- Why:       an auditor asks one question and gets figures of one instant that he can add up himself.
-- Locks:     none; it reads every line of the ledger once, so it belongs to a quiet hour or a replica.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function ledger.audit(text), and the functions created here.

create function ledger.account_totals() returns jsonb language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(jsonb_build_object('currency', a.currency, 'kind', a.kind, 'total', a.total, 'lines', a.lines)
               order by a.currency, a.kind), '[]')
      from (select x.currency, x.kind, sum(e.amount)::bigint as total, count(*) as lines
              from ledger.entries e join ledger.accounts x on x.id = e.account_id group by x.currency, x.kind) a
$$;
comment on function ledger.account_totals is 'Per currency and kind; the totals of a currency add up to 0. Wallets are one kind.';

create function ledger.broken_books() returns jsonb language sql stable set search_path = '' as $$
    -- By name, at most 20 of each: what check_books only counts.
    with held as (
        select e.account_id, sum(e.amount) as total from ledger.entries e where e.user_id is not null group by 1
    ), lame as (
        select e.created_at, e.transaction_id, e.currency, sum(e.amount)::bigint as off from ledger.entries e
         group by e.created_at, e.transaction_id, e.currency having sum(e.amount) <> 0 order by 1, 2 limit 20
    ), wrong as (
        select w.id, w.currency, w.balance, coalesce(h.total, 0)::bigint as lines from ledger.wallets w
          left join held h on h.account_id = w.id where w.balance <> coalesce(h.total, 0) order by w.id limit 20
    )
    select jsonb_build_object(
        'transactions', (select coalesce(jsonb_agg(jsonb_build_object('id', transaction_id, 'day', ledger.utc(created_at),
            'currency', currency, 'off', off)), '[]') from lame),
        'wallets', (select coalesce(jsonb_agg(to_jsonb(wrong)), '[]') from wrong))
$$;

create function ledger.clearing_checks() returns jsonb language sql stable set search_path = '' as $$
    -- A payout credits payout_clearing until it is over, a ride's payment ride_clearing until it is shared out: so what lies
    -- there is the sum of what is open.
    with lies as (
        select a.kind, a.currency, sum(e.amount)::bigint as total from ledger.accounts a join ledger.entries e on e.account_id = a.id
         where a.kind in ('payout_clearing', 'ride_clearing') group by a.kind, a.currency
    ), open as (
        select 'payout_clearing' as kind, o.currency, sum(o.amount)::bigint as total, count(*) as count from payments.payouts o
         where o.status in ('pending', 'processing', 'manual', 'unknown') group by o.currency
        union all
        select 'ride_clearing', t.currency, sum(t.amount - t.refunded_amount)::bigint, count(*)
          from taxi.transactions t join taxi.trips r on r.id = t.ride_id
         where t.status = 'completed' and t.payment_method <> 'cash' and r.distributed_at is null group by t.currency
    )
    select coalesce(jsonb_agg(jsonb_build_object('account', kind, 'currency', currency, 'total', coalesce(l.total, 0),
               'open', coalesce(o.total, 0), 'count', coalesce(o.count, 0)) order by kind, currency), '[]')
      from lies l full join open o using (kind, currency)
$$;

create function ledger.waiting() returns jsonb language plpgsql stable set search_path = '' as $$
declare
    found bigint;
    counts jsonb := jsonb_build_object(
        'unsealed_transactions', (select count(*) from ledger.transactions t
            where t.created_at >= coalesce((select ledger.day_start(max(s.day) + 1) from ledger.seals s), '-infinity')),
        'blocked_wallets', (select count(*) from ledger.wallets w where w.status = 'blocked'),
        'alerts', (select count(*) from core.outbox o where o.channel = 'alert' and o.status <> 'sent'));
    asked record;
begin
    -- Tables of other domains, where they exist: dynamic, because the ledger stands without them.
    for asked in select * from (values
        ('reconciliation_differences', 'payments.reconciliation_differences', 'resolved_at is null'),
        ('dead_letters', 'payments.payment_events', 'outcome = ''dead_letter''')) as t (name, home, condition)
    loop
        found := null;
        if to_regclass(asked.home) is not null then
            execute format('select count(*) from %s where %s', asked.home, asked.condition) into found;
        end if;
        counts := counts || jsonb_build_object(asked.name, found);
    end loop;
    return counts;
end $$;

create function ledger.audit(noted text default null) returns jsonb language plpgsql stable security definer set search_path = '' as $$
declare
    books jsonb := ledger.check_books();
    broken jsonb := ledger.broken_books();
    clearing jsonb := ledger.clearing_checks();
    chain jsonb := ledger.verify_chain();
    -- The head of any day will do: it was the newest one when it was noted.
    noted_day date := (select s.day from ledger.seals s where encode(s.hash, 'hex') = lower(noted));
begin
    return jsonb_build_object(
        'ok', (books ->> 'ok')::boolean and (chain ->> 'ok')::boolean and broken = '{"transactions": [], "wallets": []}'
              and not exists (select from jsonb_array_elements(clearing) c where c -> 'total' <> c -> 'open')
              and (noted is null or noted_day is not null),
        'at', ledger.utc(now()), 'books', books, 'broken', broken, 'accounts', ledger.account_totals(), 'clearing', clearing,
        'chain', chain, 'waiting', ledger.waiting(),
        'noted', case when noted is not null then jsonb_build_object('head', lower(noted), 'day', noted_day) end);
end $$;
comment on function ledger.audit is
    'noted: a head in hex that was written down elsewhere; ok only if it is still the hash of a day. What waits for a person is
     counted, and is not wrong.';

revoke execute on all functions in schema ledger from public;
grant execute on function ledger.audit(text) to service_role;
