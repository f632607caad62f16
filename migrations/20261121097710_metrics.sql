-- What an operator watches, in one answer: the gauges of health/metrics, by the names that Prometheus gets.
-- Why:       the alarms of money (N82) and of the database (N09) need figures that cost the same on any day.
-- Locks:     none; writes to the outbox and the inbox wait while three indexes are made.
-- Old code:  keeps working; nothing it reads changes.
-- Undo:      drop function api.metrics(jsonb), api.queue_state(jsonb); drop schema ops cascade;
--            drop index core.outbox_dead, core.outbox_mailed, payments.payment_events_dead;

create schema ops;
grant usage on schema ops to service_role;
comment on schema ops is 'What operators see of every domain. Only reads, and only counts: no name, number or address.';

-- squawk-ignore require-concurrent-index-creation
create index outbox_dead on core.outbox (created_at) where status = 'dead';   -- Before the first release: few rows.
-- squawk-ignore require-concurrent-index-creation
create index outbox_mailed on core.outbox (sent_at) where channel = 'email' and status = 'sent';   -- Likewise.
-- squawk-ignore require-concurrent-index-creation
create index payment_events_dead on payments.payment_events (received_at) where outcome = 'dead_letter';   -- Likewise.

create function ops.age_s(since timestamptz) returns bigint language sql stable set search_path = ''
    return coalesce(extract(epoch from now() - since)::bigint, 0);

create function ops.money_gauges() returns table (name text, value bigint) language sql stable set search_path = '' as $$
    select format('cauris_ledger_sum{currency="%s"}', c.code), coalesce(sum(r.total), 0)::bigint
      from core.currencies c left join ledger.running_sums r on r.currency = c.code group by c.code
    union all
    select format('cauris_suspense{currency="%s"}', c.code), coalesce(r.total, 0)
      from core.currencies c left join ledger.running_sums r on r.currency = c.code and r.kind = 'suspense'
    union all
    select 'cauris_ledger_summed_age_seconds', case when isfinite(s.until) then ops.age_s(s.until) else 0 end from ledger.summed s
    union all
    select 'cauris_payments_unknown', count(*) from payments.payments p
     where p.status = 'unknown' and p.created_at < now() - interval '15 minutes'
    union all
    select 'cauris_payouts_unknown', count(*) from payments.payouts o where o.status = 'unknown'
    union all
    select 'cauris_payouts_manual', count(*) from payments.payouts o where o.status = 'manual'
    union all
    select 'cauris_reconciliation_differences', count(*) from payments.reconciliation_differences d where d.resolved_at is null
    union all
    select 'cauris_unsealed_days', greatest(0, (now() at time zone 'UTC')::date - 1
               - coalesce((select max(s.day) from ledger.seals s), ledger.first_day() - 1, (now() at time zone 'UTC')::date - 1))
$$;

create function ops.queue_gauges() returns table (name text, value bigint) language sql stable set search_path = '' as $$
    with waiting as materialized (
        select o.channel, o.created_at, o.payload ->> 'type' as type from core.outbox o where o.status in ('pending', 'failed')
    )
    select 'cauris_inbox_waiting', count(*) from payments.payment_events e where e.processed_at is null
    union all
    select 'cauris_inbox_oldest_seconds', ops.age_s(min(e.received_at)) from payments.payment_events e where e.processed_at is null
    union all
    select 'cauris_dead_letters{queue="inbox"}', count(*) from payments.payment_events e where e.outcome = 'dead_letter'
    union all
    select 'cauris_dead_letters{queue="outbox"}', count(*) from core.outbox o where o.status = 'dead'
    union all
    select format('cauris_outbox_waiting{channel="%s"}', c.channel), count(w.channel)
      from unnest(array['alert', 'email', 'job', 'push', 'sms', 'webhook']) c (channel) left join waiting w using (channel) group by c.channel
    union all
    select format('cauris_outbox_oldest_seconds{channel="%s"}', c.channel), ops.age_s(min(w.created_at))
      from unnest(array['alert', 'email', 'job', 'push', 'sms', 'webhook']) c (channel) left join waiting w using (channel) group by c.channel
    union all
    -- Types are words of our own functions; whatever else stands there must not break the line it is printed on.
    select format('cauris_alerts_waiting{type="%s"}', regexp_replace(coalesce(w.type, 'unnamed'), '[^a-z_]', '_', 'g')), count(*)
      from waiting w where w.channel = 'alert' group by 1
    union all
    select 'cauris_late_events', count(*) from waiting w where w.channel = 'alert' and w.type like any (array['late_%', 'payout_late_%'])
$$;

create function ops.database_gauges() returns table (name text, value bigint) language sql stable set search_path = '' as $$
    select 'cauris_database_connections', sum(d.numbackends)::bigint from pg_stat_database d
    union all
    select 'cauris_database_connections_limit',
           current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint
    union all
    select 'cauris_partitions_ahead', coalesce(min(ahead.months), 0) from (
        select coalesce((select min(k) - 1 from generate_series(1, 12) k where to_regclass(m.name || '_' || to_char(
                   date_trunc('month', now() at time zone 'UTC') + make_interval(months => k), 'YYYYMM')) is null), 12) as months
          from core.monthly_tables m) ahead
$$;

create function ops.metrics() returns jsonb language plpgsql security definer set search_path = '' as $$
begin
    perform ledger.sum_up(200000);
    return (select jsonb_object_agg(g.name, g.value) from (
        select * from ops.money_gauges() union all select * from ops.queue_gauges() union all select * from ops.database_gauges()) g);
end $$;
comment on function ops.metrics is
    'Names as Prometheus writes them, labels included, and integers: amounts in minor units. Brings the running totals up first.';

create function ops.queue_state() returns jsonb language sql stable security definer set search_path = '' as $$
    select jsonb_build_object('mail', case
        when not exists (select from core.outbox o where o.channel = 'email' and o.status = 'sent') then 'not_configured'
        when exists (select from core.outbox o where o.channel = 'email' and o.status in ('pending', 'failed')
            and o.created_at < now() - interval '15 minutes') then 'down'
        else 'ok' end)
$$;
comment on function ops.queue_state is
    'That it answers says that the queue works. mail: not_configured while nothing was ever sent from here, down when letters wait.';

create function api.metrics(ask jsonb default null) returns jsonb language sql security invoker set search_path = ''
    return ops.metrics();
create function api.queue_state(ask jsonb default null) returns jsonb language sql stable security invoker set search_path = ''
    return ops.queue_state();

revoke execute on all functions in schema api, ops from public;
grant execute on function ops.metrics(), ops.queue_state(), api.metrics(jsonb), api.queue_state(jsonb) to service_role;
