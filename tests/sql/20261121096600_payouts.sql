begin;
\ir lib/payouts.psql

-- The rail follows currency, method and the country of the number; a provider's own code says it directly; no rail is for people.
do $$
declare
    c record;
    o payments.payouts;
begin
    for c in select * from (values ('XOF', 'wave', '2250700000001', 'moneroo wave_ci'), ('XOF', 'wave', '221770000001', 'moneroo wave_sn'),
        ('XOF', 'orange_money', '2250700000001', 'moneroo orange_ci'), ('XOF', 'orange_money', '22370000001', 'moneroo orange_ml'),
        ('XOF', 'mtn_momo', '22990000001', 'moneroo mtn_bj'), ('XOF', 'mtn_money', '2250500000001', 'moneroo mtn_ci'),
        ('XOF', 'moov_bj', '22990000001', 'moneroo moov_bj'), ('XAF', 'orange_money', '237690000001', 'moneroo orange_cm'),
        ('XOF', 'wave', '22990000001', null), ('XOF', 'orange_ci', '221770000001', null), ('GNF', 'orange_money', '224620000001', null),
        ('GNF', 'mtn_momo', '224660000001', null), ('XAF', 'mpesa', '254700000001', null), ('XOF', 'unheard_of', '2250700000001', null))
        as t (cur, method, phone, rail)
    loop
        o.currency := c.cur; o.method := c.method; o.destination := c.phone; o.amount := 5000;
        assert (select r.provider || ' ' || r.provider_method from payments.rail_of(o) r) is not distinct from c.rail, format('%s %s', c.method, c.phone);
    end loop;
    o.currency := 'GHS'; o.method := 'mtn_momo'; o.destination := '233240000001'; o.amount := 5050;
    assert (payments.rail_of(o)).provider is null, 'a part of a cedi is not for this provider';
    o.amount := 5000;
    assert (payments.rail_of(o)).provider = 'moneroo';
    update payments.payout_rails set enabled = false where currency = 'GHS';
    assert (payments.rail_of(o)).provider is null, 'a rail that is switched off';
end $$;

-- Claimed once, before it is sent, and never again; what goes out is in the provider's units and words.
do $$
declare
    o payments.payouts := pg_temp.withdrawn(1);
    got jsonb := pg_temp.claim();
begin
    assert got ->> 'manual' = '0' and got -> 'due' = jsonb_build_array(jsonb_build_object('payout_id', o.id, 'provider', 'moneroo', 'provider_payout_id', null,
        'amount', 10000, 'exponent', 0, 'currency', 'XOF', 'method', 'wave_ci', 'destination', '2250700000001', 'customer',
        '{"email": "p1@payouts.test", "first_name": "Awa", "last_name": "Diallo"}'::jsonb)), got::text;
    assert (select status = 'processing' and sent_at is not null and attempts = 1 and provider = 'moneroo' from payments.payouts where id = o.id);
    assert pg_temp.claim() = '{"due": [], "manual": 0}' and pg_temp.platform('payout_clearing') = 10000;
    assert pg_temp.code(format('update payments.payouts set attempts = 2 where id = %L', o.id)) = '23514', 'sent twice';
    -- Nobody came back: it may have been sent. It stays unknown, and neither claim nor sweep ever sends it again.
    assert pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payouts' = '[]' and pg_temp.now(o) = 'processing', 'still being sent';
    update payments.payouts set sent_at = now() - interval '121 seconds', next_check_at = now() - interval '1 second' where id = o.id;
    assert pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payouts' = '[]' and pg_temp.now(o) = 'unknown';
    assert pg_temp.alerts('payout_unknown', o.id::text) = 1 and pg_temp.claim() -> 'due' = '[]';
    assert pg_temp.balance(1) = 9850 and pg_temp.platform('payout_clearing') = 10000, 'its money waits';
    perform pg_temp.stands();
end $$;

-- No automatic rail: the admins' queue. No keys: it stays pending, with one alert a day, and is claimed when they are there.
do $$
declare
    guinea payments.payouts := pg_temp.withdrawn(2, '{"currency": "GNF", "method": "orange_money", "phone": "224620000001"}');
    o payments.payouts := pg_temp.withdrawn(2);
begin
    assert pg_temp.claim('{}') = '{"due": [], "manual": 1}' and pg_temp.now(guinea) = 'manual' and pg_temp.now(o) = 'pending';
    assert pg_temp.claim('{stripe}') = '{"due": [], "manual": 0}' and pg_temp.alerts('payout_not_configured', 'moneroo:%') = 1;
    assert jsonb_array_length(pg_temp.claim() -> 'due') = 1 and pg_temp.now(o) = 'processing' and pg_temp.now(guinea) = 'manual';
end $$;

-- One at a time where it is asked so, oldest first, and no faster than the provider's minute allows.
do $$
declare
    got jsonb;
begin
    perform pg_temp.withdrawn(3, jsonb_build_object('amount', 1000 + n)) from generate_series(1, 4) n;
    update payments.payouts set created_at = now() - interval '1 second' * (2000 - amount) where user_id = pg_temp.person(3);
    got := pg_temp.service('payout_claim', '{"providers": ["moneroo"], "limit": 1}') -> 'due';
    assert jsonb_array_length(got) = 1 and got -> 0 ->> 'amount' = (select min(amount)::text from payments.payouts where user_id = pg_temp.person(3));
    update payments.providers p set calls_per_minute = c.calls + 2 from payments.provider_calls c where c.provider = p.name and p.name = 'moneroo';
    assert jsonb_array_length(pg_temp.claim() -> 'due') = 2 and pg_temp.claim() -> 'due' = '[]';
    assert (select count(*) from payments.payouts where status = 'pending') = 1;
    update payments.providers set calls_per_minute = 1000;
    assert jsonb_array_length(pg_temp.claim() -> 'due') = 1;
end $$;

-- What sending came to: accepted keeps the id, refused gives the money back once, unknown keeps it waiting; nothing undoes an end.
do $$
declare
    o payments.payouts := pg_temp.withdrawn(4);
    other payments.payouts := pg_temp.withdrawn(4);
    told jsonb := jsonb_build_object('payout_id', o.id, 'outcome', 'accepted', 'provider_payout_id', 'po_4');
    fees bigint := pg_temp.platform('platform_fees');
begin
    perform pg_temp.claim();
    assert pg_temp.service('payout_sent', told) = '{"status": "processing", "waiting_events": false}';
    assert (select provider_payout_id from payments.payouts where id = o.id) = 'po_4';
    assert pg_temp.service('payout_sent', told || '{"outcome": "refused"}') ->> 'status' = 'processing', 'it is there: no second word';
    assert pg_temp.service('payout_sent', told || jsonb_build_object('payout_id', other.id)) ->> 'status' = 'unknown', 'the id is another one''s';
    assert pg_temp.service('payout_sent', told || jsonb_build_object('payout_id', other.id, 'outcome', 'refused')) ->> 'status' = 'failed';
    assert pg_temp.service('payout_sent', told || jsonb_build_object('payout_id', other.id, 'outcome', 'refused')) ->> 'status' = 'failed';
    assert pg_temp.now(other) = 'failed returned' and pg_temp.balance(4) = 40000 - 10150 and pg_temp.platform('platform_fees') = fees - 150, 'amount and fee, once';
    assert (select spent_today = 10000 and spent_month = 10000 from ledger.wallets where user_id = pg_temp.person(4)), 'what failed counts towards no limit';
    assert pg_temp.code('select pg_temp.service(''payout_sent'', ''{"payout_id": "00000000-0000-4000-8000-0000000000ff", "outcome": "accepted"}'')') = 'P0001';
    assert pg_temp.code(format('select pg_temp.service(''payout_sent'', %L)', told || '{"outcome": "maybe"}')) = 'P0001'
        and pg_temp.code(format('select pg_temp.service(''payout_sent'', %L)', told || '{"outcome": "accepted", "provider_payout_id": null}')) = 'P0001';
    perform pg_temp.stands();
end $$;

-- The sweep asks about what is on its way, ever later, and about events; an id of nobody's is handed out to be looked up.
do $$
declare
    o payments.payouts := pg_temp.sent(5);
    got jsonb;
begin
    update payments.payouts set next_check_at = null where id <> o.id;
    assert pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payouts' = '[]', 'not yet';
    update payments.payouts set next_check_at = now(), status = 'unknown' where id = o.id;
    got := pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payouts';
    assert got -> 0 ->> 'payout_id' = o.id::text and got -> 0 ->> 'provider_payout_id' = 'po_' || o.id and jsonb_array_length(got) = 1, got::text;
    assert (select next_check_at = sent_at + interval '1 hour' and checks = 1 from payments.payouts where id = o.id);
    got := pg_temp.service('payment_event', jsonb_build_object('provider', 'moneroo', 'dedupe_key', 'e-1', 'event', 'payout.success', 'subject', 'payout',
        'provider_payment_id', 'po_' || o.id, 'body', '{}', 'headers', '{}'::jsonb, 'known_event', true));
    assert got -> 'reference' ->> 'payout_id' = o.id::text, got::text;
    got := pg_temp.service('payment_event', jsonb_build_object('provider', 'moneroo', 'dedupe_key', 'e-2', 'event', 'payout.success', 'subject', 'payout',
        'provider_payment_id', 'po_nobody', 'body', '{}', 'headers', '{}'::jsonb, 'known_event', true));
    assert got = '{"duplicate": false, "reference": null}', got::text;
    update payments.payment_events set next_attempt_at = now();
    got := pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}');
    assert jsonb_array_length(got -> 'payouts') = 2 and got -> 'payments' = '[]' and got -> 'payouts' @> '[{"payout_id": "", "provider_payout_id": "po_nobody"}]', got::text;
end $$;

-- Ended by somebody while its answer was still under way: the id is kept, and the provider is asked about it.
do $$
declare
    o payments.payouts;
    sent jsonb;
begin
    insert into payments.payouts (kind, user_id, amount, fee, currency, method, destination, transaction_id, provider, attempts, sent_at, status, returned, returned_at)
    select 'wallet_withdrawal', p.id, 5000, 75, 'XOF', 'wave', '225070000001', gen_random_uuid(), 'moneroo', 1, now(), 'failed', true, now()
      from people.profiles p limit 1 returning * into o;
    sent := pg_temp.service('payout_sent', jsonb_build_object('payout_id', o.id, 'outcome', 'accepted', 'provider_payout_id', 'po_late'));
    assert sent = '{"status": "failed", "waiting_events": true}', sent::text;
    assert pg_temp.service('payment_sweep', '{"providers": ["moneroo"]}') -> 'payouts' @> jsonb_build_array(jsonb_build_object('payout_id', o.id, 'provider_payout_id', 'po_late'));
end $$;

-- Sending is the clock's; nobody else may claim, and nobody writes a rail.
do $$
declare
    door text;
    target text;
begin
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['claim', 'sent'] loop
            assert door = 'service_role' or pg_temp.code(format('select api.payout_%s(''{}'')', target)) = '42501', door || ' calls ' || target;
        end loop;
        assert pg_temp.code('select from payments.payout_rails') = '42501' and pg_temp.code('delete from payments.payout_rails') = '42501';
        assert pg_temp.code('update payments.payouts set status = ''pending''') = '42501' and pg_temp.code('select payments.claim_payouts(''{}'', 1)') = '42501';
        reset role;
    end loop;
end $$;
rollback;
