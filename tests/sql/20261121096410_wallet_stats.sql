begin;
create function pg_temp.id(n integer) returns uuid language sql as $$
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.person(n integer) returns uuid language plpgsql as $$
begin
    insert into auth.users (id, email) values (pg_temp.id(n), 'p' || n || '@stats.test');
    return pg_temp.id(n);
end $$;
create function pg_temp.stats(ask jsonb default '{}', who uuid default pg_temp.id(1)) returns jsonb language plpgsql as $$
declare
    answer jsonb;
begin
    perform set_config('request.jwt.claims', jsonb_build_object('sub', who, 'role', 'authenticated')::text, true);
    perform set_config('role', 'authenticated', true);
    answer := api.wallet_admin('{"action": "stats"}' || ask);
    perform set_config('role', 'none', true);
    return answer;
exception when sqlstate 'PGRST' then
    return sqlerrm::jsonb;
end $$;
create function pg_temp.acc(kind text, cur text default 'GNF') returns uuid language sql as $$ select ledger.platform_account(kind, cur) $$;
-- A booking between two accounts, with a fee from the first.
create function pg_temp.book(type text, source uuid, target uuid, amount bigint, fee bigint default 0, cur text default 'GNF') returns uuid language sql as $$
    select ledger.post(type, cur, array[(source, -(amount + fee))::ledger.leg, (target, amount)::ledger.leg]
        || case when fee > 0 then array[(pg_temp.acc('platform_fees', cur), fee)::ledger.leg] else '{}' end, null, null, amount, fee)
$$;

-- Nothing yet: every field is there, with zeros; only for staff.
do $$
declare
    boss uuid := pg_temp.person(1);
    got jsonb;
begin
    assert pg_temp.stats() ->> 'code' = 'FORBIDDEN' and not pg_temp.stats() ? 'total_revenue';
    insert into people.user_roles values (boss, 'pdg');
    got := pg_temp.stats('{"currency": "USD"}');
    assert got @> '{"total_revenue": 0, "total_commission": 0, "pending_payments": 0, "active_wallets": 0, "transactions_count": 0, "revenue_by_service": [],
        "recent_transactions": [], "escrow_stats": {"total_held": 0, "total_released": 0, "pending_count": 0}, "suspense": {"total": 0, "open": 0},
        "payouts": {"pending": 0, "processing": 0, "manual": 0, "unknown": 0, "completed": 0, "failed": 0}, "dead_letters": 0, "alerts": 0}', got::text;
    assert not got ? 'success', 'the legacy shape is bare';
end $$;

-- One currency, to the unit: gross by service, and what the platform kept.
do $$
declare
    rider uuid := ledger.wallet_for(pg_temp.person(2), 'GNF');
    rival uuid := ledger.wallet_for(pg_temp.person(3), 'GNF');
    got jsonb;
begin
    perform pg_temp.book('deposit', pg_temp.acc('provider_clearing'), rider, 100000, 500);
    perform pg_temp.book('transfer', rider, rival, 10000, 100);
    perform pg_temp.book('withdrawal', rider, pg_temp.acc('payout_clearing'), 20000, 300);
    perform ledger.post('withdrawal_returned', 'GNF', array[(pg_temp.acc('payout_clearing'), -20000)::ledger.leg,
        (pg_temp.acc('platform_fees'), -300)::ledger.leg, (rider, 20300)::ledger.leg], null, null, 20000);
    perform pg_temp.book('ride_payment', rider, pg_temp.acc('ride_clearing'), 15000);
    perform ledger.post('ride_distribution', 'GNF', array[(pg_temp.acc('ride_clearing'), -15000)::ledger.leg, (rival, 12750)::ledger.leg,
        (pg_temp.acc('platform_fees'), 2250)::ledger.leg], null, null, 15000);
    perform pg_temp.book('suspense', pg_temp.acc('provider_clearing'), pg_temp.acc('suspense'), 800);
    perform pg_temp.book('escrow_hold', pg_temp.acc('provider_clearing'), pg_temp.acc('escrow'), 5000);
    perform pg_temp.book('escrow_hold', pg_temp.acc('provider_clearing'), pg_temp.acc('escrow'), 7000);
    perform pg_temp.book('escrow_release', pg_temp.acc('escrow'), rival, 5000);
    perform pg_temp.book('deposit', pg_temp.acc('provider_clearing', 'XOF'), ledger.wallet_for(pg_temp.id(2), 'XOF'), 9999, 1, 'XOF');
    insert into payments.payments (user_id, provider, purpose, amount_due, credit_amount, currency, status, fingerprint, description)
    select pg_temp.id(2), 'moneroo', 'wallet_deposit', a.due, a.due, a.currency, a.status, '', 'x'
      from (values (3000, 'GNF', 'pending'), (4000, 'GNF', 'unknown'), (5000, 'GNF', 'failed'), (6000, 'XOF', 'pending')) as a (due, currency, status);
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, status, transaction_id, created_at)
    select 'refund', pg_temp.id(2), 1, 0, a.currency, 'wave', '1', a.status, gen_random_uuid(), now() - a.age
      from (values ('GNF', 'manual', interval '2 years'), ('GNF', 'unknown', interval '0'), ('GNF', 'completed', interval '0'),
                   ('GNF', 'completed', interval '2 years'), ('XOF', 'failed', interval '0')) as a (currency, status, age);
    perform core.outbox_add('alert', '{}', 'stats-alert');
    got := pg_temp.stats();
    assert got @> '{"total_revenue": 157000, "total_commission": 2850, "pending_payments": 7000, "active_wallets": 2, "transactions_count": 10,
        "currency": "GNF"}', got::text;
    assert got -> 'revenue_by_service' = '[{"service_name": "wallet_transfer", "revenue": 130000, "commission": 600, "count": 3},
        {"service_name": "taxi", "revenue": 15000, "commission": 2250, "count": 1},
        {"service_name": "marketplace", "revenue": 12000, "commission": 0, "count": 2}]', (got -> 'revenue_by_service')::text;
    assert got -> 'escrow_stats' = '{"total_held": 7000, "total_released": 5000, "pending_count": 1}', (got -> 'escrow_stats')::text;
    assert got -> 'payouts' @> '{"manual": 1, "unknown": 1, "completed": 1, "failed": 0}' and got -> 'suspense' = '{"total": 800, "open": 1}', got::text;
    assert (got ->> 'alerts')::bigint = 1 and (got ->> 'dead_letters')::bigint = 0;
    assert jsonb_array_length(got -> 'recent_transactions') = 10 and got #>> '{recent_transactions,0,type}' = 'escrow_release';
    assert (select array_agg(distinct k order by k) from jsonb_array_elements(got -> 'recent_transactions') r, jsonb_object_keys(r) k)
        = '{amount,created_at,currency,fee,id,status,type}', 'no names, numbers or texts';
    assert (pg_temp.stats('{"currency": "XOF"}') ->> 'total_revenue')::bigint = 9999, 'currencies are never summed';
    assert (got ->> 'total_commission')::bigint = (select sum(amount) from ledger.entries where account_id = pg_temp.acc('platform_fees'));
    assert (select count(*) from core.audit_logs where action = 'wallet_stats' and actor_id = pg_temp.id(1) and target_id = 'GNF') = 1;
end $$;

-- The period: days or instants, `to` as a day is included, 366 days at most.
do $$
declare
    today text := to_char(now() at time zone 'UTC', 'YYYY-MM-DD');
    c record;
begin
    assert (pg_temp.stats(jsonb_build_object('from', today, 'to', today)) ->> 'transactions_count')::bigint = 10;
    assert (pg_temp.stats('{"from": "2025-01-01", "to": "2026-01-01"}') ->> 'transactions_count')::bigint = 0;
    assert (pg_temp.stats('{"from": "2025-01-01T00:00:00+01:00", "to": "2025-01-01T00:00:00Z"}') ->> 'from')::timestamptz = '2024-12-31T23:00:00Z';
    for c in select * from (values ('{"from": "2025-01-01", "to": "2026-01-02"}'), ('{"from": "2025-01-02", "to": "2025-01-01"}'), ('{"from": "yesterday!"}'),
        ('{"to": "2025-02-30"}'), ('{"to": "infinity  "}'), ('{"from": 20250101}'), ('{"currency": "ZZZ"}')) as t (ask) loop
        assert pg_temp.stats(c.ask::jsonb) ->> 'code' = 'VALIDATION_ERROR', c.ask;
    end loop;
end $$;

-- The queues show themselves to staff, and nothing to anybody else.
do $$
declare
    who record;
begin
    for who in select * from (values (1, 2, 1), (2, 0, 0), (3, 0, 0)) as t (n, payouts, lines) loop
        perform set_config('request.jwt.claims', jsonb_build_object('sub', pg_temp.id(who.n), 'role', 'authenticated')::text, true);
        set local role authenticated;
        assert (select count(*) from api.admin_payouts where currency = 'GNF') = who.payouts, 'payouts of ' || who.n;
        assert (select count(*) from api.admin_suspense) = who.lines, 'suspense of ' || who.n;
        reset role;
    end loop;
    set local role anon;
    begin
        perform from api.admin_payouts;
        assert false, 'a stranger reads the queue';
    exception when insufficient_privilege then
        null;
    end;
    reset role;
end $$;
rollback;
