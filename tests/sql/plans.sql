-- What is asked all day stays flat as tables grow: no journey here reads a grown table from end to end. What is counted is what
-- the functions really did, so it holds for the plans they use, prepared ones too. Everything is rolled back.
begin;

create function pg_temp.id(n integer) returns uuid language sql immutable as $$
    select ('00000000-0000-4000-8000-' || lpad(n::text, 12, '0'))::uuid
$$;
create function pg_temp.ask(door text, who uuid, command text) returns void language plpgsql as $$
begin
    perform set_config('request.jwt.claims', jsonb_strip_nulls(jsonb_build_object('sub', who, 'role', door, 'aal', 'aal2'))::text, true);
    perform set_config('role', door, true);
    execute command;
    perform set_config('role', 'none', true);
end $$;
-- Rows read one after the other, and rows fetched through an index, by this transaction so far.
create function pg_temp.reads() returns table (name text, sequential bigint, fetched bigint) language sql as $$
    select format('%I.%I', t.schemaname, t.relname), t.seq_tup_read, coalesce(t.idx_tup_fetch, 0)
      from pg_stat_xact_all_tables t where t.schemaname in ('auth', 'core', 'ledger', 'payments', 'people', 'taxi')
$$;
create temporary table before (name text, sequential bigint, fetched bigint);
-- Which tables a command reads more of than `most` rows: sequentially, or in all. Settings are shorter; what grows is not.
create function pg_temp.wide(door text, who uuid, command text, most integer) returns text language plpgsql as $$
begin
    delete from pg_temp.before;
    insert into pg_temp.before select * from pg_temp.reads();
    perform pg_temp.ask(door, who, command);
    return (select string_agg(format('%s: %s in a row, %s by index', r.name, r.sequential - coalesce(b.sequential, 0),
                       r.fetched - coalesce(b.fetched, 0)), '; ')
              from pg_temp.reads() r left join pg_temp.before b using (name)
             where r.sequential - coalesce(b.sequential, 0) > 150 or r.fetched - coalesce(b.fetched, 0) > most);
end $$;
create function pg_temp.narrow(what text, door text, who integer, command text, most integer default 150) returns void
    language plpgsql as $$
declare
    again text;
begin
    -- Seven times: a prepared plan may become another one after the fifth.
    for turn in 1 .. 7 loop
        again := pg_temp.wide(door, pg_temp.id(who), replace(command, '{turn}', turn::text), most);
        assert again is null, format('%s, turn %s: %s', what, turn, again);
    end loop;
end $$;

-- ------------------------------------------------------------------------------------------------------- a grown database

insert into auth.users (id, email) select pg_temp.id(n), 'p' || n || '@plans.test' from generate_series(1, 8000) n;
with made as (
    insert into ledger.accounts (id, kind, currency) select gen_random_uuid(), 'user_wallet', 'GNF' from generate_series(1, 8000) returning id
)
insert into ledger.wallets (id, user_id, currency, daily_limit, monthly_limit)
select m.id, pg_temp.id((row_number() over ())::integer), 'GNF', 1000000000, 1000000000 from made m;
create temporary table owner as
select w.id, w.user_id, (row_number() over (order by w.user_id))::integer as n from ledger.wallets w where w.currency = 'GNF' and w.user_id <= pg_temp.id(8000);

-- 21,000 deposits of the last days, 1,000 of them of person 1, who has a history; and as much of what else a command leaves.
create temporary table past as
select gen_random_uuid() as id, o.id as wallet, o.user_id, now() - make_interval(secs => 20 * k) as at
  from generate_series(1, 21000) k join owner o on o.n = case when k % 21 = 0 then 1 else 1 + k % 8000 end;
insert into ledger.transactions (id, type, receiver_wallet_id, receiver_user_id, amount, currency, created_at)
select p.id, 'deposit', p.wallet, p.user_id, 1000, 'GNF', p.at from past p;
insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
select p.at, p.id, l.leg, case l.leg when 1 then ledger.platform_account('provider_clearing', 'GNF') else p.wallet end,
       case l.leg when 2 then p.user_id end, 'GNF', case l.leg when 1 then -1000 else 1000 end, case l.leg when 2 then 1000 end
  from past p, (values (1), (2)) l (leg);
update ledger.wallets w set balance = 1000000 where w.currency = 'GNF';
-- Person 16 has sent 1,000 times today.
insert into ledger.transactions (type, sender_wallet_id, amount, currency, created_at, sent_count, sent_total)
select 'transfer', o.id, 1, 'GNF', now() - interval '2 hours' - make_interval(mins => 1000 - k), k, k from generate_series(1, 1000) k join owner o on o.n = 16;
update ledger.wallets set sent_count = 1000, sent_total = 1000 where user_id = pg_temp.id(16) and currency = 'GNF';
insert into ledger.known_recipients select a.id, b.id from owner a join owner b on b.n in (a.n + 1, a.n + 2, a.n + 3);
insert into ledger.wallet_logs (actor_id, operation, currency, amount, outcome, created_at) select user_id, 'transfer', 'GNF', 1, 'ok', at from past;
insert into ledger.fraud_detection_logs (user_id, amount, score, level, flags, decision, created_at)
select user_id, 1, 0, 'low', '{}', 'allow', at from past;
insert into people.failed_logins (user_id, at) select user_id, at from past where user_id <> pg_temp.id(1);
insert into core.outbox (channel, payload, dedupe_key, status, sent_at) select 'push', '{}', 'plans:' || id, 'sent', at from past;
insert into core.idempotency_keys (caller, function, key, fingerprint, status, body, created_at)
select user_id, 'wallet-operations', 'plans-' || id, '\x00', 200, '{}', at from past;
insert into ledger.references (reference_type, reference_id, type, transaction_id) select 'plans', id::text, 'deposit', id from past;

-- Payments that ended, and seven that are open, of person 2.
insert into payments.payments (id, user_id, provider, provider_payment_id, purpose, amount_due, credit_amount, fee, currency, status,
    environment, attached_at, fingerprint, description, created_at, reconciled_at)
select p.id, p.user_id, 'moneroo', 'py_' || p.id, 'wallet_deposit', 100500, 100000, 500, 'GNF', 'success', 'live', p.at, '\x00', 'Payment', p.at, p.at
  from past p;
insert into payments.payments (id, user_id, provider, provider_payment_id, purpose, amount_due, credit_amount, fee, currency, status,
    environment, attached_at, fingerprint, description)
select pg_temp.id(9000 + n), pg_temp.id(2), 'moneroo', 'py_' || n, 'wallet_deposit', 100500, 100000, 500, 'GNF', 'pending', 'live', now(), '\x00', 'Payment'
  from generate_series(1, 7) n;
insert into payments.event_keys (provider, dedupe_key) select 'moneroo', 'plans:' || id from past;
insert into payments.payment_events (provider, dedupe_key, event, subject, provider_payment_id, body, headers, processed_at, outcome)
select 'moneroo', 'plans:' || id, 'payment.success', 'payment', 'py_' || id, '{}', '{}', at, 'settled' from past;

-- 7,900 drivers at work over the country, ten of them near Kaloum; 20,000 rides of the past, seven that are asked for now.
insert into taxi.drivers (user_id, is_online, status, kyc_verified, can_work)
select o.user_id, true, 'available', true, true from owner o where o.n > 100;
insert into taxi.driver_positions (driver_id, lat, lng)
select d.id, case when o.n <= 110 then 9.5 + (o.n - 100) / 1000.0 else 7.5 + (o.n * 37 % 1000) / 250.0 end,
       case when o.n <= 110 then -13.7 else -12 + (o.n * 91 % 1000) / 250.0 end
  from taxi.drivers d join owner o on o.user_id = d.user_id;
create temporary table journey as
select p.id, p.user_id as customer, d.id as driver, d.user_id as driver_user, p.at
  from past p join (select d.*, row_number() over (order by d.user_id) as k from taxi.drivers d) d on d.k = 1 + abs(hashtext(p.id::text)) % 2900;
insert into taxi.trips (id, customer_id, driver_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s,
    estimated, surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, status,
    payment_status, search_radius_m, requested_at, completed_at)
select j.id, j.customer, j.driver, 'moto', 9.5, -13.7, 9.53, -13.68, 4000, 600, true, 100, 5000, 1000, 1000, 7000, 5950, 1050, 8500, 'GNF',
       'completed', 'paid', 5000, j.at, j.at from journey j;
insert into taxi.trips (id, customer_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
    surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, search_radius_m)
select pg_temp.id(9100 + n), pg_temp.id(20 + n), 'moto', 9.5, -13.7, 9.53, -13.68, 4000, 600, true, 100, 5000, 1000, 1000, 7000, 5950, 1050,
       8500, 'GNF', 5000 from generate_series(1, 7) n;
insert into taxi.notifications (ride_id, user_id, driver_id, type, payload, expires_at, closed_at)
select j.id, j.driver_user, j.driver, 'ride_offer', '{}', j.at, j.at from journey j;
insert into taxi.declines (ride_id, driver_id) select j.id, j.driver from journey j;
insert into taxi.driver_dues (ride_id, driver_id, currency, amount, settled_amount)
select j.id, j.driver, 'GNF', 1050, 1050 from journey j;

analyze auth.users, people.profiles, people.user_ids, people.failed_logins, core.outbox, core.idempotency_keys, ledger.accounts, ledger.wallets,
    ledger.transactions, ledger.entries, ledger.references, ledger.known_recipients, ledger.wallet_logs, ledger.fraud_detection_logs,
    payments.payments, payments.event_keys, payments.payment_events, taxi.drivers, taxi.driver_positions, taxi.trips, taxi.notifications,
    taxi.declines, taxi.driver_dues;

-- ------------------------------------------------------------------------------------------------------------ journeys

-- The gauge itself: reading a table from end to end is seen, by rows in a row and by rows through an index.
do $$ begin
    assert pg_temp.wide('none', null, 'do $x$ begin perform count(*) from ledger.wallets where balance > 7; end $x$', 150) ~ 'ledger.wallets: \d{4} in a row';
    set local enable_seqscan = off;
    set local enable_bitmapscan = off;
    assert pg_temp.wide('none', null, 'do $x$ begin perform sum(balance) from ledger.wallets where id > ''00000000-0000-0000-0000-000000000000''; end $x$', 150)
        ~ 'ledger.wallets: 0 in a row, \d{4} by index';
    set local enable_seqscan = on;
    set local enable_bitmapscan = on;
end $$;

select pg_temp.narrow('transfer', 'authenticated', 10, format('select api.wallet_operations(%L)',
    '{"operation": "transfer", "amount": {turn}00, "recipient_id": "' || pg_temp.id(11) || '", "idempotency_key": "plans-transfer-{turn}"}'));
select pg_temp.narrow('transfer by custom id, without a key', 'authenticated', 12, format('select api.wallet_operations(%L)',
    '{"operation": "transfer", "amount": {turn}00, "recipient_id": "' || (select custom_id from people.user_ids where user_id = pg_temp.id(13)) || '"}'));
select pg_temp.narrow('transfer by public id', 'authenticated', 14, format('select api.wallet_operations(%L)',
    '{"operation": "transfer", "amount": {turn}00, "recipient_id": "' || (select public_id from people.profiles where id = pg_temp.id(15)) || '"}'));
select pg_temp.narrow('withdrawal', 'authenticated', 16, format('select api.wallet_operations(%L)',
    '{"operation": "withdraw", "amount": {turn}00, "method": "orange_money", "phone": "224620000001", "idempotency_key": "plans-withdraw-{turn}"}'));
select pg_temp.narrow('fraud score', 'authenticated', 10, format('select api.fraud_detection(%L)',
    '{"amount": 100, "recipientId": "' || pg_temp.id(11) || '", "method": "wallet"}'));

select pg_temp.narrow('history, first page', 'authenticated', 1, 'select * from api.wallet_history order by created_at desc, id desc limit 20');
select pg_temp.narrow('history, a later page', 'authenticated', 1,
    'select * from api.wallet_history where created_at < now() - interval ''{turn} hours'' order by created_at desc, id desc limit 20');
-- As docs/wallet.md asks for it, in the middle of the history.
select pg_temp.narrow('history, after a line', 'authenticated', 1,
    'select * from api.wallet_history where created_at <= now() - interval ''{turn} hours'' and (created_at < now() - interval ''{turn} hours''
        or id < ''80000000-0000-4000-8000-000000000000'') order by created_at desc, id desc limit 20');
select pg_temp.narrow('log, first page', 'authenticated', 1, 'select * from api.wallet_logs order by created_at desc limit 20');
-- A page of the statement costs the same for whoever has a long history.
select pg_temp.narrow('statement', 'authenticated', 1, 'select api.wallet_statement(''{"limit": 20}'')');
select pg_temp.narrow('statement, of a range', 'authenticated', 1, format('select api.wallet_statement(%L)',
    jsonb_build_object('limit', 20, 'from', ledger.utc(now() - interval '3 days'), 'to', ledger.utc(now() - interval '1 day'))));

select pg_temp.narrow('webhook, stored', 'service_role', null, format('select api.payment_event(%L)',
    '{"provider": "moneroo", "dedupe_key": "plans-new-{turn}", "event": "payment.success", "subject": "payment", "provider_payment_id": "py_{turn}",
      "body": "{}", "headers": {}, "known": true}'));
select pg_temp.narrow('webhook, settled', 'service_role', null, format('select api.payment_settle(%L)',
    '{"provider": "moneroo", "provider_payment_id": "py_{turn}", "status": "success", "amount": 100500, "currency": "GNF", "environment": "live",
      "expected_environment": "live", "intent": null}'));

-- A guard, a look-up of a key and a page of one month touch the partitions of their time and no other.
do $$
declare
    around text[] := array(select to_char(d at time zone 'UTC', '_YYYYMM') from unnest(array[now() - interval '1 day', now(), now() + interval '1 day']) d);
    c record;
    touched text;
begin
    for c in select * from (values
        (10, 'select ledger.sent_since(w, interval ''24 hours'') from ledger.wallets w where w.user_id = pg_temp.id(10)', 'none'),
        (10, format('select api.wallet_operations(%L)', '{"operation": "transfer", "amount": 100, "recipient_id": "' || pg_temp.id(11)
            || '", "idempotency_key": "plans-pruned-1"}'), 'authenticated'),
        (1, 'select api.wallet_statement(jsonb_build_object(''limit'', 20, ''from'', now() - interval ''20 hours''))', 'authenticated'),
        (1, 'select * from api.wallet_history where created_at > now() - interval ''20 hours'' and created_at <= now()
            order by created_at desc, id desc limit 20', 'authenticated')) as t (who, command, door) loop
        create temporary table scans on commit drop as select relid, seq_scan + coalesce(idx_scan, 0) as n from pg_stat_xact_all_tables;
        perform pg_temp.ask(c.door, pg_temp.id(c.who), c.command);
        select string_agg(t.relname, ', ') into touched from pg_stat_xact_all_tables t join scans s using (relid)
         where t.schemaname = 'ledger' and t.relname ~ '^(transactions|entries|wallet_logs|fraud_detection_logs)_'
           and t.seq_scan + coalesce(t.idx_scan, 0) > s.n and not substring(t.relname from '_\d{6}$') = any (around) is not false;
        assert touched is null, format('%s: %s', c.command, touched);
        drop table scans;
    end loop;
end $$;

select pg_temp.narrow('nearest drivers', 'none', null, 'do $x$ begin perform count(*) from taxi.nearby(9.5, -13.7, 5000, 60); end $x$');
do $$
declare
    found text;
begin
    for n in 1 .. 7 loop
        found := pg_temp.wide('authenticated', pg_temp.id(40 + n), $q$select api.taxi_request_ride('{"pickup": {"lat": 9.5, "lng": -13.7, "address": "Kaloum"},
            "dropoff": {"lat": 9.53, "lng": -13.68}}')$q$, 300);
        assert found is null, 'ride requested: ' || found;
        found := pg_temp.wide('authenticated', pg_temp.id(100 + n), format($q$select api.taxi_driver_heartbeat('{"is_online": true, "lat": 9.50%s, "lng": -13.7}')$q$, n), 150);
        assert found is null, 'heartbeat: ' || found;
        found := pg_temp.wide('authenticated', pg_temp.id(100 + n), format($q$select api.taxi_accept_ride('{"rideId": "%s"}')$q$, pg_temp.id(9100 + n)), 150);
        assert found is null, 'ride accepted: ' || found;
    end loop;
end $$;

-- All drivers in one town, as dense as 100,000 in 40 by 40 km: whoever looks for ten reads a ring of them. Seven more wait there.
update taxi.driver_positions p set lat = 9.45 + (o.n * 37 % 1009) / 10090.0, lng = -13.75 + (o.n * 91 % 1013) / 10130.0
  from taxi.drivers d join owner o on o.user_id = d.user_id where d.id = p.driver_id;
insert into taxi.trips (id, customer_id, vehicle_type, pickup_lat, pickup_lng, dropoff_lat, dropoff_lng, distance_m, duration_s, estimated,
    surge_pct, base_fare, distance_cost, time_cost, price_total, driver_share, platform_fee, driver_share_bps, currency, search_radius_m)
select pg_temp.id(9200 + n), pg_temp.id(60 + n), 'moto', 9.5, -13.7, 9.53, -13.68, 4000, 600, true, 100, 5000, 1000, 1000, 7000, 5950, 1050,
       8500, 'GNF', 5000 from generate_series(1, 7) n;
analyze taxi.driver_positions;
do $$
declare
    sought record;
    asked text;
    found text;
begin
    assert (select count(*) from taxi.nearby(9.5, -13.7, 5000, 60)) > 4500, 'no dense town';
    for sought in select * from (values ('offered', 'taxi.offer(array[%L]::uuid[], 5000, 10, 10)'), ('offered again', 'taxi.offer(array[%L]::uuid[], 15000, 20, 5)'),
        ('widened', 'taxi.offer(array[%L]::uuid[], 15000, null, 5)'), ('priced', 'taxi.surge_at(row(9.5, -13.7, %L)::taxi.place)')) as t (what, command) loop
        for n in 1 .. 7 loop
            asked := format('do $x$ begin perform %s; end $x$', format(sought.command, pg_temp.id(9200 + n)));
            found := pg_temp.wide('none', null, asked, 600);
            assert found is null, format('ride %s in a full town, turn %s: %s', sought.what, n, found);
        end loop;
    end loop;
end $$;

-- All of them did what they are there for.
do $$ begin
    assert (select count(*) from ledger.transactions where sender_user_id = any (array[pg_temp.id(10), pg_temp.id(12), pg_temp.id(14), pg_temp.id(16)])) = 29;
    assert (select count(*) from payments.payments where user_id = pg_temp.id(2) and settlement = 'settled') = 7;
    assert (select count(*) from taxi.trips where status = 'accepted') = 7;
    assert (select count(*) from taxi.notifications where type = 'ride_offer' and closed_at is null) > 0;
end $$;
rollback;
