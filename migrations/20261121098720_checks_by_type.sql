-- Checks by type: what a column may hold is said by its domain, which a session reads once; a check is read again by every command.
-- Why:       the 18 checks on the tables that a posting writes were parsed from their text on each insert and update: a sixth of
--            what a transfer cost Postgres. The rules and their SQLSTATE are the same.
-- Locks:     the six tables, exclusively, while their rows are read once to validate. No table is written anew: a domain takes the
--            column while it has no rule yet, and gets its rule afterwards.
-- Old code:  keeps working; the views show the columns and values they showed before.
-- Undo:      alter each column back to text, bigint or integer; drop the domains; add the checks as their own migrations do.

-- squawk-ignore-file changing-column-type, ban-alter-domain-with-add-constraint, constraint-missing-not-valid, ban-drop-column

create domain ledger.transaction_type as text;
create domain ledger.positive as bigint;
create domain ledger.not_negative as bigint;
create domain ledger.balance as bigint;
create domain ledger.movement as bigint;
create domain ledger.remark as text;
create domain ledger.wallet_status as text;
create domain ledger.risk_score as integer;
create domain ledger.risk_level as text;
create domain ledger.risk_decision as text;
create domain core.outbox_channel as text;
create domain core.outbox_status as text;

drop view api.wallets, api.wallet_history;

alter table ledger.transactions alter column type type ledger.transaction_type, alter column amount type ledger.positive,
    alter column fee type ledger.not_negative, alter column description type ledger.remark,
    drop constraint transactions_type_check, drop constraint transactions_amount_check, drop constraint transactions_fee_check,
    drop constraint transactions_description_check;
alter table ledger.entries alter column amount type ledger.movement,
    drop constraint entry_moves_something, drop constraint entry_in_range;
alter table ledger.wallets alter column balance type ledger.balance, alter column status type ledger.wallet_status,
    alter column daily_limit type ledger.not_negative, alter column monthly_limit type ledger.not_negative,
    alter column spent_today type ledger.not_negative, alter column spent_month type ledger.not_negative,
    drop constraint wallet_floor, drop constraint wallets_status_check, drop constraint wallets_daily_limit_check,
    drop constraint wallets_monthly_limit_check, drop constraint wallets_spent_today_check, drop constraint wallets_spent_month_check;
alter table ledger.fraud_detection_logs alter column score type ledger.risk_score, alter column level type ledger.risk_level,
    alter column decision type ledger.risk_decision, drop constraint fraud_detection_logs_score_check,
    drop constraint fraud_detection_logs_level_check, drop constraint fraud_detection_logs_decision_check;
alter table core.outbox alter column channel type core.outbox_channel, alter column status type core.outbox_status,
    drop constraint outbox_channel_check, drop constraint outbox_status_check;

alter domain ledger.transaction_type add constraint transaction_type_known check (value in ('deposit', 'transfer', 'withdrawal',
    'withdrawal_returned', 'withdrawal_completed', 'ride_payment', 'ride_distribution', 'ride_refund', 'dues_settlement',
    'plan_purchase', 'surplus', 'suspense', 'suspense_release', 'refund', 'refund_returned', 'chargeback', 'chargeback_reversed',
    'loss', 'escrow_hold', 'escrow_release', 'escrow_refund', 'subscription', 'adjustment'));
alter domain ledger.positive add constraint above_zero check (value > 0);
alter domain ledger.not_negative add constraint not_below_zero check (value >= 0);
alter domain ledger.balance add constraint wallet_floor check (value between 0 and 9007199254740991);
alter domain ledger.movement add constraint entry_moves_something
    check (value <> 0 and value between -9007199254740991 and 9007199254740991);
alter domain ledger.remark add constraint remark_is_short check (length(value) <= 200);
alter domain ledger.wallet_status add constraint wallet_status_known check (value in ('active', 'blocked', 'closed'));
alter domain ledger.risk_score add constraint risk_score_is_a_percentage check (value between 0 and 100);
alter domain ledger.risk_level add constraint risk_level_known check (value in ('low', 'medium', 'high', 'critical'));
alter domain ledger.risk_decision add constraint risk_decision_known check (value in ('allow', 'mfa', 'block'));
alter domain core.outbox_channel add constraint outbox_channel_known
    check (value in ('email', 'sms', 'push', 'webhook', 'job', 'alert'));
alter domain core.outbox_status add constraint outbox_status_known
    check (value in ('pending', 'sending', 'sent', 'failed', 'dead'));

create view api.wallets with (security_invoker = true) as
    select id, user_id, currency, balance, status, daily_limit, monthly_limit, created_at from ledger.wallets;
create view api.wallet_history with (security_invoker = true) as
    select e.transaction_id as id, e.account_id as wallet_id, t.type::text as type, e.amount::bigint as amount, e.balance_after,
           e.currency, t.fee::bigint as fee, t.description::text as description, t.reference_type, t.reference_id, e.created_at
      from ledger.entries e join ledger.transactions t on t.created_at = e.created_at and t.id = e.transaction_id
     where e.user_id is not null;
comment on view api.wallet_history is
    'A caller''s own lines, signed. Page with order=created_at.desc,id.desc and the last row''s (created_at, id).';
grant select on api.wallets, api.wallet_history to authenticated;
