-- Who is far from every line is judged at one look.
-- Why:       a limit or a score of somebody far from it cost as much as of somebody at it.
-- Locks:     none.
-- Old code:  keeps working; verdicts, refusals, codes and traces are those of before.
-- Undo:      create ledger.score as 20261121098600_one_judge.sql does, and ledger.judge as 20261122000200_fewer_calls.sql does.

create or replace function ledger.score(balance bigint, amount bigint, new_recipient boolean, hour_count bigint, hour_total bigint,
    failed_logins bigint, terms ledger.terms) returns ledger.verdict language plpgsql stable set search_path = '' as $$
declare
    verdict ledger.verdict;
    flags text[] := '{}';
    points integer := 0;
begin
    -- Nothing below applies, as for nearly everybody: one look instead of a dozen.
    if not new_recipient and amount <= terms.elevated_amount and amount <= terms.high_amount and hour_count < terms.elevated_frequency
        and hour_count < terms.high_frequency and hour_total + amount <= terms.high_volume and failed_logins <= terms.failed_logins
        and amount * 10 <= balance * 9 and terms.block_score > 0 and terms.mfa_score > 0 and terms.watch_score > 0
        and terms.mfa_amount is not null then
        return row(null, 0, 'low', '{}'::text[], 'allow', false)::ledger.verdict;
    end if;
    if num_nulls(terms.high_amount, terms.elevated_amount, terms.high_frequency, terms.elevated_frequency, terms.high_volume,
            terms.failed_logins, terms.block_score, terms.mfa_score, terms.watch_score, terms.mfa_amount) > 0 then
        perform ledger.cannot_check();
    end if;
    if amount > terms.high_amount then   -- Within a line only the higher applies.
        flags := flags || 'high_amount'::text; points := points + 30;
    elsif amount > terms.elevated_amount then
        flags := flags || 'elevated_amount'::text; points := points + 15;
    end if;
    if hour_count + 1 > terms.high_frequency then
        flags := flags || 'high_frequency'::text; points := points + 25;
    elsif hour_count + 1 > terms.elevated_frequency then
        flags := flags || 'elevated_frequency'::text; points := points + 10;
    end if;
    if hour_total + amount > terms.high_volume then
        flags := flags || 'high_volume'::text; points := points + 40;
    end if;
    if new_recipient then
        flags := flags || 'new_recipient'::text; points := points + 10;
    end if;
    if failed_logins > terms.failed_logins then
        flags := flags || 'failed_logins'::text; points := points + 20;
    end if;
    if amount * 10 > balance * 9 then
        flags := flags || 'balance_drain'::text; points := points + 15;
    end if;
    points := least(points, 100);
    verdict := row(null, points, null, flags, case
        when points >= terms.block_score then 'block'
        when points >= terms.mfa_score or (points >= terms.watch_score and amount > terms.mfa_amount) then 'mfa'
        else 'allow' end, new_recipient);
    verdict.level := case
        when verdict.decision = 'block' then 'critical' when points >= terms.mfa_score then 'high'
        when points >= terms.watch_score then 'medium' else 'low' end;
    return verdict;
end $$;

create or replace function ledger.judge(wallet ledger.wallets, amount bigint, fee bigint, receiver_wallet uuid, operation text, terms ledger.terms)
    returns ledger.verdict language plpgsql set search_path = ''
    set plan_cache_mode = force_generic_plan set enable_sort = off as $$
declare
    chosen boolean := operation in ('transfer', 'withdrawal');
    new_recipient boolean;
    failed_logins bigint;
    first_at timestamptz;
    until_then bigint;
    day_count bigint;
    day_total bigint;
    verdict ledger.verdict;
begin
    if wallet.status <> 'active' then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
        return verdict;
    elsif wallet.id is null or terms.min_operation is null or amount not between terms.min_operation and terms.max_operation then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_OUT_OF_RANGE');
        verdict.refused := ledger.refusal('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move',
            jsonb_build_object('min', terms.min_operation, 'max', terms.max_operation));
        return verdict;
    elsif chosen and amount % terms.step <> 0 then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_NOT_SUPPORTED');
        verdict.refused := ledger.refusal('AMOUNT_NOT_SUPPORTED', 400, 'the amount is no multiple of the smallest step',
            jsonb_build_object('step', terms.step));
        return verdict;
    elsif chosen
        -- What is counted of an earlier day or month can only be too much: who fits with it, fits.
        and (wallet.spent_today + amount <= coalesce(wallet.daily_limit, terms.default_daily)
            and wallet.spent_month + amount <= coalesce(wallet.monthly_limit, terms.default_monthly)) is not true
        and not ledger.fits_limits(wallet, amount, terms) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'LIMIT_EXCEEDED');
        verdict.refused := ledger.refusal('LIMIT_EXCEEDED', 403, 'the daily or monthly limit of this wallet is reached');
        return verdict;
    elsif wallet.balance < amount + fee then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'INSUFFICIENT_FUNDS');
        verdict.refused := ledger.refusal('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
        return verdict;
    end if;
    -- Under the lock, and after all that needs no history. The line with which the day began is what ledger.sent_since reads, in the
    -- order of the index as there: this is why nothing is sorted here.
    select receiver_wallet is not null and not exists (select from ledger.known_recipients k
               where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver_wallet),
           (select count(*) from people.failed_logins f where f.user_id = wallet.user_id and f.at > now() - interval '1 hour'),
           d.created_at, d.sent_count - 1, coalesce(wallet.sent_count - (d.sent_count - 1), 0),
           coalesce(wallet.sent_total - (d.sent_total - d.amount), 0)
      into new_recipient, failed_logins, first_at, until_then, day_count, day_total
      from (select) one
      left join lateral (select t.created_at, t.sent_count, t.sent_total, t.amount from ledger.transactions t
               where t.sender_wallet_id = wallet.id and t.created_at > now() - interval '24 hours' and t.created_at < now() + interval '1 day'
               order by t.created_at limit 1) d on true;
    if first_at is not null and until_then is null then   -- From before there was a count.
        select s.count, s.total into day_count, day_total from ledger.sent_since(wallet, '24 hours') s;
    end if;
    -- Asked by name only when something is over its line, or has none.
    if (day_total + amount <= terms.suspicious_total and amount <= terms.suspicious_amount and day_count + 1 <= terms.suspicious_count) is not true
        and ledger.severity(amount, day_count, day_total, terms) is not null and ledger.suspicion(wallet, amount, day_count, day_total) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
        return verdict;
    end if;
    if first_at <= now() - interval '1 hour' then   -- Otherwise the day's are the hour's.
        -- An hour has no more than its day: where the day is not much for an hour, the score is the same.
        if (day_count < terms.elevated_frequency and day_count < terms.high_frequency
            and day_total + amount <= terms.high_volume) is not true then
            select h.count, h.total into day_count, day_total from ledger.sent_since(wallet, '1 hour') h;
        end if;
    end if;
    verdict := ledger.score(wallet.balance, amount, new_recipient, day_count, day_total, failed_logins, terms);
    if verdict.decision = 'block' then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'FRAUD_BLOCKED');
        verdict.refused := ledger.refusal('FRAUD_BLOCKED', 403, 'this operation was refused');
    elsif verdict.decision = 'mfa' and core.claim('aal') is distinct from 'aal2' then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'MFA_REQUIRED');
        verdict.refused := ledger.refusal('MFA_REQUIRED', 403, 'confirm with a second factor', null,
            'repeat with the same key after the second factor');
    end if;
    return verdict;
end $$;
