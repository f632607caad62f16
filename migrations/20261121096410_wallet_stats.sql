-- wallet-admin stats: what the platform earned and holds, by aggregates; and the queues that people work through.
-- Why:       an operator sees totals and open work, one currency at a time, without reading anybody's rows.
-- Locks:     none; an index is built on a table that is new.
-- Old code:  nothing calls these yet.
-- Undo:      drop view api.admin_payouts, api.admin_suspense; drop the functions and indexes created here.

create index outbox_alerts on core.outbox (created_at) where channel = 'alert';

create function ledger.day_or_time(ask jsonb, field text) returns timestamptz language sql stable set search_path = '' as $$
    select ledger.time_field(case when ask ->> field ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$'
        then jsonb_build_object(field, (ask ->> field) || 'T00:00:00Z') else ask end, field)
$$;

-- ------------------------------------------------------------------------------------------------------------- figures

create function ledger.service_of(type text) returns text language sql immutable set search_path = '' as $$
    select case when type in ('deposit', 'transfer', 'withdrawal', 'withdrawal_returned') then 'wallet_transfer'
                when type like 'ride%' or type = 'dues_settlement' then 'taxi'
                when type in ('plan_purchase', 'subscription') then 'subscription'
                when type like 'escrow%' then 'marketplace' else type end
$$;
comment on function ledger.service_of is 'The services of the legacy dashboard, by transaction type.';

create function ledger.stats_by_service(cur text, since timestamptz, until timestamptz) returns jsonb
    language sql stable set search_path = '' as $$
    -- Gross: what people asked for. The steps that follow (a share, a return, a release) add what the platform earned or gave back.
    with moved as (
        select ledger.service_of(t.type) as service, sum(t.amount) as revenue, 0 as commission, count(*) as count
          from ledger.transactions t
         where t.currency = cur and t.created_at >= since and t.created_at < until
           and t.type in ('deposit', 'transfer', 'withdrawal', 'ride_payment', 'plan_purchase', 'subscription', 'escrow_hold')
         group by 1
        union all
        select ledger.service_of(t.type), 0, sum(e.amount), 0
          from ledger.entries e join ledger.transactions t on t.created_at = e.created_at and t.id = e.transaction_id
         where e.account_id = ledger.platform_account('platform_fees', cur) and e.created_at >= since and e.created_at < until
         group by 1
    ), services as (
        select m.service, sum(m.revenue)::bigint as revenue, sum(m.commission)::bigint as commission, sum(m.count)::bigint as count
          from moved m group by m.service
    )
    select jsonb_build_object('total_revenue', coalesce(sum(s.revenue), 0)::bigint,
        'total_commission', coalesce(sum(s.commission), 0)::bigint,
        'revenue_by_service', coalesce(jsonb_agg(jsonb_build_object('service_name', s.service, 'revenue', s.revenue,
            'commission', s.commission, 'count', s.count) order by s.revenue desc, s.service), '[]'))
      from services s
$$;
comment on function ledger.stats_by_service is 'Commission is what platform_fees gained, so it is exact after returns and refunds.';

create function ledger.stats_of_account(kind text, cur text, since timestamptz, until timestamptz) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_build_object('held', coalesce(sum(e.amount), 0)::bigint,
        'in', count(*) filter (where e.amount > 0), 'out', count(*) filter (where e.amount < 0),
        'released', coalesce(-sum(e.amount) filter (where e.amount < 0 and e.created_at >= since and e.created_at < until), 0)::bigint)
      from ledger.entries e where e.account_id = ledger.platform_account(kind, cur)
$$;

create function ledger.stats_recent(cur text, since timestamptz, until timestamptz) returns jsonb
    language sql stable set search_path = '' as $$
    select coalesce(jsonb_agg(to_jsonb(r) order by r.created_at desc, r.id desc), '[]') from (
        select t.id, t.type, t.amount, t.fee, t.currency, 'completed' as status, ledger.utc(t.created_at) as created_at
          from ledger.transactions t
         where t.currency = cur and t.created_at >= since and t.created_at < until
         order by t.created_at desc, t.id desc limit 10) r
$$;
comment on function ledger.stats_recent is 'Amounts and types; nobody''s name, number or text.';

create function ledger.stats_payouts(cur text, since timestamptz, until timestamptz) returns jsonb
    language sql stable set search_path = '' as $$
    select jsonb_object_agg(s.status, (select count(*) from payments.payouts o where o.currency = cur and o.status = s.status
               and (s.status in ('pending', 'processing', 'manual', 'unknown') or o.created_at >= since and o.created_at < until)))
      from unnest(array['pending', 'processing', 'manual', 'unknown', 'completed', 'failed']) as s (status)
$$;
comment on function ledger.stats_payouts is 'The open ones as they are now, however old; the final ones of the period.';

create function ledger.stats(ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    cur text := ledger.own_currency(ask);
    until timestamptz := coalesce(ledger.day_or_time(ask, 'to')
        + case when length(ask ->> 'to') = 10 then interval '1 day' else interval '0' end, now() + interval '1 second');
    since timestamptz := coalesce(ledger.day_or_time(ask, 'from'), until - interval '30 days');
    escrow jsonb;
begin
    if since >= until or until - since > interval '366 days' then
        perform core.invalid('to', 'must be after from, by at most 366 days');
    end if;
    escrow := ledger.stats_of_account('escrow', cur, since, until);
    perform core.audit('wallet_stats', 'currency', cur, null, jsonb_build_object('from', since, 'to', until));
    return ledger.stats_by_service(cur, since, until) || jsonb_build_object('currency', cur, 'from', ledger.utc(since), 'to', ledger.utc(until),
        'pending_payments', (select coalesce(sum(p.amount_due), 0)::bigint from payments.payments p
            where p.currency = cur and p.status in ('initiating', 'pending', 'unknown')),
        'active_wallets', (select count(*) from ledger.wallets w where w.currency = cur and w.status = 'active'),
        'transactions_count', (select count(*) from ledger.transactions t
            where t.currency = cur and t.created_at >= since and t.created_at < until),
        'recent_transactions', ledger.stats_recent(cur, since, until),
        'escrow_stats', jsonb_build_object('total_held', escrow -> 'held', 'total_released', escrow -> 'released',
            'pending_count', greatest((escrow ->> 'in')::bigint - (escrow ->> 'out')::bigint, 0)),
        'payouts', ledger.stats_payouts(cur, since, until),
        'suspense', jsonb_build_object('total', ledger.stats_of_account('suspense', cur, since, until) -> 'held',
            'open', (select count(*) from ledger.suspense_lines() s where s.currency = cur and s.is_open)),
        'dead_letters', (select count(*) from payments.payment_events e
            where e.outcome = 'dead_letter' and e.received_at >= since and e.received_at < until),
        'alerts', (select count(*) from core.outbox o
            where o.channel = 'alert' and o.created_at >= since and o.created_at < until));
end $$;
comment on function ledger.stats is
    'One currency, at most 366 days, by default the last 30; a day given as `to` is included. pending_payments and the totals of
     escrow and suspense are as they are now. Dead letters and alerts belong to no currency.';

-- -------------------------------------------------------------------------------------------------------------- queues

create function payments.payout_queue() returns setof payments.payouts language sql stable security definer set search_path = '' as $$
    select o.* from payments.payouts o
     where (select people.is_staff()) and o.status in ('pending', 'processing', 'manual', 'unknown')
     order by o.created_at, o.id
$$;
comment on function payments.payout_queue is 'Payouts that are not final, to staff; nothing to anybody else.';

create view api.admin_payouts with (security_invoker = true) as
    select id, kind, user_id, amount, fee, currency, method, destination, status, provider, provider_payout_id, attempts,
           transaction_id, created_at
      from payments.payout_queue();
comment on view api.admin_payouts is 'manual and unknown ones wait for wallet-admin settle_payout.';

create function ledger.suspense_queue() returns setof ledger.suspense_line language sql stable security definer set search_path = '' as $$
    select s.* from ledger.suspense_lines() s where (select people.is_staff()) and s.is_open order by s.created_at, s.entry_id
$$;
comment on function ledger.suspense_queue is 'What waits in suspense, to staff; nothing to anybody else.';

create view api.admin_suspense with (security_invoker = true) as
    select entry_id, type, amount, currency, user_id, payment_id, created_at from ledger.suspense_queue();

revoke execute on all functions in schema ledger, payments from public;
grant execute on function payments.payout_queue(), ledger.suspense_queue() to authenticated;
grant select on api.admin_payouts, api.admin_suspense to authenticated;
