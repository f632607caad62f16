-- Payments: what is asked of a provider, for which purpose, at which price, in which state.
-- Why:       the row exists before the provider is called, so a crash can be reconciled and a price cannot be chosen.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      drop schema payments cascade; drop view api.moneroo_payments; drop function api.payment_begin(jsonb) ...

create schema payments;
grant usage on schema payments to anon, authenticated, service_role;

create table payments.provider_currencies (
    provider    text not null check (provider ~ '^[a-z_]{2,30}$'),
    currency    text not null references core.currencies (code),
    exponent    smallint not null check (exponent between 0 and 3),
    multiple_of bigint not null default 1 check (multiple_of > 0),
    enabled     boolean not null default true,
    primary key (provider, currency)
);
comment on column payments.provider_currencies.exponent is
    'Of the integers this provider speaks in this currency; Moneroo takes whole units even of USD.';
create index provider_currencies_currency on payments.provider_currencies (currency);
alter table payments.provider_currencies enable row level security;
insert into payments.provider_currencies (provider, currency, exponent) select 'moneroo', c.code, 0 from core.currencies c;

create table payments.payments (
    id                  uuid primary key default gen_random_uuid(),
    user_id             uuid references people.profiles (id),
    provider            text not null,
    provider_payment_id text,
    purpose             text not null check (purpose in ('wallet_deposit', 'ride', 'plan_purchase', 'order', 'escrow', 'subscription')),
    purpose_id          uuid,
    amount_due          bigint not null check (amount_due > 0),
    credit_amount       bigint not null check (credit_amount > 0),
    fee                 bigint not null default 0 check (fee >= 0),
    currency            text not null references core.currencies (code),
    status              text not null default 'initiating' check (status in ('initiating', 'pending', 'unknown', 'success',
                            'failed', 'cancelled', 'expired', 'refunded')),
    settlement          text not null default 'none' check (settlement in ('none', 'settled', 'underpaid', 'overpaid', 'surplus')),
    verified_amount     bigint,
    verified_at         timestamptz,
    checkout_url        text check (length(checkout_url) <= 2000),
    environment         text check (environment in ('live', 'sandbox')),
    attempt             integer not null default 1,
    is_current          boolean not null default true,
    checks              integer not null default 0,
    next_check_at       timestamptz default now() + interval '5 minutes',
    asked_at            timestamptz,
    idempotency_key     text,
    fingerprint         bytea not null,
    description         text not null,
    metadata            jsonb not null default '{}' check (length(metadata::text) <= 4096),
    created_at          timestamptz not null default now(),
    constraint payment_adds_up check (amount_due = credit_amount + fee),
    constraint payment_provider_id_once unique (provider, provider_payment_id)
);
create unique index payment_one_open_per_purpose on payments.payments (purpose, purpose_id)
    where is_current and status in ('initiating', 'pending', 'unknown') and purpose_id is not null;
create unique index payment_key_once on payments.payments (user_id, idempotency_key) where is_current and idempotency_key is not null;
create index payments_due on payments.payments (next_check_at) where status in ('initiating', 'pending', 'unknown');
create index payments_user on payments.payments (user_id, created_at, id);
create index payments_currency on payments.payments (currency);
alter table payments.payments enable row level security;
create policy payments_own on payments.payments for select to authenticated using (user_id = (select auth.uid()));
comment on column payments.payments.amount_due is 'What the provider must report, to the unit: credit_amount plus fee, minor units.';

create table payments.paid_plans (
    code          text primary key check (code ~ '^[a-z_]{3,50}$'),
    price         bigint not null check (price > 0),
    currency      text not null references core.currencies (code),
    duration_days integer check (duration_days > 0),
    once_per_test boolean not null default false
);
create index paid_plans_currency on payments.paid_plans (currency);
alter table payments.paid_plans enable row level security;
insert into payments.paid_plans values ('premium_report', 3500, 'XAF', null, true),
    ('premium_subscription', 15000, 'XAF', 30, false), ('enterprise_plan', 50000, 'XAF', 30, false);

create table payments.paid_entitlements (
    id         uuid primary key default gen_random_uuid(),
    user_id    uuid not null references people.profiles (id),
    plan_code  text not null references payments.paid_plans (code),
    test_id    uuid,
    status     text not null default 'pending' check (status in ('pending', 'active', 'expired')),
    payment_id uuid unique references payments.payments (id),
    expires_at timestamptz,
    created_at timestamptz not null default now()
);
create unique index entitlement_once_per_test on payments.paid_entitlements (user_id, plan_code, test_id)
    where status in ('pending', 'active') and test_id is not null;
create index paid_entitlements_user on payments.paid_entitlements (user_id);
create index paid_entitlements_plan on payments.paid_entitlements (plan_code);
alter table payments.paid_entitlements enable row level security;
create policy entitlements_own on payments.paid_entitlements for select to authenticated using (user_id = (select auth.uid()));

insert into core.settings (key, value, unit, description) values
    ('payment_reuse_s', 1800, 's', 'an open payment younger than this is returned again for the same purpose and amount'),
    ('payment_init_s', 60, 's', 'an initiating payment older than this may exist at the provider: unknown'),
    ('payment_ask_every_s', 5, 's', 'moneroo-verify-payment asks the provider at most this often per payment'),
    ('provider_calls_per_minute', 60, '1/min', 'the sweep''s share of the provider''s 120 requests a minute');

-- ------------------------------------------------------------------------------------------------------------- pricing

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

create function payments.price_of(payer uuid, ask jsonb) returns payments.price language plpgsql set search_path = '' as $$
declare
    purpose text := ask ->> 'purpose';
    asked bigint := core.amount_field(ask, 'amount');
    priced payments.price;
    own uuid;
    wallet ledger.wallets;
begin
    case purpose
    when 'wallet_deposit' then
        if asked is null then
            perform core.invalid('amount', 'is required');
        end if;
        priced.currency := coalesce(ask ->> 'currency', 'GNF');
        if not exists (select from ledger.wallet_limits l where l.currency = priced.currency
                and asked between l.min_operation and l.max_operation) then
            perform core.refuse('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move');
        end if;
        own := ledger.wallet_for(payer, priced.currency);   -- Never inside the query: it would be asked for each row.
        select * into wallet from ledger.wallets w where w.id = own;
        if wallet.status <> 'active' then
            perform core.refuse('WALLET_BLOCKED', 409, 'this wallet is blocked');
        end if;
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
    if asked is not null and asked <> priced.amount then
        perform core.refuse('AMOUNT_MISMATCH', 409, 'the amount is not what is due', jsonb_build_object('expected', priced.amount));
    elsif ask ->> 'currency' is not null and ask ->> 'currency' <> priced.currency then
        perform core.refuse('CURRENCY_MISMATCH', 409, 'the currency is not the one due');
    end if;
    return priced;
end $$;
comment on function payments.price_of is 'Price, fee and currency from the database; the client chooses the amount of a deposit alone.';

create function payments.provider_amount(provider text, currency text, amount bigint) returns bigint
    language plpgsql stable set search_path = '' as $$
declare
    rate payments.provider_currencies;
    own core.currencies;
    unit bigint;
begin
    select * into own from core.currencies c where c.code = currency and c.is_active;
    select * into rate from payments.provider_currencies p
     where p.provider = provider_amount.provider and p.currency = provider_amount.currency and p.enabled;
    if own is null or rate is null then
        perform core.refuse('NOT_CONFIGURED', 503, 'this provider does not take this currency');
    elsif amount not between own.min_payment and own.max_payment then
        perform core.refuse('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one payment may be',
            jsonb_build_object('min', own.min_payment, 'max', own.max_payment));
    end if;
    unit := (10 ^ (own.exponent - rate.exponent))::bigint;
    if amount % (unit * rate.multiple_of) <> 0 then
        perform core.refuse('AMOUNT_NOT_SUPPORTED', 400, 'this provider takes whole units of the currency');
    end if;
    return amount / unit;
end $$;

-- --------------------------------------------------------------------------------------------------------------- begin

create function payments.customer_of(payer uuid, ask jsonb) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    given jsonb := coalesce(ask -> 'customer', '{}');
    own people.profiles;
    whole jsonb;
    missing text;
begin
    select * into own from people.profiles p where p.id = payer;
    whole := jsonb_strip_nulls(jsonb_build_object('email', coalesce(given ->> 'email', own.email),
        'first_name', coalesce(given ->> 'first_name', own.first_name),
        'last_name', coalesce(given ->> 'last_name', own.last_name), 'phone', given ->> 'phone'));
    select f into missing from unnest(array['email', 'first_name', 'last_name']) f where not whole ? f limit 1;
    if missing is not null then
        perform core.invalid('customer.' || missing, 'is required');
    end if;
    return whole;
end $$;

create function payments.begun(p payments.payments, fresh boolean) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('fresh', fresh, 'payment', jsonb_build_object('id', p.id,
        'provider_payment_id', p.provider_payment_id, 'checkout_url', p.checkout_url, 'status', p.status, 'attempt', p.attempt,
        'amount', p.credit_amount, 'fee', p.fee, 'total', p.amount_due, 'currency', p.currency, 'description', p.description,
        'provider_amount', case when fresh then payments.provider_amount(p.provider, p.currency, p.amount_due) end))
$$;

create function payments.reusable(payer uuid, ask jsonb, priced payments.price, asked_by text)
    returns payments.payments language plpgsql set search_path = '' as $$
declare
    own payments.payments;
    attempts integer := 0;
begin
    -- The key's row first: its mismatch is refused, and an attempt that ended gives way to the purpose's open payment.
    for own in
        select * from payments.payments p where p.is_current
           and (p.user_id = payer and p.idempotency_key = asked_by
                or p.purpose = ask ->> 'purpose' and p.purpose_id = priced.purpose_id
                   and p.status in ('initiating', 'pending', 'unknown'))
         order by (p.idempotency_key = asked_by) desc nulls last for update
    loop
        if own.idempotency_key = asked_by and own.fingerprint <> core.fingerprint(ask) then
            perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another request');
        elsif own.status = 'initiating' and own.created_at > now() - make_interval(secs => core.setting('payment_init_s')) then
            perform core.refuse('IDEMPOTENCY_IN_PROGRESS', 409, 'this payment is being started', null, 'retry after 1 second');
        elsif own.status = 'success' or (own.status = 'pending' and own.checkout_url is not null
            and own.amount_due = priced.amount + priced.fee and own.provider = ask ->> 'provider'
            and own.created_at > now() - make_interval(secs => core.setting('payment_reuse_s'))) then
            return own;
        end if;
        -- Too old, another price, or lost between us and the provider: a new attempt, while the old one stays watched.
        update payments.payments p set is_current = false,
               status = case p.status when 'initiating' then 'unknown' else p.status end where p.id = own.id;
        attempts := greatest(attempts, own.attempt);
    end loop;
    own := null;
    own.attempt := attempts;
    return own;
end $$;

create function payments.begin_payment(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    payer uuid := core.caller();
    asked_by text := core.idempotency_key(ask);
    priced payments.price;
    before payments.payments;
    made payments.payments;
    customer jsonb;
begin
    if asked_by is not null then
        perform core.lock_key(payer || ':payment:' || asked_by);
    end if;
    customer := payments.customer_of(payer, ask);
    priced := payments.price_of(payer, ask);
    before := payments.reusable(payer, ask, priced, asked_by);
    if before.id is not null then
        return payments.begun(before, false);
    end if;
    perform payments.provider_amount(ask ->> 'provider', priced.currency, priced.amount + priced.fee);
    begin
        insert into payments.payments (user_id, provider, purpose, purpose_id, amount_due, credit_amount, fee, currency,
            attempt, idempotency_key, fingerprint, description, metadata)
        values (payer, ask ->> 'provider', ask ->> 'purpose', priced.purpose_id, priced.amount + priced.fee, priced.amount,
            priced.fee, priced.currency, before.attempt + 1, asked_by, core.fingerprint(ask),
            coalesce(core.text_field(ask, 'description', 1, 500), 'Payment'), coalesce(ask -> 'metadata', '{}'))
        returning * into made;
    exception when unique_violation then
        -- Two tabs at once: the other one's row is the open payment.
        perform core.refuse('IDEMPOTENCY_IN_PROGRESS', 409, 'this payment is being started', null, 'retry after 1 second');
    end;
    return payments.begun(made, true) || jsonb_build_object('customer', customer);
end $$;
comment on function payments.begin_payment is 'Writes the row before the provider is called. fresh = false: answer with the payment as it is.';

create function payments.own_payment(ask jsonb) returns jsonb language plpgsql security definer set search_path = '' as $$
declare
    wanted text := core.text_field(ask, 'payment_id', 1, 200);
    own payments.payments;
    ask_provider boolean;
begin
    if wanted is null then
        perform core.invalid('payment_id', 'is required');
    end if;
    select * into own from payments.payments p where p.user_id = core.caller()
       and (p.provider_payment_id = wanted or p.id::text = lower(wanted)) for update;
    if not found then
        perform core.refuse('NOT_FOUND', 404, 'no such payment');
    end if;
    ask_provider := own.status in ('initiating', 'pending', 'unknown') and own.provider_payment_id is not null
        and (own.asked_at is null or own.asked_at < now() - make_interval(secs => core.setting('payment_ask_every_s')));
    if ask_provider then
        update payments.payments p set asked_at = now() where p.id = own.id;
    end if;
    return jsonb_build_object('provider', own.provider, 'provider_payment_id', own.provider_payment_id,
        'ask_provider', ask_provider, 'purpose', own.purpose, 'balance', (select w.balance from ledger.wallets w
            where w.user_id = own.user_id and w.currency = own.currency),
        'payment', jsonb_build_object('id', coalesce(own.provider_payment_id, own.id::text), 'status', own.status,
            'amount', own.credit_amount, 'fee', own.fee, 'currency', own.currency,
            'created_at', to_char(own.created_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'),
            'settlement', own.settlement));
end $$;

create view api.moneroo_payments with (security_invoker = true) as
    select id, user_id, provider_payment_id as payment_id, purpose, purpose_id, credit_amount as amount, fee, currency, status,
           settlement, checkout_url, created_at from payments.payments;
grant select on payments.payments, payments.paid_entitlements to authenticated;
grant select on api.moneroo_payments to authenticated;
create view api.paid_entitlements with (security_invoker = true) as
    select id, user_id, plan_code, test_id, status, expires_at, created_at from payments.paid_entitlements;
grant select on api.paid_entitlements to authenticated;

create function api.payment_begin(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.begin_payment(ask);
create function api.payment_get(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return payments.own_payment(ask);
revoke execute on all functions in schema api, payments from public;
grant execute on function payments.begin_payment(jsonb), payments.own_payment(jsonb),
    api.payment_begin(jsonb), api.payment_get(jsonb) to authenticated;

-- Configuration that anyone signed in may see: which currencies a provider takes here.
create policy provider_currencies_listed on payments.provider_currencies for select to authenticated using (enabled);
grant select on payments.provider_currencies to authenticated;
create view api.provider_currencies with (security_invoker = true) as
    select provider, currency, exponent, multiple_of from payments.provider_currencies;
grant select on api.provider_currencies to authenticated;
