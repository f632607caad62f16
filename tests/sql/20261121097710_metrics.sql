begin;
\ir lib/settlement.psql

create function pg_temp.gauge(wanted text) returns bigint language sql as $$
    select (pg_temp.service('metrics', null) ->> wanted)::bigint
$$;

-- Every family is there on an empty database, at rest; none of them is null.
do $$
declare
    told jsonb := pg_temp.service('metrics', null);
    names text[] := array(select distinct split_part(k, '{', 1) from jsonb_object_keys(told) k order by 1);
begin
    assert names = '{cauris_database_connections,cauris_database_connections_limit,cauris_dead_letters,cauris_inbox_oldest_seconds,cauris_inbox_waiting,cauris_late_events,cauris_ledger_sum,cauris_ledger_summed_age_seconds,cauris_outbox_oldest_seconds,cauris_outbox_waiting,cauris_partitions_ahead,cauris_payments_unknown,cauris_payouts_manual,cauris_payouts_unknown,cauris_reconciliation_differences,cauris_suspense,cauris_unsealed_days}',
        names::text;
    assert not exists (select from jsonb_each(told) t where jsonb_typeof(t.value) <> 'number'), told::text;
    assert (select count(*) from jsonb_object_keys(told) k where k like 'cauris_ledger_sum{currency="___"}') = (select count(*) from core.currencies);
    assert (told ->> 'cauris_partitions_ahead')::integer = 12 and (told ->> 'cauris_unsealed_days')::integer = 0;
    assert (told ->> 'cauris_database_connections')::integer between 1 and (told ->> 'cauris_database_connections_limit')::integer;
    assert (told ->> 'cauris_ledger_summed_age_seconds')::integer = 60;
end $$;

-- n82: each alarm of money moves by what it is about.
do $$
declare
    p payments.payments := pg_temp.opened(1);
    q payments.payments := pg_temp.opened(2);
begin
    update payments.payments set status = 'unknown', created_at = now() - interval '14 minutes' where id = p.id;
    update payments.payments set status = 'unknown', created_at = now() - interval '16 minutes' where id = q.id;
    assert pg_temp.gauge('cauris_payments_unknown') = 1, 'a quarter of an hour is patience enough';
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id, status)
    select 'wallet_withdrawal', pg_temp.person(1), 1000, 0, 'GNF', 'orange_money', '224620000001', gen_random_uuid(), s
      from unnest(array['unknown', 'unknown', 'manual', 'pending']) s;
    assert pg_temp.gauge('cauris_payouts_unknown') = 2 and pg_temp.gauge('cauris_payouts_manual') = 1;
    insert into payments.reconciliation_differences (object_type, object_id, kind, resolved_at)
    values ('payment', 'a', 'amount', null), ('payment', 'b', 'amount', now());
    assert pg_temp.gauge('cauris_reconciliation_differences') = 1;
end $$;

-- Queues: what waits, for how long, what was given up, and alerts by their type.
do $$
begin
    insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, processed_at, outcome, received_at)
    values ('wave', 'a', 'x', 'payment', 'i', '', '{}', null, null, now() - interval '90 seconds'),
           ('wave', 'b', 'x', 'payment', 'i', '', '{}', null, null, now()),
           ('wave', 'c', 'x', 'payment', 'i', '', '{}', now(), 'dead_letter', now());
    assert pg_temp.gauge('cauris_inbox_waiting') = 2 and pg_temp.gauge('cauris_inbox_oldest_seconds') = 90;
    assert pg_temp.gauge('cauris_dead_letters{queue="inbox"}') = 1 and pg_temp.gauge('cauris_dead_letters{queue="outbox"}') = 0;
    delete from core.outbox;
    perform payments.alert('late_success', 'x', '{}'), payments.alert('payout_late_failure', 'x', '{}'), payments.alert('dead_letter', 'x', '{}');
    perform core.outbox_add('alert', E'{"type": "odd\\"}\\n1"}', 'odd'), core.outbox_add('sms', '{}', 'sms');
    update core.outbox set status = 'failed', created_at = now() - interval '5 minutes' where channel = 'sms';
    insert into core.outbox (channel, payload, dedupe_key, status) values ('push', '{}', 'dead', 'dead'), ('push', '{}', 'sent', 'sent');
    assert pg_temp.gauge('cauris_late_events') = 2 and pg_temp.gauge('cauris_alerts_waiting{type="dead_letter"}') = 1;
    assert pg_temp.gauge('cauris_alerts_waiting{type="odd____"}') = 1, 'a type cannot break its line';
    assert pg_temp.gauge('cauris_outbox_waiting{channel="alert"}') = 4 and pg_temp.gauge('cauris_outbox_waiting{channel="push"}') = 0;
    assert pg_temp.gauge('cauris_outbox_waiting{channel="sms"}') = 1 and pg_temp.gauge('cauris_outbox_oldest_seconds{channel="sms"}') = 300;
    assert pg_temp.gauge('cauris_dead_letters{queue="outbox"}') = 1;
end $$;

-- The ledger's figures: what lies in suspense, a sum that is off, months that are missing, days that nobody sealed.
do $$
begin
    set local session_replication_role = replica;
    insert into ledger.entries (created_at, transaction_id, leg, account_id, currency, amount)
    values (now() - interval '3 days', gen_random_uuid(), 1, ledger.platform_account('suspense', 'XOF'), 'XOF', 700),
           (now() - interval '3 days', gen_random_uuid(), 1, ledger.platform_account('losses', 'XOF'), 'XOF', -699);
    set local session_replication_role = origin;
    update ledger.summed set until = '-infinity';
    truncate ledger.running_sums;
    assert pg_temp.gauge('cauris_ledger_sum{currency="XOF"}') = 1 and pg_temp.gauge('cauris_suspense{currency="XOF"}') = 700;
    assert pg_temp.gauge('cauris_ledger_sum{currency="GNF"}') = 0;
    assert pg_temp.gauge('cauris_unsealed_days') = 3, 'the day of the line, and the two finished ones since';
    execute format('drop table ledger.entries_%s', to_char((now() at time zone 'UTC') + interval '2 months', 'YYYYMM'));
    assert pg_temp.gauge('cauris_partitions_ahead') = 1;
end $$;

-- Mail: unknown here until a letter went out, then well until letters wait.
do $$
declare
    mail text;
begin
    delete from core.outbox;
    perform core.outbox_add('email', '{}', 'one');
    update core.outbox set created_at = now() - interval '1 hour';
    assert pg_temp.service('queue_state', null) = '{"mail": "not_configured"}';
    insert into core.outbox (channel, payload, dedupe_key, status, sent_at) values ('email', '{}', 'two', 'sent', now());
    assert pg_temp.service('queue_state', null) = '{"mail": "down"}';
    update core.outbox set created_at = now() - interval '14 minutes' where status = 'pending';
    assert pg_temp.service('queue_state', null) = '{"mail": "ok"}';
end $$;

-- The service alone may ask.
do $$
declare
    door text;
    fn text;
begin
    foreach door in array array['anon', 'authenticated'] loop
        foreach fn in array array['api.metrics(jsonb)', 'ops.metrics()', 'api.queue_state(jsonb)', 'ops.queue_state()'] loop
            assert not has_function_privilege(door, fn, 'execute'), door || ' may call ' || fn;
        end loop;
    end loop;
    assert not has_function_privilege('service_role', 'ops.money_gauges()', 'execute');
end $$;
rollback;
