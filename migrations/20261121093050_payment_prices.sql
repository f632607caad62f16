-- Prices: what a purpose costs, from the database; the payer chooses the amount of a deposit alone.
-- Why:       an amount that the client sends is compared, never used.
-- Locks:     the advisory lock of a plan being bought.
-- Old code:  nothing earlier exists.
-- Undo:      drop the functions and the type created here.

create type payments.price as (purpose_id uuid, amount bigint, fee bigint, currency text);

create function payments.plan_entitlement(buyer uuid, ask jsonb) returns payments.price language plpgsql set search_path = '' as $$
declare
    plan payments.paid_plans;
    test uuid := core.uuid_field(ask, 'test_id');
    entitlement payments.paid_entitlements;
begin
    select * into plan from payments.paid_plans p where p.code = core.text_field(ask, 'plan_id', 1, 50);
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such plan');
    end if;
    if plan.once_per_test and test is null then
        perform core.invalid('test_id', 'is required for this plan');
    elsif not plan.once_per_test then
        test := null;   -- Informative here; kept, it would forbid the renewal of an expired period.
    end if;
    perform pg_advisory_xact_lock(hashtextextended('plan:' || buyer || plan.code || coalesce(test::text, ''), 0));
    select * into entitlement from payments.paid_entitlements e
     where e.user_id = buyer and e.plan_code = plan.code and e.test_id is not distinct from test
       and e.status in ('pending', 'active') and (e.expires_at is null or e.expires_at > now()) limit 1;
    if entitlement.status = 'active' then
        perform core.refuse('ALREADY_PAID', 409, 'this plan is active already');
    elsif entitlement.id is null then
        insert into payments.paid_entitlements (user_id, plan_code, test_id) values (buyer, plan.code, test)
        returning * into entitlement;
    end if;
    return (entitlement.id, plan.price, 0::bigint, plan.currency);
end $$;

create function payments.open_wallet(payer uuid, currency text) returns void language plpgsql set search_path = '' as $$
declare
    own uuid := ledger.wallet_for(payer, currency);   -- Never inside the query: it would be asked for each row.
begin
    if (select w.status from ledger.wallets w where w.id = own) <> 'active' then
        perform core.refuse('WALLET_BLOCKED', 409, 'this wallet is blocked');
    end if;
end $$;

create function payments.agrees(ask jsonb, priced payments.price) returns void language plpgsql set search_path = '' as $$
declare
    asked bigint := core.amount_field(ask, 'amount');
begin
    if asked is not null and asked <> priced.amount then
        perform core.refuse('AMOUNT_MISMATCH', 409, 'the amount is not what is due', jsonb_build_object('expected', priced.amount));
    elsif ask ->> 'currency' is not null and ask ->> 'currency' <> priced.currency then
        perform core.refuse('CURRENCY_MISMATCH', 409, 'the currency is not the one due');
    end if;
end $$;

create function payments.price_of(payer uuid, ask jsonb) returns payments.price language plpgsql set search_path = '' as $$
declare
    asked bigint := core.amount_field(ask, 'amount');
    priced payments.price;
begin
    case ask ->> 'purpose'
    when 'wallet_deposit' then
        if asked is null then
            perform core.invalid('amount', 'is required');
        end if;
        priced.currency := coalesce(ask ->> 'currency', 'GNF');
        if not exists (select from ledger.wallet_limits l where l.currency = priced.currency
                and asked between l.min_operation and l.max_operation) then
            perform core.refuse('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move');
        end if;
        if asked % (select l.step from ledger.wallet_limits l where l.currency = priced.currency) <> 0 then
            perform core.refuse('AMOUNT_NOT_SUPPORTED', 400, 'the amount is no multiple of the smallest step');
        end if;
        perform payments.open_wallet(payer, priced.currency);
        priced.fee := ledger.fee('deposit', priced.currency, asked);
        priced.amount := asked;
        return priced;
    when 'ride' then
        priced.purpose_id := core.uuid_field(ask, 'purpose_id');
        select r.amount, r.currency into priced.amount, priced.currency from taxi.ride_payable(priced.purpose_id, payer) r;
    when 'plan_purchase' then
        priced := payments.plan_entitlement(payer, ask);
    else
        -- Orders, escrows and subscriptions have no rows yet: their ids cannot exist.
        perform core.refuse('NOT_FOUND', 404, 'nothing to pay here');
    end case;
    priced.fee := 0;
    perform payments.agrees(ask, priced);
    return priced;
end $$;
comment on function payments.price_of is 'Price, fee and currency from the database; the client chooses the amount of a deposit alone.';

revoke execute on all functions in schema payments from public;
