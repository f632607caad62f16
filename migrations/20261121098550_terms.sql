-- The terms of a currency in one row: fee, limits and thresholds of the tables that people edit, ready to be read at once; and what a
-- wallet has ever sent, so that what it sent within a day is a difference of two lines instead of a sum over all of them.
-- Why:       each transfer read 18 rows of three tables, built an object of them and took it apart; and its guard added up every
--            transfer of the last day, so that who pays often waited longer each time.
-- Locks:     adds empty columns to ledger.wallets and ledger.transactions: exclusive, for a moment.
-- Old code:  keeps working; it edits the same three tables, and triggers keep the row.
-- Undo:      drop the triggers called terms, function ledger.keep_terms(), table ledger.terms; drop the columns added here.

create table ledger.terms (
    currency           text primary key references core.currencies (code),
    min_operation      bigint,
    max_operation      bigint,
    default_daily      bigint,
    default_monthly    bigint,
    step               bigint,
    fee_type           text,
    fee_value          bigint,
    min_fee            bigint,
    max_fee            bigint,
    suspicious_amount  bigint,
    suspicious_count   bigint,
    suspicious_total   bigint,
    high_amount        bigint,
    elevated_amount    bigint,
    high_frequency     bigint,
    elevated_frequency bigint,
    high_volume        bigint,
    failed_logins      bigint,
    mfa_amount         bigint,
    block_score        bigint,
    mfa_score          bigint,
    watch_score        bigint
);
comment on table ledger.terms is
    'Written by ledger.keep_terms alone, from wallet_limits, wallet_fees (of a transfer) and risk_rules. Null: there is no such row.';
alter table ledger.terms enable row level security;

create function ledger.keep_terms() returns trigger language plpgsql security definer set search_path = '' as $$
begin
    -- Two who edit at once: the second one reads after the first one's commit, or his copy would lack the other's change.
    perform pg_advisory_xact_lock(hashtextextended('ledger.keep_terms', 0));
    insert into ledger.terms as t
    select c.code, l.min_operation, l.max_operation, l.default_daily, l.default_monthly, l.step, f.fee_type, f.fee_value, f.min_fee,
           f.max_fee, r.suspicious_amount, r.suspicious_count, r.suspicious_total, r.high_amount, r.elevated_amount,
           r.high_frequency, r.elevated_frequency, r.high_volume, r.failed_logins, r.mfa_amount, r.block_score, r.mfa_score, r.watch_score
      from core.currencies c
      left join ledger.wallet_limits l on l.currency = c.code
      left join lateral (select * from ledger.wallet_fees w where w.operation = 'transfer' and w.is_active
                            and (w.currency = c.code or w.currency is null) order by w.currency nulls last limit 1) f on true
      cross join lateral (
          select max(k.value) filter (where k.key = 'suspicious_amount') as suspicious_amount,
                 max(k.value) filter (where k.key = 'suspicious_count') as suspicious_count,
                 max(k.value) filter (where k.key = 'suspicious_total') as suspicious_total,
                 max(k.value) filter (where k.key = 'high_amount') as high_amount,
                 max(k.value) filter (where k.key = 'elevated_amount') as elevated_amount,
                 max(k.value) filter (where k.key = 'high_frequency') as high_frequency,
                 max(k.value) filter (where k.key = 'elevated_frequency') as elevated_frequency,
                 max(k.value) filter (where k.key = 'high_volume') as high_volume,
                 max(k.value) filter (where k.key = 'failed_logins') as failed_logins,
                 max(k.value) filter (where k.key = 'mfa_amount') as mfa_amount,
                 max(k.value) filter (where k.key = 'block_score') as block_score,
                 max(k.value) filter (where k.key = 'mfa_score') as mfa_score,
                 max(k.value) filter (where k.key = 'watch_score') as watch_score
            from ledger.risk_rules k where k.currency = c.code) r
        on conflict (currency) do update set (min_operation, max_operation, default_daily, default_monthly, step, fee_type, fee_value,
            min_fee, max_fee, suspicious_amount, suspicious_count, suspicious_total, high_amount, elevated_amount, high_frequency,
            elevated_frequency, high_volume, failed_logins, mfa_amount, block_score, mfa_score, watch_score)
          = row(excluded.min_operation, excluded.max_operation, excluded.default_daily, excluded.default_monthly, excluded.step,
            excluded.fee_type, excluded.fee_value, excluded.min_fee, excluded.max_fee, excluded.suspicious_amount,
            excluded.suspicious_count, excluded.suspicious_total, excluded.high_amount, excluded.elevated_amount,
            excluded.high_frequency, excluded.elevated_frequency, excluded.high_volume, excluded.failed_logins, excluded.mfa_amount,
            excluded.block_score, excluded.mfa_score, excluded.watch_score)
         where t is distinct from excluded;
    return null;
end $$;
create trigger terms after insert or update or delete or truncate on ledger.wallet_limits
    for each statement execute function ledger.keep_terms();
create trigger terms after insert or update or delete or truncate on ledger.wallet_fees
    for each statement execute function ledger.keep_terms();
create trigger terms after insert or update or delete or truncate on ledger.risk_rules
    for each statement execute function ledger.keep_terms();
create trigger terms after insert on core.currencies for each statement execute function ledger.keep_terms();
-- An edit that changes nothing makes the first row of each.
update ledger.wallet_limits set step = step where false;

-- ---------------------------------------------------------------------------------------------------------- running totals

alter table ledger.wallets add column sent_count bigint not null default 0, add column sent_total bigint not null default 0;
comment on column ledger.wallets.sent_count is
    'How many transactions ever named this wallet as their sender since these columns are there; sent_total: their amounts. Written in
     ledger.post, which copies both, as they then are, into the transaction.';
alter table ledger.transactions add column sent_count bigint, add column sent_total bigint;
comment on column ledger.transactions.sent_count is
    'Of the sender, up to and with this one. Null: no sender, or from before there was a count. No part of what is sealed: it can be
     counted again.';

create function ledger.sent_since(wallet ledger.wallets, since interval, out first_at timestamptz, out count bigint, out total bigint)
    language plpgsql stable set search_path = '' set plan_cache_mode = force_generic_plan set enable_sort = off as $$
declare
    until_then bigint;
begin
    -- The upper bound leaves out no line that is there: it keeps the planner out of the months to come. Without sorts the first
    -- line is the first of the index, whatever the planner thinks how many there are.
    select t.created_at, t.sent_count - 1, t.sent_total - t.amount into first_at, until_then, total from ledger.transactions t
     where t.sender_wallet_id = wallet.id and t.created_at > now() - since and t.created_at < now() + interval '1 day'
     order by t.created_at limit 1;
    if until_then is not null then
        count := wallet.sent_count - until_then;
        total := wallet.sent_total - total;
    elsif first_at is null then
        count := 0;
        total := 0;
    else   -- From before there was a count.
        select pg_catalog.count(*), sum(t.amount) into count, total from ledger.transactions t
         where t.sender_wallet_id = wallet.id and t.created_at > now() - since and t.created_at < now() + interval '1 day';
    end if;
end $$;
comment on function ledger.sent_since is
    'What this wallet sent within the last so long, of whatever kind, to the microsecond, by one line: that with which the time began.';

revoke execute on all functions in schema ledger from public;
