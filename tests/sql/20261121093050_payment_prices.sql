begin;
\ir lib/priced.psql

-- Only the amount of a deposit is the payer's to choose, within its bounds; a blocked wallet takes none.
do $$
declare
    carol uuid := pg_temp.person(3);
begin
    update ledger.risk_rules set value = 9007199254740991 where key = 'suspicious_total';
    assert pg_temp.refusal(carol, '{"amount": null}') = 'VALIDATION_ERROR' and pg_temp.refusal(carol, '{"amount": 0}') = 'VALIDATION_ERROR';
    assert pg_temp.refusal(carol, '{"amount": 1.5}') = 'VALIDATION_ERROR' and pg_temp.refusal(carol, '{"amount": "1000"}') = 'VALIDATION_ERROR';
    assert pg_temp.refusal(carol, '{"amount": 99}') = 'AMOUNT_OUT_OF_RANGE', 'below the wallet''s minimum';
    assert pg_temp.refusal(carol, '{"amount": 994}') = 'AMOUNT_OUT_OF_RANGE' and pg_temp.refusal(carol, '{"amount": 995}') = 'ok',
        'what the provider is asked for, fee included, begins at 1 000';
    assert pg_temp.refusal(carol, '{"amount": 49751245}') = 'AMOUNT_OUT_OF_RANGE' and pg_temp.refusal(carol, '{"amount": 49751244}') = 'ok';
    assert pg_temp.refusal(carol, '{"currency": "USD"}') = 'AMOUNT_OUT_OF_RANGE' and pg_temp.refusal(carol, '{"currency": "ZZZ"}') = 'AMOUNT_OUT_OF_RANGE';
    assert pg_temp.refusal(carol, '{"provider": "paypal"}') = 'VALIDATION_ERROR' and pg_temp.refusal(carol, '{"provider": null}') = 'VALIDATION_ERROR';
    assert pg_temp.refusal(carol, '{"provider": "wave"}') = 'NOT_CONFIGURED', 'wave takes no francs of Guinea';
    update ledger.wallets set status = 'blocked' where user_id = carol;
    assert pg_temp.refusal(carol) = 'WALLET_BLOCKED';
    assert (select count(*) from payments.payments where user_id = carol) = 2, 'a refusal left a row';
end $$;

-- The price of anything else is the database's: another amount or currency is refused and says what is due.
do $$
declare
    dora uuid := pg_temp.person(4);
    begun jsonb;
begin
    assert pg_temp.refusal(dora, pg_temp.plan('premium_subscription') || '{"amount": 1}') = 'AMOUNT_MISMATCH';
    assert pg_temp.refusal(dora, pg_temp.plan('premium_subscription') || '{"amount": 14999}') = 'AMOUNT_MISMATCH';
    assert pg_temp.refusal(dora, pg_temp.plan('premium_subscription') || '{"currency": "GNF"}') = 'CURRENCY_MISMATCH';
    assert pg_temp.refusal(dora, pg_temp.plan('gold')) = 'NOT_FOUND' and pg_temp.refusal(dora, '{"purpose": "plan_purchase", "amount": null}') = 'NOT_FOUND';
    begun := pg_temp.begin(dora, pg_temp.plan('premium_subscription') || '{"amount": 15000, "currency": "XAF"}');
    assert begun -> 'payment' @> '{"amount": 15000, "fee": 0, "total": 15000, "currency": "XAF", "provider_amount": 15000}', begun::text;
    assert (select status || ':' || user_id from payments.paid_entitlements where id =
        (select purpose_id from payments.payments where id = pg_temp.id(begun)::uuid)) = 'pending:' || dora;
    assert pg_temp.refusal(dora, pg_temp.plan('premium_report')) = 'VALIDATION_ERROR', 'a report is for one test';
    assert pg_temp.refusal(dora, pg_temp.plan('premium_report', 1)) = 'ok' and pg_temp.refusal(dora, pg_temp.plan('premium_report', 2)) = 'ok';
    assert pg_temp.refusal(dora, jsonb_build_object('purpose', 'ride', 'amount', null, 'purpose_id', gen_random_uuid())) = 'NOT_FOUND';
    assert pg_temp.refusal(dora, jsonb_build_object('purpose', 'order', 'purpose_id', gen_random_uuid())) = 'NOT_FOUND';
    assert pg_temp.refusal(dora, '{"purpose": null}') = 'NOT_FOUND';
end $$;

-- A plan that runs is not sold twice; when its period is over it is, also to one who named a test he did not have to name.
do $$
declare
    erin uuid := pg_temp.person(5);
begin
    perform pg_temp.begin(erin, pg_temp.plan('premium_subscription', 3));
    update payments.paid_entitlements set status = 'active', expires_at = now() + interval '1 second' where user_id = erin;
    assert pg_temp.refusal(erin, pg_temp.plan('premium_subscription')) = 'ALREADY_PAID' and pg_temp.refusal(erin, pg_temp.plan('enterprise_plan')) = 'ok';
    update payments.paid_entitlements set expires_at = now() - interval '1 second' where user_id = erin and status = 'active';
    assert pg_temp.refusal(erin, pg_temp.plan('premium_subscription', 3)) = 'ok', 'a period that is over forbids the next';
end $$;
-- A deposit is a multiple of the currency's smallest step; its fee need not be.
do $$
declare
    ida uuid := pg_temp.person(31);
begin
    update ledger.wallet_limits set step = 500 where currency = 'GNF';
    assert pg_temp.refusal(ida, '{"amount": 10250}') = 'AMOUNT_NOT_SUPPORTED' and pg_temp.refusal(ida, '{"amount": 10500}') = 'ok';
end $$;
rollback;
