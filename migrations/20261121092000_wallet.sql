-- What an outgoing operation costs and whether it may happen: fees, limits, suspicion, fraud score.
-- Why:       the guard decides inside the transaction that moves the money, under the wallet's lock.
-- Locks:     none on existing tables.
-- Old code:  nothing calls these yet.
-- Undo:      drop the tables and functions created here; nothing else refers to them.

create table ledger.wallet_fees (
    id        bigint generated always as identity primary key,
    operation text not null check (operation in ('transfer', 'deposit', 'withdrawal')),
    currency  text references core.currencies (code),
    fee_type  text not null check (fee_type in ('bps', 'fixed')),
    fee_value bigint not null check (fee_value >= 0),
    min_fee   bigint not null default 0 check (min_fee >= 0),
    max_fee   bigint check (max_fee >= min_fee),
    is_active boolean not null default true
);
comment on column ledger.wallet_fees.currency is 'Null = every currency without a row of its own.';
create unique index wallet_fees_one_active on ledger.wallet_fees (operation, coalesce(currency, '*')) where is_active;
create index wallet_fees_currency on ledger.wallet_fees (currency);
alter table ledger.wallet_fees enable row level security;
insert into ledger.wallet_fees (operation, fee_type, fee_value) values
    ('transfer', 'bps', 100), ('deposit', 'bps', 50), ('withdrawal', 'bps', 150);

create table ledger.wallet_limits (
    currency        text primary key references core.currencies (code),
    min_operation   bigint not null check (min_operation > 0),
    max_operation   bigint not null check (max_operation >= min_operation),
    default_daily   bigint not null check (default_daily >= 0),
    default_monthly bigint not null check (default_monthly >= default_daily),
    step            bigint not null default 1 check (step > 0)
);
comment on table ledger.wallet_limits is 'Minor units. A currency without a row has no wallet operations.';
comment on column ledger.wallet_limits.step is 'An amount that somebody chooses is a multiple of it; fees and prices are what they are.';
alter table ledger.wallet_limits enable row level security;
insert into ledger.wallet_limits values
    ('GNF', 100, 50000000, 1000000, 10000000), ('XOF', 100, 5000000, 100000, 1000000), ('XAF', 100, 5000000, 100000, 1000000);

create table ledger.risk_rules (
    key      text not null,
    currency text not null references core.currencies (code),
    value    bigint not null check (value >= 0),
    primary key (key, currency)
);
create index risk_rules_currency on ledger.risk_rules (currency);
alter table ledger.risk_rules enable row level security;
insert into ledger.risk_rules (key, currency, value)
select k.key, c.code, case when k.money then k.value / c.scale else k.value end
  from (values ('suspicious_amount', 2000000, true), ('suspicious_count', 10, false), ('suspicious_total', 5000000, true),
               ('high_amount', 5000000, true), ('elevated_amount', 1000000, true), ('high_frequency', 10, false),
               ('elevated_frequency', 5, false), ('high_volume', 10000000, true), ('mfa_amount', 1000000, true),
               ('block_score', 70, false), ('mfa_score', 40, false), ('watch_score', 20, false)) as k (key, value, money),
       (values ('GNF', 1), ('XOF', 10), ('XAF', 10)) as c (code, scale);
insert into core.settings (key, value, unit, description) values
    ('duplicate_window_s', 60, 's', 'an identical transfer or withdrawal without a key within this time is suspected');

create table ledger.known_recipients (
    sender_wallet_id   uuid not null references ledger.wallets (id),
    receiver_wallet_id uuid not null references ledger.wallets (id),
    primary key (sender_wallet_id, receiver_wallet_id)
);
create index known_recipients_receiver on ledger.known_recipients (receiver_wallet_id);
alter table ledger.known_recipients enable row level security;

create table ledger.wallet_logs (
    id         uuid not null default gen_random_uuid(),
    actor_id   uuid,
    operation  text not null,
    currency   text not null,
    amount     bigint not null,
    outcome    text not null,
    request_id text,
    created_at timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create table ledger.wallet_suspicious_activities (
    id            uuid not null default gen_random_uuid(),
    wallet_id     uuid not null,
    user_id       uuid not null,
    activity_type text not null,
    severity      text not null check (severity in ('medium', 'high', 'critical')),
    metadata      jsonb not null default '{}',
    created_at    timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create table ledger.fraud_detection_logs (
    id           uuid not null default gen_random_uuid(),
    user_id      uuid not null,
    recipient_id uuid,
    amount       bigint not null,
    score        integer not null check (score between 0 and 100),
    level        text not null check (level in ('low', 'medium', 'high', 'critical')),
    flags        text[] not null,
    decision     text not null check (decision in ('allow', 'mfa', 'block')),
    request_id   text,
    created_at   timestamptz not null default now(),
    primary key (created_at, id)
) partition by range (created_at);
create index wallet_logs_actor on ledger.wallet_logs (actor_id, created_at);
create index suspicious_user on ledger.wallet_suspicious_activities (user_id, created_at);
create index fraud_user on ledger.fraud_detection_logs (user_id, created_at);
alter table ledger.wallet_logs enable row level security;
alter table ledger.wallet_suspicious_activities enable row level security;
alter table ledger.fraud_detection_logs enable row level security;
create policy wallet_logs_own on ledger.wallet_logs for select to authenticated using (actor_id = (select auth.uid()));
select core.make_append_only(t), core.make_partitions(t, 12) from unnest(array['ledger.wallet_logs',
    'ledger.wallet_suspicious_activities', 'ledger.fraud_detection_logs']::regclass[]) t;
grant select on ledger.wallet_logs to authenticated;
create view api.wallet_logs with (security_invoker = true) as
    select id, operation, currency, amount, outcome, request_id, created_at from ledger.wallet_logs;
grant select on api.wallet_logs to authenticated;

-- ---------------------------------------------------------------------------------------------------------------- fees

create function ledger.fee(operation text, currency text, amount bigint) returns bigint language plpgsql stable set search_path = '' as $$
declare
    rule ledger.wallet_fees;
    due bigint;
begin
    select * into rule from ledger.wallet_fees f
     where f.operation = fee.operation and f.is_active and (f.currency = fee.currency or f.currency is null)
     order by f.currency nulls last limit 1;
    if not found then
        raise exception 'no fee rule for % in %', operation, currency;
    end if;
    due := case rule.fee_type when 'bps' then core.bps(amount, rule.fee_value::integer) else rule.fee_value end;
    return least(greatest(due, rule.min_fee), coalesce(rule.max_fee, due + rule.min_fee));
end $$;
comment on function ledger.fee is 'On top of amount, minor units, rounded once; contracts/wallet: money configuration.';

-- --------------------------------------------------------------------------------------------------------------- guard

create function ledger.log(actor uuid, operation text, currency text, amount bigint, outcome text)
    returns void language sql set search_path = '' as $$
    insert into ledger.wallet_logs (actor_id, operation, currency, amount, outcome, request_id)
    values (actor, operation, currency, amount, outcome, core.request_id())
$$;

create function ledger.refusal(code text, status integer, message text, details jsonb default null, hint text default null)
    returns jsonb language sql set search_path = '' as $$
    -- Returned, not raised: the trace that goes with it must be committed.
    select core.answer(jsonb_build_object('code', code, 'message', message, 'details', details, 'hint', hint), status)
$$;

create function ledger.risks(currency text, keys text[]) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    found jsonb;
begin
    select jsonb_object_agg(r.key, r.value) into found from ledger.risk_rules r
     where r.key = any (keys) and r.currency = risks.currency having count(*) = cardinality(keys);
    if found is null then
        perform core.refuse('DEPENDENCY_UNAVAILABLE', 503, 'this operation cannot be checked in this currency');
    end if;
    return found;
end $$;
comment on function ledger.risks is
    'Thresholds by key, in one query. A row too few: the operation is refused, so a missing rule never lets money out.';

create function ledger.risk(key text, currency text) returns bigint language sql stable set search_path = '' as $$
    select (ledger.risks(currency, array[key]) ->> key)::bigint
$$;

create function ledger.within_limits(wallet ledger.wallets, amount bigint) returns boolean
    language plpgsql stable set search_path = '' as $$
declare
    today date := (now() at time zone 'UTC')::date;
    limits ledger.wallet_limits;
    -- Not before today: who waited for the lock over midnight counts into the day that has begun.
    day bigint := case when wallet.spent_on >= today then wallet.spent_today else 0 end;
    month bigint := case when wallet.spent_on >= date_trunc('month', today)::date then wallet.spent_month else 0 end;
begin
    select * into limits from ledger.wallet_limits l where l.currency = wallet.currency;
    return day + amount <= coalesce(wallet.daily_limit, limits.default_daily)
       and month + amount <= coalesce(wallet.monthly_limit, limits.default_monthly);
end $$;

create function ledger.suspicion(wallet ledger.wallets, amount bigint, day_count bigint, day_total bigint)
    returns boolean language plpgsql set search_path = '' as $$
declare
    rules jsonb := ledger.risks(wallet.currency, '{suspicious_total,suspicious_amount,suspicious_count}');
    critical boolean := day_total + amount > (rules ->> 'suspicious_total')::bigint;
    large boolean := amount > (rules ->> 'suspicious_amount')::bigint;
    frequent boolean := day_count + 1 > (rules ->> 'suspicious_count')::bigint;
begin
    if critical or large or frequent then
        insert into ledger.wallet_suspicious_activities (wallet_id, user_id, activity_type, severity, metadata)
        values (wallet.id, wallet.user_id, case when critical then 'daily_total' when large then 'large_amount' else 'frequent' end,
            case when critical then 'critical' when large then 'high' else 'medium' end,
            jsonb_build_object('amount', amount, 'day_total', day_total + amount));
    end if;
    if critical then
        update ledger.wallets w set status = 'blocked', blocked_reason = 'suspicious daily total', blocked_at = now()
         where w.id = wallet.id;
        perform core.outbox_add('alert', jsonb_build_object('type', 'wallet_blocked', 'wallet_id', wallet.id),
            'wallet_blocked:' || wallet.id || ':' || now());
    end if;
    return critical;
end $$;
comment on function ledger.suspicion is 'Records the highest severity; true when the wallet was blocked by it.';

-- The score of step 6, ledger.fraud_decision, comes with fraud-detection: one table of factors for both.

create function ledger.guard(owner uuid, currency text, amount bigint, fee bigint, receiver_wallet uuid, operation text)
    returns jsonb language plpgsql set search_path = '' as $$
declare
    wallet ledger.wallets;
    limits ledger.wallet_limits;
    recent record;
    verdict text;
begin
    select * into wallet from ledger.wallets w where w.user_id = owner and w.currency = guard.currency for update;
    if wallet.status <> 'active' then
        perform ledger.log(owner, operation, currency, amount, 'WALLET_BLOCKED');
        return ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
    end if;
    select * into limits from ledger.wallet_limits l where l.currency = guard.currency;
    if wallet.id is null or limits is null or amount not between limits.min_operation and limits.max_operation then
        perform ledger.log(owner, operation, currency, amount, 'AMOUNT_OUT_OF_RANGE');
        return ledger.refusal('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move',
            jsonb_build_object('min', limits.min_operation, 'max', limits.max_operation));
    end if;
    if operation in ('transfer', 'withdrawal') and amount % limits.step <> 0 then
        perform ledger.log(owner, operation, currency, amount, 'AMOUNT_NOT_SUPPORTED');
        return ledger.refusal('AMOUNT_NOT_SUPPORTED', 400, 'the amount is no multiple of the smallest step',
            jsonb_build_object('step', limits.step));
    end if;
    if operation in ('transfer', 'withdrawal') and not ledger.within_limits(wallet, amount) then
        perform ledger.log(owner, operation, currency, amount, 'LIMIT_EXCEEDED');
        return ledger.refusal('LIMIT_EXCEEDED', 403, 'the daily or monthly limit of this wallet is reached');
    end if;
    if wallet.balance < amount + fee then
        perform ledger.log(owner, operation, currency, amount, 'INSUFFICIENT_FUNDS');
        return ledger.refusal('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
    end if;
    select count(*) as day_count, coalesce(sum(t.amount), 0)::bigint as day_total,
           count(*) filter (where t.created_at > now() - interval '1 hour') as hour_count,
           coalesce(sum(t.amount) filter (where t.created_at > now() - interval '1 hour'), 0)::bigint as hour_total
      into recent from ledger.transactions t
     where t.sender_wallet_id = wallet.id and t.created_at > now() - interval '24 hours';
    if ledger.suspicion(wallet, amount, recent.day_count, recent.day_total) then
        perform ledger.log(owner, operation, currency, amount, 'WALLET_BLOCKED');
        return ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
    end if;
    verdict := ledger.fraud_decision(wallet, amount, receiver_wallet, recent.hour_count, recent.hour_total);
    if verdict = 'block' then
        perform ledger.log(owner, operation, currency, amount, 'FRAUD_BLOCKED');
        return ledger.refusal('FRAUD_BLOCKED', 403, 'this operation was refused');
    elsif verdict = 'mfa' and core.claim('aal') is distinct from 'aal2' then
        perform ledger.log(owner, operation, currency, amount, 'MFA_REQUIRED');
        return ledger.refusal('MFA_REQUIRED', 403, 'confirm with a second factor', null,
            'repeat with the same key after the second factor');
    end if;
    perform ledger.log(owner, operation, currency, amount, 'ok');
    return null;
end $$;
comment on function ledger.guard is
    'Steps 1 to 6 of the guard chain, in order, under the wallet''s lock. Null: go on. Else the refusal to RETURN as the
     answer, so that its log, block and score are committed while no money moves.';

revoke execute on all functions in schema ledger from public;
