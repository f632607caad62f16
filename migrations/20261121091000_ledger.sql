-- The double-entry ledger: accounts, wallets with a floor, transactions, append-only entries, one posting function.
-- Why:       a balance is never set; it only changes by posting lines that sum to zero.
-- Locks:     ledger.post locks wallets in ascending id, so opposite transfers cannot deadlock; accounts without a
--            floor (fees, clearing, suspense) are never locked, so a hot one does not serialise the system.
-- Old code:  nothing earlier exists.
-- Undo:      drop schema ledger cascade; drop view api.wallets, api.wallet_history;

create schema ledger;
grant usage on schema ledger to anon, authenticated, service_role;

create table ledger.accounts (
    id         uuid primary key default gen_random_uuid(),
    kind       text not null check (kind in ('user_wallet', 'store_balance', 'platform_fees', 'escrow', 'ride_clearing',
                   'payout_clearing', 'provider_clearing', 'suspense', 'losses')),
    currency   text not null references core.currencies (code),
    created_at timestamptz not null default now()
);
create unique index accounts_one_per_platform_kind on ledger.accounts (kind, currency)
    where kind not in ('user_wallet', 'store_balance');
create index accounts_currency on ledger.accounts (currency);
alter table ledger.accounts enable row level security;

create table ledger.wallets (
    id             uuid primary key references ledger.accounts (id),
    user_id        uuid not null references people.profiles (id),
    currency       text not null references core.currencies (code),
    balance        bigint not null default 0 constraint wallet_floor check (balance between 0 and 9007199254740991),
    status         text not null default 'active' check (status in ('active', 'blocked', 'closed')),
    blocked_reason text,
    blocked_at     timestamptz,
    blocked_by     uuid,
    daily_limit    bigint check (daily_limit >= 0),
    monthly_limit  bigint check (monthly_limit >= 0),
    spent_on       date not null default '-infinity',
    spent_today    bigint not null default 0 check (spent_today >= 0),
    spent_month    bigint not null default 0 check (spent_month >= 0),
    created_at     timestamptz not null default now(),
    unique (user_id, currency)
) with (fillfactor = 80);
comment on table ledger.wallets is 'id is also the account id. balance changes in ledger.post alone.';
comment on column ledger.wallets.daily_limit is 'Minor units; null = the default of ledger.wallet_limits.';
comment on column ledger.wallets.spent_on is
    'UTC day of the last transfer or withdrawal; spent_today and spent_month belong to its day and month. Written in
     ledger.post, read by ledger.within_limits.';
create index wallets_currency on ledger.wallets (currency);
alter table ledger.wallets enable row level security;
create policy wallets_own on ledger.wallets for select to authenticated using (user_id = (select auth.uid()));

create table ledger.transactions (
    id                 uuid not null default gen_random_uuid(),
    type               text not null check (type in ('deposit', 'transfer', 'withdrawal', 'withdrawal_returned',
                           'withdrawal_completed', 'ride_payment', 'ride_distribution', 'ride_refund', 'dues_settlement',
                           'plan_purchase', 'surplus', 'suspense', 'suspense_release', 'refund', 'refund_returned',
                           'chargeback', 'chargeback_reversed', 'loss', 'escrow_hold', 'escrow_release', 'escrow_refund',
                           'subscription', 'adjustment')),
    sender_wallet_id   uuid,
    receiver_wallet_id uuid,
    sender_user_id     uuid,
    receiver_user_id   uuid,
    amount             bigint not null check (amount > 0),
    fee                bigint not null default 0 check (fee >= 0),
    currency           text not null,
    reference_type     text,
    reference_id       text,
    description        text check (length(description) <= 200),
    initiator_id       uuid,
    request_id         text,
    created_at         timestamptz not null default now(),
    effective_at       timestamptz constraint effective_before_recorded check (effective_at <= created_at),
    primary key (created_at, id)
) partition by range (created_at);
comment on column ledger.transactions.effective_at is
    'When what a provider reports late really happened; null = when it was recorded. Decides nothing but
     ledger.balance_effective_at: balances, limits and seals go by created_at.';
comment on column ledger.transactions.fee is 'On top of amount, charged to the initiator, credited to platform_fees.';
-- The guard chain counts a sender's last day through this one.
create index transactions_sender on ledger.transactions (sender_wallet_id, created_at) where sender_wallet_id is not null;
alter table ledger.transactions enable row level security;
create policy transactions_own on ledger.transactions for select to authenticated
    using (sender_user_id = (select auth.uid()) or receiver_user_id = (select auth.uid()));

-- What may happen once in all time, whatever the partition: one deposit per payment, one distribution per ride.
create table ledger.references (
    reference_type text not null,
    reference_id   text not null,
    type           text not null,
    transaction_id uuid not null,
    constraint reference_once primary key (reference_type, reference_id, type)
);
alter table ledger.references enable row level security;

create table ledger.entries (
    created_at     timestamptz not null default now(),
    transaction_id uuid not null,
    leg            smallint not null,
    account_id     uuid not null,
    user_id        uuid,
    currency       text not null,
    amount         bigint not null constraint entry_moves_something check (amount <> 0)
                       constraint entry_in_range check (amount between -9007199254740991 and 9007199254740991),
    balance_after  bigint,
    primary key (created_at, transaction_id, leg)
) partition by range (created_at);
comment on table ledger.entries is
    'Signed, minor units: positive is a credit to the account. No foreign key to accounts: its share lock on a platform
     account would be the hot row we avoid; the trigger entries_balance looks them up instead, whoever inserts.';
comment on column ledger.entries.balance_after is 'Of a wallet; null for accounts that are not locked.';
create index entries_account on ledger.entries (account_id, created_at, transaction_id);
create index entries_user on ledger.entries (user_id, created_at, transaction_id) where user_id is not null;
alter table ledger.entries enable row level security;
create policy entries_own on ledger.entries for select to authenticated using (user_id = (select auth.uid()));

create function ledger.check_balanced() returns trigger language plpgsql set search_path = '' as $$
declare
    off record;
begin
    select f.transaction_id, f.currency, sum(f.amount) as total into off from fresh f
     group by f.transaction_id, f.currency
    having sum(f.amount) <> 0 or count(distinct f.account_id) <> count(*)
        or bool_or((select a.currency from ledger.accounts a where a.id = f.account_id) is distinct from f.currency) limit 1;
    if found and off.total <> 0 then
        raise exception 'transaction % does not balance in %: off by %', off.transaction_id, off.currency, off.total;
    elsif found then
        raise exception 'transaction %: every leg needs its own account in %', off.transaction_id, off.currency;
    end if;
    return null;
end $$;
-- Per statement: all legs of a transaction arrive in one insert, or none do. Each partition gets the same trigger below.
create trigger entries_balance after insert on ledger.entries
    referencing new table as fresh for each statement execute function ledger.check_balanced();

select core.make_append_only('ledger.transactions'), core.make_append_only('ledger.entries'),
       core.make_append_only('ledger.references');
select core.make_partitions('ledger.transactions', 12), core.make_partitions('ledger.entries', 12);

-- ------------------------------------------------------------------------------------------------------------ accounts

insert into ledger.accounts (kind, currency)
select k.kind, c.code from core.currencies c, unnest(array['platform_fees', 'escrow', 'ride_clearing', 'payout_clearing',
    'provider_clearing', 'suspense', 'losses']) as k (kind);

create function ledger.platform_account(kind text, currency text) returns uuid language plpgsql stable set search_path = '' as $$
declare
    found uuid;
begin
    select a.id into found from ledger.accounts a
     where a.kind = platform_account.kind and a.currency = platform_account.currency
       and a.kind not in ('user_wallet', 'store_balance');
    if found is null then
        raise exception 'no % account in %', kind, currency;
    end if;
    return found;
end $$;

create function ledger.wallet_for(owner uuid, currency text) returns uuid language plpgsql set search_path = '' as $$
declare
    found uuid;
begin
    select w.id into found from ledger.wallets w where w.user_id = owner and w.currency = wallet_for.currency;
    if found is not null then
        return found;
    end if;
    -- Two first uses at once: the second waits here, then sees the first one's row.
    perform pg_advisory_xact_lock(hashtextextended('wallet:' || owner || ':' || currency, 0));
    select w.id into found from ledger.wallets w where w.user_id = owner and w.currency = wallet_for.currency;
    if found is null then
        if not exists (select from core.currencies c where c.code = wallet_for.currency and c.is_active) then
            perform core.invalid('currency', 'is not a currency of ours');
        elsif not exists (select from people.profiles p where p.id = owner) then
            perform core.refuse('UNAUTHENTICATED', 401, 'this account does not exist');   -- Gone, its token still valid.
        end if;
        insert into ledger.accounts (kind, currency) values ('user_wallet', currency) returning id into found;
        insert into ledger.wallets (id, user_id, currency) values (found, owner, currency);
    end if;
    return found;
end $$;
comment on function ledger.wallet_for is 'The wallet of a user in a currency; made with balance 0 on first use.';

-- ------------------------------------------------------------------------------------------------------------- posting

create type ledger.leg as (account_id uuid, amount bigint);

create function ledger.lock_legs(type text, legs ledger.leg[], ids uuid[], out sender uuid, out sender_user uuid,
    out receiver uuid, out receiver_user uuid) language plpgsql set search_path = '' as $$
declare
    wallet record;
    first_debit bigint;
    first_credit bigint;
begin
    for wallet in
        select w.id, w.user_id, w.balance, w.status, l.amount, l.leg
          from ledger.wallets w join unnest(legs) with ordinality as l (account_id, amount, leg) on l.account_id = w.id
         where w.id = any (ids) order by w.id for update of w
    loop
        if wallet.status <> 'active' and wallet.amount < 0
            -- What a provider has taken back was the wallet's, blocked or not.
            and not (wallet.status = 'blocked' and type in ('chargeback', 'refund')) then
            perform core.refuse('WALLET_BLOCKED', 403, 'this wallet is blocked');
        elsif wallet.status <> 'active' and wallet.amount > 0 then
            perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
        elsif wallet.balance + wallet.amount < 0 then
            perform core.refuse('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
        elsif wallet.balance + wallet.amount > 9007199254740991 then
            perform core.refuse('RECIPIENT_UNAVAILABLE', 409, 'the recipient cannot receive money now');
        elsif wallet.amount < 0 and (first_debit is null or wallet.leg < first_debit) then
            sender := wallet.id; sender_user := wallet.user_id; first_debit := wallet.leg;
        elsif wallet.amount > 0 and (first_credit is null or wallet.leg < first_credit) then
            receiver := wallet.id; receiver_user := wallet.user_id; first_credit := wallet.leg;
        end if;
    end loop;
end $$;
comment on function ledger.lock_legs is
    'Locks the wallets among the legs, refuses what they cannot do, and names the first that gives and the first that gets.';

create function ledger.post(type text, currency text, legs ledger.leg[], reference_type text, reference_id text,
    amount bigint, fee bigint default 0, description text default null, effective_at timestamptz default null)
    returns uuid language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan as $$
declare
    tx uuid := gen_random_uuid();
    -- Given to each query beside the legs: with it they find the wallets by index, whatever the planner thinks of unnest.
    ids uuid[] := array(select l.account_id from unnest(legs) l);
    at timestamptz;
    today date := (now() at time zone 'UTC')::date;
    counted bigint := case when type in ('transfer', 'withdrawal') then amount else 0 end;
    party record;
begin
    if cardinality(ids) < 2 then
        raise exception 'posting %: money has a from and a to', type;
    end if;
    if reference_id is not null then
        -- A second time is a fault of ours, not the client's: reference_once ends the command, and nothing moves.
        insert into ledger.references (reference_type, reference_id, type, transaction_id)
        values (post.reference_type, post.reference_id, post.type, tx);
    end if;
    party := ledger.lock_legs(type, legs, ids);
    at := clock_timestamp();   -- Under the locks, so that a wallet's lines lie in the order of their balances.
    insert into ledger.transactions (id, type, sender_wallet_id, receiver_wallet_id, sender_user_id, receiver_user_id, amount,
        fee, currency, reference_type, reference_id, description, initiator_id, request_id, created_at, effective_at)
    values (tx, post.type, party.sender, party.receiver, party.sender_user, party.receiver_user, post.amount, post.fee,
        post.currency, post.reference_type, post.reference_id, post.description, auth.uid(), core.request_id(), at, post.effective_at);
    with moved as (
        -- Once per row: a second update in one transaction would check its foreign keys, and lock the currency's row.
        update ledger.wallets w set balance = w.balance + l.amount, spent_on = greatest(w.spent_on, l.today),
               spent_today = case when w.spent_on >= l.today then w.spent_today else 0 end + l.spent,
               spent_month = case when w.spent_on >= date_trunc('month', l.today)::date then w.spent_month else 0 end + l.spent
          from (select g.account_id, g.amount, case when g.amount < 0 then counted else 0 end as spent,
                       case when g.amount < 0 and counted > 0 then today else '-infinity' end as today from unnest(legs) g) l
         where l.account_id = w.id and w.id = any (ids) returning w.id, w.user_id, w.balance
    )
    insert into ledger.entries (created_at, transaction_id, leg, account_id, user_id, currency, amount, balance_after)
    select at, tx, l.leg, l.account_id, m.user_id, post.currency, l.amount, m.balance
      from unnest(legs) with ordinality as l (account_id, amount, leg) left join moved m on m.id = l.account_id;
    return tx;
end $$;
comment on function ledger.post is
    'The only way money moves: any number of legs, each its own account, that sum to zero. Locks wallets in id order, refuses
     what would go below zero or touch a blocked wallet, writes transaction, balances and all entries. A reference may be posted
     once per type, for ever. effective_at: when it really happened, for what is booked late.';

-- -------------------------------------------------------------------------------------------------------------- proof

create function ledger.check_books() returns jsonb language sql stable security definer set search_path = '' as $$
    with sums as (
        select e.currency, sum(e.amount)::bigint as sum, count(*) as entries from ledger.entries e group by e.currency
    ), held as (
        select e.account_id, sum(e.amount)::bigint as total from ledger.entries e where e.user_id is not null group by 1
    ), broken as (
        select w.id from ledger.wallets w left join held h on h.account_id = w.id where w.balance <> coalesce(h.total, 0)
    )
    select jsonb_build_object(
        'ok', not exists (select from sums where sum <> 0) and not exists (select from broken)
              and not exists (select from ledger.wallets where balance < 0),
        'currencies', coalesce((select jsonb_agg(jsonb_build_object('currency', currency, 'sum', sum, 'entries', entries)
                          order by currency) from sums), '[]'),
        'broken_balances', (select count(*) from broken),
        'wallets', (select count(*) from ledger.wallets))
$$;
comment on function ledger.check_books is
    'True when every currency sums to zero and every balance equals its entries; one statement, so one instant.';

-- ------------------------------------------------------------------------------------------------------------- reading

grant select on ledger.wallets, ledger.transactions, ledger.entries to authenticated;
create view api.wallets with (security_invoker = true) as
    select id, user_id, currency, balance, status, daily_limit, monthly_limit, created_at from ledger.wallets;
create view api.wallet_history with (security_invoker = true) as
    select e.transaction_id as id, e.account_id as wallet_id, t.type, e.amount, e.balance_after, e.currency, t.fee,
           t.description, t.reference_type, t.reference_id, e.created_at
      from ledger.entries e join ledger.transactions t on t.created_at = e.created_at and t.id = e.transaction_id
     where e.user_id is not null;
comment on view api.wallet_history is
    'A caller''s own lines, signed. Page with order=created_at.desc,id.desc and the last row''s (created_at, id).';
grant select on api.wallets, api.wallet_history to authenticated;

revoke execute on all functions in schema ledger from public;
grant execute on function ledger.check_books() to service_role;
