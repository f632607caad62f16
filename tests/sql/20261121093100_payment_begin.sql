begin;
\ir lib/priced.psql

-- A deposit costs what the fee table says, on top; the row stands before the provider is called, with our price on it.
do $$
declare
    alice uuid := pg_temp.person(1);
    begun jsonb := pg_temp.begin(alice, '{"description": "Top up", "metadata": {"shop": "7"}, "status": "success", "fee": 0}');
    row payments.payments;
begin
    select * into row from payments.payments where id = pg_temp.id(begun)::uuid;
    assert (row.user_id, row.amount_due, row.credit_amount, row.fee, row.currency, row.status, row.settlement, row.attempt)
        = (alice, 100500, 100000, 500, 'GNF', 'initiating', 'none', 1), row::text;
    assert row.next_check_at between now() + interval '4 minutes' and now() + interval '6 minutes', 'the sweep will look after it';
    assert row.metadata = '{"shop": "7"}' and row.description = 'Top up';
    assert begun ->> 'fresh' = 'true' and begun -> 'payment' ->> 'provider_amount' = '100500' and begun -> 'payment' ->> 'total' = '100500';
    assert begun -> 'customer' = '{"email": "p1@payments.test", "first_name": "Awa", "last_name": "Diallo"}', begun::text;
    assert (select balance from ledger.wallets where user_id = alice) = 0, 'asking for a deposit is no deposit';
    assert not exists (select from ledger.entries), 'nothing moved';
end $$;

-- The customer is the profile, completed or corrected by the body; what neither has is asked for.
do $$
declare
    bob uuid := pg_temp.person(2);
begin
    assert pg_temp.begin(bob, '{"customer": {"email": "b@x.test", "first_name": "B", "phone": "224620000000"}}') -> 'customer'
        = '{"email": "b@x.test", "first_name": "B", "last_name": "Diallo", "phone": "224620000000"}';
    update people.profiles set last_name = null where id = bob;
    assert pg_temp.refusal(bob) = 'VALIDATION_ERROR' and pg_temp.refusal(bob, '{"customer": {"last_name": "B"}}') = 'ok';
    assert pg_temp.refusal(bob, '{"customer": "nobody"}') = 'VALIDATION_ERROR';
end $$;

-- Between the row and the provider's answer the payment is in progress; after that an open one is returned, not made again.
do $$
declare
    fay uuid := pg_temp.person(6);
    first jsonb := pg_temp.begin(fay, pg_temp.plan('premium_subscription'));
    again jsonb;
    third jsonb;
begin
    assert pg_temp.refusal(fay, pg_temp.plan('premium_subscription')) = 'IDEMPOTENCY_IN_PROGRESS', 'two tabs at once';
    perform pg_temp.opened(first);
    again := pg_temp.begin(fay, pg_temp.plan('premium_subscription'));
    assert again ->> 'fresh' = 'false' and pg_temp.id(again) = pg_temp.id(first), again::text;
    assert again -> 'payment' ->> 'checkout_url' = 'https://checkout.test/' || pg_temp.id(first);
    assert again -> 'payment' -> 'provider_amount' = 'null' and not again ? 'customer', 'nothing to send to a provider';
    perform pg_temp.opened(first, 'pending', '31 minutes');
    again := pg_temp.begin(fay, pg_temp.plan('premium_subscription'));
    assert again ->> 'fresh' = 'true' and again -> 'payment' ->> 'attempt' = '2', 'an old one gives way';
    assert (select not is_current and status = 'pending' and next_check_at is not null from payments.payments where id = pg_temp.id(first)::uuid),
        'the old one stays watched';
    assert (select count(*) from payments.paid_entitlements where user_id = fay) = 1, 'one entitlement for all attempts';
    perform pg_temp.opened(again, 'unknown');
    third := pg_temp.begin(fay, pg_temp.plan('premium_subscription'));
    assert third -> 'payment' ->> 'attempt' = '3' and (select status from payments.payments where id = pg_temp.id(again)::uuid) = 'unknown',
        'an unknown one is never called failed';
    update payments.payments set created_at = now() - interval '2 minutes' where id = pg_temp.id(third)::uuid;
    again := pg_temp.begin(fay, pg_temp.plan('premium_subscription'));
    assert (select status from payments.payments where id = pg_temp.id(third)::uuid) = 'unknown', 'a lost initiating one may exist at the provider';
    assert again -> 'payment' ->> 'attempt' = '4';
    update payments.payments set status = 'pending', provider_payment_id = 'py_adopted', attached_at = null where id = pg_temp.id(again)::uuid;
    assert pg_temp.begin(fay, pg_temp.plan('premium_subscription')) -> 'payment' ->> 'attempt' = '5', 'a checkout without its URL is of no use';
    assert (select count(*) from payments.payments where user_id = fay and is_current) = 1;
    assert pg_temp.code(format('update payments.payments set is_current = true where user_id = %L', fay)) = '23505',
        'two open current payments of one purpose';
end $$;

-- A key is one payment: the same again returns it, another body is refused, another user's key is another; it survives the end.
do $$
declare
    gus uuid := pg_temp.person(7);
    key jsonb := '{"idempotency_key": "deposit-0001"}';
    first jsonb := pg_temp.begin(gus, key);
    other jsonb;
begin
    assert pg_temp.refusal(gus, key) = 'IDEMPOTENCY_IN_PROGRESS' and pg_temp.refusal(gus, key || '{"amount": 100001}') = 'IDEMPOTENCY_MISMATCH';
    perform pg_temp.opened(first);
    assert pg_temp.id(pg_temp.begin(gus, key)) = pg_temp.id(first) and pg_temp.begin(gus, key) ->> 'fresh' = 'false';
    assert pg_temp.refusal(gus, key || '{"amount": 100001}') = 'IDEMPOTENCY_MISMATCH';
    assert pg_temp.refusal(gus, '{"idempotency_key": "short"}') = 'VALIDATION_ERROR';
    assert pg_temp.begin(pg_temp.person(8), key) ->> 'fresh' = 'true', 'another user, another key';
    perform pg_temp.opened(first, 'success', '2 hours');
    assert pg_temp.id(pg_temp.begin(gus, key)) = pg_temp.id(first) and pg_temp.begin(gus, key) -> 'payment' ->> 'status' = 'success';
    perform pg_temp.opened(first, 'failed');
    assert pg_temp.begin(gus, key) -> 'payment' ->> 'attempt' = '2', 'after a failure the same key tries again';
    assert (select count(*) from payments.payments where user_id = gus) = 2;
    -- A plan begun under one key, failed, begun under another: the first key finds the open one instead of a wall.
    first := pg_temp.begin(gus, pg_temp.plan('enterprise_plan') || '{"idempotency_key": "plan-key-1"}');
    perform pg_temp.opened(first, 'failed');
    other := pg_temp.begin(gus, pg_temp.plan('enterprise_plan') || '{"idempotency_key": "plan-key-2"}');
    perform pg_temp.opened(other);
    assert pg_temp.id(pg_temp.begin(gus, pg_temp.plan('enterprise_plan') || '{"idempotency_key": "plan-key-1"}')) = pg_temp.id(other);
end $$;

-- A payer finds his own payment by either id, asks the provider at most every five seconds, and never sees another's.
do $$
declare
    ivy uuid := pg_temp.person(10);
    begun jsonb := pg_temp.begin(ivy);
    ours text := pg_temp.id(begun);
    got jsonb;
    door text;
    target text;
begin
    assert pg_temp.ask(ivy, 'payment_get', jsonb_build_object('payment_id', ours)) ->> 'ask_provider' = 'false', 'nothing to ask about yet';
    perform pg_temp.opened(begun);
    got := pg_temp.ask(ivy, 'payment_get', jsonb_build_object('payment_id', upper(ours)));
    assert got ->> 'ask_provider' = 'true' and got -> 'payment' ->> 'id' = 'py_' || ours and got ->> 'balance' = '0', got::text;
    assert got -> 'payment' ->> 'created_at' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z$', got::text;
    assert pg_temp.ask(ivy, 'payment_get', jsonb_build_object('payment_id', 'py_' || ours)) ->> 'ask_provider' = 'false', 'asked a moment ago';
    update payments.payments set asked_at = now() - interval '6 seconds' where id = ours::uuid;
    assert pg_temp.ask(ivy, 'payment_get', jsonb_build_object('payment_id', 'py_' || ours)) ->> 'ask_provider' = 'true';
    update payments.payments set status = 'failed', asked_at = null where id = ours::uuid;
    assert pg_temp.ask(ivy, 'payment_get', jsonb_build_object('payment_id', ours)) ->> 'ask_provider' = 'false', 'a final one is answered from here';
    foreach target in array array[ours, 'py_' || ours, 'py_none'] loop
        assert pg_temp.code(format('select pg_temp.ask(%L, ''payment_get'', %L)', '00000000-0000-4000-8000-000000000001',
            jsonb_build_object('payment_id', target))) = 'NOT_FOUND', 'absent and foreign look the same';
    end loop;
    assert pg_temp.code(format('select pg_temp.ask(%L, ''payment_get'', ''{}'')', ivy)) = 'VALIDATION_ERROR';
    perform set_config('request.jwt.claims', jsonb_build_object('sub', ivy)::text, true);
    set local role authenticated;
    assert (select array_agg(id) from api.moneroo_payments) = array[ours::uuid] and not exists (select from api.paid_entitlements);
    reset role;
    foreach door in array array['anon', 'authenticated', 'service_role'] loop
        perform set_config('role', door, true);
        foreach target in array array['payments', 'paid_entitlements', 'paid_plans', 'provider_currencies'] loop
            assert pg_temp.code(format('insert into payments.%I default values', target)) = '42501', door || ' writes ' || target;
            assert pg_temp.code(format('delete from payments.%I', target)) = '42501';
        end loop;
        assert pg_temp.code('update payments.payments set status = ''success''') = '42501';
        assert pg_temp.code('select payments.price_of(null, null)') = '42501';
        assert door = 'authenticated' or pg_temp.code('select api.payment_begin(''{}'')') = '42501', door || ' begins payments';
        reset role;
    end loop;
end $$;

-- Where the provider goes by our own id, the id stands before it is called; a phone is needed where there is no page.
do $$
declare
    jan uuid := pg_temp.person(11);
    begun jsonb;
    provider text;
begin
    foreach provider in array array['paystack', 'flutterwave', 'cinetpay', 'wave', 'paydunya', 'stripe', 'moneroo'] loop
        begun := pg_temp.begin(jan, jsonb_build_object('provider', provider, 'currency', 'XOF', 'amount', 20000));
        assert (begun -> 'payment' ->> 'provider_payment_id' is not distinct from pg_temp.id(begun))
            = (select own_reference from payments.providers where name = provider), provider;
        assert begun -> 'payment' ->> 'provider_amount' = case provider when 'paystack' then '2010000' else '20100' end, provider;
        assert begun -> 'payment' ->> 'exponent' = case provider when 'paystack' then '2' else '0' end and begun -> 'payment' ->> 'data' = '{}';
        assert begun -> 'payment' ->> 'provider' = provider and begun -> 'payment' ->> 'purpose' = 'wallet_deposit', begun::text;
    end loop;
    foreach provider in array array['mtn_momo', 'airtel_money', 'flutterwave_v4'] loop
        assert pg_temp.refusal(jan, jsonb_build_object('provider', provider, 'currency', 'XAF')) = 'VALIDATION_ERROR', provider || ' without a phone';
        begun := pg_temp.begin(jan, jsonb_build_object('provider', provider, 'currency', 'XAF', 'amount', 20000, 'phone', '237650000001'));
        assert begun -> 'payment' ->> 'phone' = '237650000001' and begun -> 'payment' ->> 'provider_payment_id' = pg_temp.id(begun), begun::text;
        begun := pg_temp.begin(jan, jsonb_build_object('provider', provider, 'currency', 'XAF', 'amount', 20000, 'customer', '{"phone": "+237650000002"}'::jsonb));
        assert begun -> 'payment' ->> 'phone' = '237650000002', begun::text;
    end loop;
    assert pg_temp.refusal(jan, '{"phone": "+224620000000"}') = 'VALIDATION_ERROR' and pg_temp.refusal(jan, '{"phone": "0620"}') = 'VALIDATION_ERROR';
    assert pg_temp.refusal(jan, '{"provider": "nobody"}') = 'VALIDATION_ERROR' and pg_temp.refusal(jan, '{"provider": "paystack"}') = 'NOT_CONFIGURED';
end $$;

-- A request to a phone or a card has no page, and is given back while it waits, with what the payer's page needs.
do $$
declare
    kay uuid := pg_temp.person(12);
    card jsonb := pg_temp.plan('premium_subscription') || '{"provider": "stripe"}';
    begun jsonb := pg_temp.begin(kay, card);
    again jsonb;
begin
    update payments.payments set status = 'pending', provider_payment_id = 'pi_1', attached_at = now(),
           provider_data = '{"client_secret": "cs_1", "notif_token": "hush"}' where id = pg_temp.id(begun)::uuid;
    again := pg_temp.begin(kay, card);
    assert again ->> 'fresh' = 'false' and pg_temp.id(again) = pg_temp.id(begun) and again -> 'payment' -> 'checkout_url' = 'null';
    assert again -> 'payment' -> 'data' = '{"client_secret": "cs_1"}', 'the proof of a notification went to the payer';
    again := pg_temp.ask(kay, 'payment_get', jsonb_build_object('payment_id', pg_temp.id(begun))) -> 'reference';
    assert again - 'exponents' = jsonb_build_object('as_of', now(), 'provider', 'stripe', 'provider_payment_id', 'pi_1', 'payment_id', pg_temp.id(begun), 'amount', 15000,
        'exponent', 0, 'currency', 'XAF', 'data', '{"client_secret": "cs_1"}'::jsonb), again::text;
    again := pg_temp.begin(kay, card || '{"provider": "moneroo"}');
    assert again -> 'payment' ->> 'attempt' = '2' and (select not is_current and status = 'pending' from payments.payments
        where id = pg_temp.id(begun)::uuid), 'another provider is another attempt, the first stays watched';
end $$;

-- An own open payment may be paid through another provider: same purpose, amount and fee; the old one stays watched.
do $$
declare
    lou uuid := pg_temp.person(13);
    one jsonb := pg_temp.begin(lou, '{"provider": "moneroo"}');
    switch jsonb := jsonb_build_object('provider', 'mtn_momo', 'phone', '224660000001', 'transaction_id', pg_temp.id(one), 'amount', null, 'purpose', null);
    two jsonb;
    plan jsonb;
begin
    perform pg_temp.opened(one);
    assert pg_temp.refusal(lou, switch || '{"amount": 99999}') = 'AMOUNT_MISMATCH' and pg_temp.refusal(lou, switch || '{"currency": "XOF"}') = 'CURRENCY_MISMATCH';
    assert pg_temp.refusal(pg_temp.person(14), switch) = 'NOT_FOUND', 'another''s payment';
    assert pg_temp.refusal(lou, switch || jsonb_build_object('transaction_id', gen_random_uuid())) = 'NOT_FOUND';
    assert pg_temp.refusal(lou, switch || '{"transaction_id": "7"}') = 'VALIDATION_ERROR';
    assert (select is_current from payments.payments where id = pg_temp.id(one)::uuid), 'a refusal left it behind';
    two := pg_temp.begin(lou, switch || '{"amount": 100000}');
    assert two -> 'payment' @> '{"amount": 100000, "fee": 500, "total": 100500, "currency": "GNF", "provider": "mtn_momo", "attempt": 2}', two::text;
    assert (select not is_current and status = 'pending' and next_check_at is not null from payments.payments where id = pg_temp.id(one)::uuid);
    assert pg_temp.refusal(lou, switch) = 'IDEMPOTENCY_IN_PROGRESS', 'sent twice';
    update payments.payments set status = 'pending', attached_at = now() where id = pg_temp.id(two)::uuid;
    assert pg_temp.id(pg_temp.begin(lou, switch)) = pg_temp.id(two), 'sent again';
    update payments.payments set status = 'success' where id = pg_temp.id(two)::uuid;
    assert pg_temp.id(pg_temp.begin(lou, switch)) = pg_temp.id(two), 'paid: no second one';
    assert pg_temp.refusal(lou, switch || jsonb_build_object('transaction_id', pg_temp.id(two))) = 'ALREADY_PAID';
    update payments.payments set status = 'failed' where id = pg_temp.id(one)::uuid;
    assert pg_temp.refusal(lou, switch) = 'NOT_PAYABLE', 'it has ended';
    assert (select count(*) from payments.payments where user_id = lou) = 2;
    plan := pg_temp.begin(lou, pg_temp.plan('enterprise_plan'));
    perform pg_temp.opened(plan);
    switch := switch || jsonb_build_object('transaction_id', pg_temp.id(plan));
    two := pg_temp.begin(lou, switch);
    assert two -> 'payment' @> '{"amount": 50000, "fee": 0, "currency": "XAF", "purpose": "plan_purchase"}'
        and (two -> 'payment' ->> 'purpose_id')::uuid = (select purpose_id from payments.payments where id = pg_temp.id(plan)::uuid);
    update payments.paid_entitlements set status = 'active' where user_id = lou;
    assert pg_temp.refusal(lou, switch) = 'ALREADY_PAID', 'the plan was paid otherwise';
    one := pg_temp.begin(lou);
    perform pg_temp.opened(one);
    update ledger.wallets set status = 'blocked' where user_id = lou;
    assert pg_temp.refusal(lou, switch || jsonb_build_object('transaction_id', pg_temp.id(one))) = 'WALLET_BLOCKED';
end $$;

-- A suspicious deposit is refused in an answer, so that what was recorded with it stays; no row, and a repeat of an open one is none.
do $$
declare
    max uuid := pg_temp.person(15);
    key jsonb := '{"amount": 4000000, "idempotency_key": "large-one-1"}';
    first jsonb := pg_temp.begin(max, key);
begin
    perform pg_temp.opened(first);
    perform set_config('response.status', '', true);
    assert pg_temp.refusal(max, '{"amount": 2000000}') = 'WALLET_BLOCKED' and current_setting('response.status') = '403', 'beyond a day''s total';
    assert (select status from ledger.wallets where user_id = max) = 'blocked' and (select count(*) from payments.payments where user_id = max) = 1;
    assert (select severity from ledger.wallet_suspicious_activities where user_id = max order by created_at desc, severity limit 1) = 'critical';
    update ledger.wallets set status = 'active' where user_id = max;
    assert pg_temp.id(pg_temp.begin(max, key)) = pg_temp.id(first), 'the same request again is no new deposit';
end $$;
rollback;
