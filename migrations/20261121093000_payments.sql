-- Payments: who is asked, for which purpose, at which price, in which state.
-- Why:       the row exists before the provider is called, so a crash can be reconciled and a price cannot be chosen.
-- Locks:     none on existing tables.
-- Old code:  nothing earlier exists.
-- Undo:      drop schema payments cascade; drop view api.moneroo_payments; drop function api.payment_begin(jsonb) ...

create schema payments;
grant usage on schema payments to anon, authenticated, service_role;

create table payments.providers (
    name             text primary key check (name ~ '^[a-z][a-z0-9_]{1,29}$'),
    own_reference    boolean not null,
    needs_phone      boolean not null default false,
    calls_per_minute integer not null default 60 check (calls_per_minute > 0)
);
comment on column payments.providers.own_reference is
    'It knows a payment by our own id, so a payment whose answer was lost is found by the ordinary question.';
comment on column payments.providers.needs_phone is 'It asks the payer on the phone; there is no page to send him to.';
comment on column payments.providers.calls_per_minute is
    'The clock''s share of what the provider allows: sweep, payouts and reconciliation together.';
alter table payments.providers enable row level security;
insert into payments.providers (name, own_reference, needs_phone) values
    ('moneroo', false, false), ('stripe', false, false), ('paystack', true, false), ('flutterwave', true, false),
    ('flutterwave_v4', true, true), ('cinetpay', true, false), ('wave', false, false), ('orange_money', true, false),
    ('mtn_momo', true, true), ('airtel_money', true, true), ('paydunya', false, false);

create table payments.provider_currencies (
    provider    text not null references payments.providers (name),
    currency    text not null references core.currencies (code),
    exponent    smallint not null check (exponent between 0 and 3),
    multiple_of bigint not null default 1 check (multiple_of > 0),
    min_amount  bigint check (min_amount > 0),
    max_amount  bigint check (max_amount >= min_amount),
    enabled     boolean not null default true,
    primary key (provider, currency)
);
comment on column payments.provider_currencies.exponent is
    'Of the integers this provider speaks in this currency: Moneroo takes whole units even of USD, Paystack hundredths even of XOF.';
comment on column payments.provider_currencies.multiple_of is 'In the provider''s units.';
comment on column payments.provider_currencies.min_amount is 'The provider''s own bounds, in our minor units; null = only ours.';
create index provider_currencies_currency on payments.provider_currencies (currency);
alter table payments.provider_currencies enable row level security;
insert into payments.provider_currencies (provider, currency, exponent) select 'moneroo', c.code, 0 from core.currencies c;
insert into payments.provider_currencies (provider, currency, exponent, multiple_of)
select p.provider, p.currency, p.exponent, p.multiple_of
  from (select l.provider, unnest(l.currencies) as currency, l.exponent, l.multiple_of
          from (values ('stripe', '{GNF,XOF,XAF,RWF}'::text[], 0, 1), ('stripe', '{USD,EUR,GBP,NGN,GHS,KES,TZS}', 2, 1),
                       ('stripe', '{UGX}', 2, 100),   -- Counted in hundredths that do not exist.
                       ('paystack', '{NGN,GHS,KES,USD,XOF}', 2, 1),
                       ('flutterwave', '{XOF,XAF,RWF,UGX}', 0, 1), ('flutterwave', '{NGN,GHS,KES,TZS,USD,EUR,GBP}', 2, 1),
                       ('flutterwave_v4', '{XOF,XAF,RWF,UGX}', 0, 1), ('flutterwave_v4', '{NGN,GHS,KES,TZS,USD,EUR,GBP}', 2, 1),
                       ('cinetpay', '{XOF,XAF,GNF}', 0, 5), ('cinetpay', '{USD}', 2, 1), ('wave', '{XOF}', 0, 1),
                       ('orange_money', '{GNF,XOF,XAF}', 0, 1), ('mtn_momo', '{GNF,XOF,XAF,RWF,UGX}', 0, 1),
                       ('mtn_momo', '{GHS}', 2, 1), ('airtel_money', '{RWF,UGX,XAF}', 0, 1), ('airtel_money', '{KES,TZS}', 2, 1),
                       ('paydunya', '{XOF}', 0, 1)) as l (provider, currencies, exponent, multiple_of)) p;
update payments.provider_currencies set min_amount = 200 where provider = 'paydunya' and currency = 'XOF';
update payments.provider_currencies set min_amount = 200 where provider = 'paystack' and currency = 'USD';
-- Stripe takes eight digits.
update payments.provider_currencies set max_amount = case currency when 'UGX' then 999999 else 99999999 end where provider = 'stripe';

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
    verified_currency   text,
    checkout_url        text check (length(checkout_url) <= 2000),
    environment         text check (environment in ('live', 'sandbox')),
    phone               text check (phone ~ '^[1-9][0-9]{7,14}$'),
    provider_data       jsonb not null default '{}' check (length(provider_data::text) <= 4096),
    attached_at         timestamptz,
    replaces            uuid references payments.payments (id),
    attempt             integer not null default 1,
    is_current          boolean not null default true,
    checks              integer not null default 0,
    next_check_at       timestamptz default now() + interval '5 minutes',
    asked_at            timestamptz,
    disputed_at         timestamptz,
    provider_refunded   bigint not null default 0,
    reconciled_at       timestamptz,
    reconcile_after     timestamptz,
    reconcile_tries     integer not null default 0,
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
create index payments_replaces on payments.payments (replaces) where replaces is not null;
create index payments_unreconciled on payments.payments (created_at)
    where reconciled_at is null and status in ('success', 'refunded', 'failed', 'cancelled', 'expired');
alter table payments.payments enable row level security;
create policy payments_own on payments.payments for select to authenticated using (user_id = (select auth.uid()));
comment on column payments.payments.amount_due is 'What the provider must report, to the unit: credit_amount plus fee, minor units.';
comment on column payments.payments.provider_data is
    'What asking again, proving a notification or showing a page needs: texts, as the provider gave them.';
comment on column payments.payments.replaces is 'The open payment that was to be paid through this provider instead.';
comment on column payments.payments.disputed_at is 'Set while the payer objects at his bank: nothing is refunded meanwhile.';
comment on column payments.payments.provider_refunded is 'What has gone back to the payer at the provider, by its own word, minor units.';

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
    ('payment_ask_every_s', 5, 's', 'moneroo-verify-payment asks the provider at most this often per payment');

-- ----------------------------------------------------------------------------------------------- the provider's units

create function payments.to_provider(provider text, currency text, amount bigint) returns bigint
    language sql stable set search_path = '' as $$
    -- Exact or null. Bounded before it multiplies: beyond that no provider counts, and nothing overflows.
    select case when u.units % u.multiple_of = 0 then u.units end
      from (select r.multiple_of, case
                   when r.exponent < c.exponent and amount % s.scale = 0 then amount / s.scale
                   when r.exponent >= c.exponent and amount <= 9007199254740991 / s.scale then amount * s.scale end as units
              from payments.provider_currencies r
              join core.currencies c on c.code = r.currency
             cross join lateral (select (10 ^ abs(r.exponent - c.exponent))::bigint as scale) s
             where r.provider = to_provider.provider and r.currency = to_provider.currency) u
$$;

create function payments.from_provider(provider text, currency text, units bigint) returns bigint
    language sql stable set search_path = '' as $$
    select case when r.exponent > c.exponent and units % s.scale = 0 then units / s.scale
                when r.exponent <= c.exponent and units <= 9007199254740991 / s.scale then units * s.scale end
      from payments.provider_currencies r
      join core.currencies c on c.code = r.currency
     cross join lateral (select (10 ^ abs(r.exponent - c.exponent))::bigint as scale) s
     where r.provider = from_provider.provider and r.currency = from_provider.currency
$$;
comment on function payments.from_provider is
    'Our minor units for what a provider said; null when it has no such currency or said a part of a unit. Disabled ones still count.';

create function payments.provider_amount(provider text, currency text, amount bigint) returns bigint
    language plpgsql stable set search_path = '' as $$
declare
    rate payments.provider_currencies;
    own core.currencies;
    units bigint := payments.to_provider(provider, currency, amount);
begin
    select * into own from core.currencies c where c.code = currency and c.is_active;
    select * into rate from payments.provider_currencies p
     where p.provider = provider_amount.provider and p.currency = provider_amount.currency and p.enabled;
    if own is null or rate.provider is null then
        perform core.refuse('NOT_CONFIGURED', 503, 'this provider does not take this currency');
    elsif amount not between greatest(own.min_payment, rate.min_amount) and least(own.max_payment, rate.max_amount) then
        perform core.refuse('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one payment may be', jsonb_build_object(
            'min', greatest(own.min_payment, rate.min_amount), 'max', least(own.max_payment, rate.max_amount)));
    elsif units is null then
        perform core.refuse('AMOUNT_NOT_SUPPORTED', 400, 'this provider takes larger steps of the currency',
            jsonb_build_object('multiple_of', rate.multiple_of));
    end if;
    return units;
end $$;

create function payments.exponents_of(provider text) returns jsonb language sql stable set search_path = '' as $$
    select coalesce(jsonb_object_agg(r.currency, r.exponent), '{}') from payments.provider_currencies r where r.provider = exponents_of.provider
$$;
comment on function payments.exponents_of is
    'For a provider that writes decimals: its answer may name another currency than the one we asked for.';

create function payments.reference_of(p payments.payments) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('provider', p.provider, 'provider_payment_id', p.provider_payment_id, 'payment_id', p.id,
        'amount', coalesce(payments.to_provider(p.provider, p.currency, p.amount_due), 0),
        'exponent', coalesce((select r.exponent from payments.provider_currencies r
            where r.provider = p.provider and r.currency = p.currency), 0),
        'currency', p.currency, 'data', p.provider_data - 'notif_token', 'exponents', payments.exponents_of(p.provider), 'as_of', now())
$$;
comment on function payments.reference_of is
    'All that asking the provider again needs. as_of: the answer is at least as new as this. Never the notif_token: whoever has it could speak in the provider''s name.';

revoke execute on all functions in schema payments from public;

-- Configuration that anyone signed in may see: which currencies a provider takes here.
create policy provider_currencies_listed on payments.provider_currencies for select to authenticated using (enabled);
grant select on payments.provider_currencies to authenticated;
create view api.provider_currencies with (security_invoker = true) as
    select provider, currency, exponent, multiple_of, min_amount, max_amount from payments.provider_currencies;
grant select on api.provider_currencies to authenticated;
