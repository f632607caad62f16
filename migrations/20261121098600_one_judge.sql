-- The guard reads once: thresholds, limits and history in one query, and each rule stands in one function that reads nothing.
-- Why:       six queries and as many calls stood between a wallet's lock and the answer; whoever pays that wallet waits meanwhile.
-- Locks:     none.
-- Old code:  keeps working; order of the checks, refusals, codes, texts and traces are those of before.
-- Undo:      create the replaced functions as their own migrations do; drop type ledger.verdict cascade; drop function
--            ledger.severity, ledger.cannot_check, ledger.fits_limits.

-- ---------------------------------------------------------------------------------------------------- rules, without reading

create type ledger.verdict as (refused jsonb, score integer, level text, flags text[], decision text);

create function ledger.cannot_check() returns void language plpgsql set search_path = '' as $$
begin
    perform core.refuse('DEPENDENCY_UNAVAILABLE', 503, 'this operation cannot be checked in this currency');
end $$;

create or replace function ledger.risks(currency text, keys text[]) returns jsonb language plpgsql stable set search_path = '' as $$
declare
    found jsonb;
begin
    select jsonb_object_agg(r.key, r.value) into found from ledger.risk_rules r
     where r.key = any (keys) and r.currency = risks.currency having count(*) = cardinality(keys);
    if found is null then
        perform ledger.cannot_check();
    end if;
    return found;
end $$;

create function ledger.fits_limits(wallet ledger.wallets, amount bigint, limits ledger.wallet_limits) returns boolean
    language plpgsql stable set search_path = '' as $$
declare
    today date := (now() at time zone 'UTC')::date;
begin
    -- Not before today: who waited for the lock over midnight counts into the day that has begun.
    return case when wallet.spent_on >= today then wallet.spent_today else 0 end + amount
            <= coalesce(wallet.daily_limit, limits.default_daily)
       and case when wallet.spent_on >= date_trunc('month', today)::date then wallet.spent_month else 0 end + amount
            <= coalesce(wallet.monthly_limit, limits.default_monthly);
end $$;

create or replace function ledger.within_limits(wallet ledger.wallets, amount bigint) returns boolean
    language plpgsql stable set search_path = '' as $$
declare
    limits ledger.wallet_limits;
begin
    select * into limits from ledger.wallet_limits l where l.currency = wallet.currency;
    return ledger.fits_limits(wallet, amount, limits);
end $$;

create function ledger.severity(amount bigint, day_count bigint, day_total bigint, rules jsonb) returns text
    language plpgsql stable set search_path = '' as $$
begin
    if not coalesce(rules ?& '{suspicious_total,suspicious_amount,suspicious_count}', false) then
        perform ledger.cannot_check();
    end if;
    return case when day_total + amount > (rules ->> 'suspicious_total')::bigint then 'critical'
                when amount > (rules ->> 'suspicious_amount')::bigint then 'high'
                when day_count + 1 > (rules ->> 'suspicious_count')::bigint then 'medium' end;
end $$;
comment on function ledger.severity is 'Of an operation after this many and this much within 24 hours; null: nothing to record.';

create or replace function ledger.suspicion(wallet ledger.wallets, amount bigint, day_count bigint, day_total bigint)
    returns boolean language plpgsql set search_path = '' as $$
declare
    severity text := ledger.severity(amount, day_count, day_total,
        ledger.risks(wallet.currency, '{suspicious_total,suspicious_amount,suspicious_count}'));
begin
    if severity is not null then
        insert into ledger.wallet_suspicious_activities (wallet_id, user_id, activity_type, severity, metadata)
        values (wallet.id, wallet.user_id,
            case severity when 'critical' then 'daily_total' when 'high' then 'large_amount' else 'frequent' end,
            severity, jsonb_build_object('amount', amount, 'day_total', day_total + amount));
    end if;
    if severity = 'critical' then
        update ledger.wallets w set status = 'blocked', blocked_reason = 'suspicious daily total', blocked_at = now()
         where w.id = wallet.id;
        perform core.outbox_add('alert', jsonb_build_object('type', 'wallet_blocked', 'wallet_id', wallet.id),
            'wallet_blocked:' || wallet.id || ':' || now());
    end if;
    return coalesce(severity = 'critical', false);
end $$;

create function ledger.score(balance bigint, amount bigint, new_recipient boolean, hour_count bigint, hour_total bigint,
    failed_logins bigint, rules jsonb) returns ledger.verdict language plpgsql stable set search_path = '' as $$
declare
    verdict ledger.verdict;
    points bigint := 0;
begin
    if not coalesce(rules ?& '{high_amount,elevated_amount,high_frequency,elevated_frequency,high_volume,failed_logins,
        block_score,mfa_score,watch_score,mfa_amount}', false) then
        perform ledger.cannot_check();
    end if;
    verdict.flags := array_remove(array[   -- Within a line only the higher applies.
        case when amount > (rules ->> 'high_amount')::bigint then 'high_amount'
             when amount > (rules ->> 'elevated_amount')::bigint then 'elevated_amount' end,
        case when hour_count + 1 > (rules ->> 'high_frequency')::bigint then 'high_frequency'
             when hour_count + 1 > (rules ->> 'elevated_frequency')::bigint then 'elevated_frequency' end,
        case when hour_total + amount > (rules ->> 'high_volume')::bigint then 'high_volume' end,
        case when new_recipient then 'new_recipient' end,
        case when failed_logins > (rules ->> 'failed_logins')::bigint then 'failed_logins' end,
        case when amount * 10 > balance * 9 then 'balance_drain' end], null);
    if verdict.flags <> '{}' then
        select sum(p.points) into points from (values ('high_amount', 30), ('elevated_amount', 15), ('high_frequency', 25),
            ('elevated_frequency', 10), ('high_volume', 40), ('new_recipient', 10), ('failed_logins', 20), ('balance_drain', 15))
            as p (flag, points) where p.flag = any (verdict.flags);
    end if;
    points := least(points, 100);
    verdict.score := points;
    verdict.decision := case
        when points >= (rules ->> 'block_score')::bigint then 'block'
        when points >= (rules ->> 'mfa_score')::bigint
          or (points >= (rules ->> 'watch_score')::bigint and amount > (rules ->> 'mfa_amount')::bigint) then 'mfa'
        else 'allow' end;
    verdict.level := case
        when verdict.decision = 'block' then 'critical' when points >= (rules ->> 'mfa_score')::bigint then 'high'
        when points >= (rules ->> 'watch_score')::bigint then 'medium' else 'low' end;
    return verdict;
end $$;
comment on function ledger.score is
    'The one table of factors (contracts/wallet, fraud-detection), of what was read before. A rule that is missing: 503.';

create or replace function ledger.fraud_score(wallet ledger.wallets, amount bigint, receiver_wallet uuid, new_recipient boolean,
    hour_count bigint, hour_total bigint) returns ledger.fraud_detection_logs language plpgsql set search_path = '' as $$
declare
    scored ledger.verdict;
    logged ledger.fraud_detection_logs;
begin
    scored := ledger.score(wallet.balance, amount, new_recipient, hour_count, hour_total,
        (select count(*) from people.failed_logins f where f.user_id = wallet.user_id and f.at > now() - interval '1 hour'),
        (select jsonb_object_agg(r.key, r.value) from ledger.risk_rules r where r.currency = wallet.currency));
    insert into ledger.fraud_detection_logs (user_id, recipient_id, amount, score, level, flags, decision, request_id)
    values (wallet.user_id, receiver_wallet, amount, scored.score, scored.level, scored.flags, scored.decision, core.request_id())
    returning * into logged;
    return logged;
end $$;
comment on function ledger.fraud_score is 'Scores and answers the row it logged: what ledger.judge would find now.';

-- --------------------------------------------------------------------------------------------------------------- guard

create function ledger.note(wallet ledger.wallets, amount bigint, receiver_wallet uuid, operation text, verdict ledger.verdict,
    outcome text) returns void language plpgsql set search_path = '' as $$
begin
    with scored as (
        insert into ledger.fraud_detection_logs (user_id, recipient_id, amount, score, level, flags, decision, request_id)
        values (wallet.user_id, receiver_wallet, amount, verdict.score, verdict.level, verdict.flags, verdict.decision,
            core.request_id())
    )
    insert into ledger.wallet_logs (actor_id, operation, currency, amount, outcome, request_id)
    values (wallet.user_id, operation, wallet.currency, amount, outcome, core.request_id());
end $$;
comment on function ledger.note is 'What stays of an operation that was scored, whatever became of it.';

create function ledger.judge(wallet ledger.wallets, amount bigint, fee bigint, receiver_wallet uuid, operation text)
    returns ledger.verdict language plpgsql set search_path = '' as $$
declare
    chosen boolean := operation in ('transfer', 'withdrawal');
    seen record;
    limits ledger.wallet_limits;
    verdict ledger.verdict;
begin
    -- The upper bound leaves out no line that is there: it keeps the planner out of the months to come.
    select (select l from ledger.wallet_limits l where l.currency = wallet.currency) as limits,
           (select jsonb_object_agg(r.key, r.value) from ledger.risk_rules r where r.currency = wallet.currency) as rules,
           receiver_wallet is not null and not exists (select from ledger.known_recipients k
               where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver_wallet) as new_recipient,
           (select count(*) from people.failed_logins f
             where f.user_id = wallet.user_id and f.at > now() - interval '1 hour') as failed_logins,
           count(*) as day_count, coalesce(sum(t.amount), 0)::bigint as day_total,
           count(*) filter (where t.created_at > now() - interval '1 hour') as hour_count,
           coalesce(sum(t.amount) filter (where t.created_at > now() - interval '1 hour'), 0)::bigint as hour_total
      into seen from ledger.transactions t
     where t.sender_wallet_id = wallet.id and t.created_at > now() - interval '24 hours' and t.created_at < now() + interval '1 day';
    limits := seen.limits;
    if wallet.status <> 'active' then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
    elsif wallet.id is null or limits.currency is null or amount not between limits.min_operation and limits.max_operation then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_OUT_OF_RANGE');
        verdict.refused := ledger.refusal('AMOUNT_OUT_OF_RANGE', 400, 'the amount is outside what one operation may move',
            jsonb_build_object('min', limits.min_operation, 'max', limits.max_operation));
    elsif chosen and amount % limits.step <> 0 then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'AMOUNT_NOT_SUPPORTED');
        verdict.refused := ledger.refusal('AMOUNT_NOT_SUPPORTED', 400, 'the amount is no multiple of the smallest step',
            jsonb_build_object('step', limits.step));
    elsif chosen and not ledger.fits_limits(wallet, amount, limits) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'LIMIT_EXCEEDED');
        verdict.refused := ledger.refusal('LIMIT_EXCEEDED', 403, 'the daily or monthly limit of this wallet is reached');
    elsif wallet.balance < amount + fee then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'INSUFFICIENT_FUNDS');
        verdict.refused := ledger.refusal('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
    elsif ledger.severity(amount, seen.day_count, seen.day_total, seen.rules) is not null
        and ledger.suspicion(wallet, amount, seen.day_count, seen.day_total) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
    else
        verdict := ledger.score(wallet.balance, amount, seen.new_recipient, seen.hour_count, seen.hour_total, seen.failed_logins, seen.rules);
        if verdict.decision = 'block' then
            perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'FRAUD_BLOCKED');
            verdict.refused := ledger.refusal('FRAUD_BLOCKED', 403, 'this operation was refused');
        elsif verdict.decision = 'mfa' and core.claim('aal') is distinct from 'aal2' then
            perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'MFA_REQUIRED');
            verdict.refused := ledger.refusal('MFA_REQUIRED', 403, 'confirm with a second factor', null,
                'repeat with the same key after the second factor');
        end if;
    end if;
    return verdict;
end $$;
comment on function ledger.judge is
    'Steps 1 to 6 of the guard chain, in order, of a wallet whose lock the caller holds. Refused: the answer to RETURN, so that its
     log, block and score are committed while no money moves. Else go on, and write what ledger.note would with outcome ok.';

create or replace function ledger.guard(owner uuid, currency text, amount bigint, fee bigint, receiver_wallet uuid, operation text)
    returns jsonb language plpgsql set search_path = '' as $$
declare
    wallet ledger.wallets;
    verdict ledger.verdict;
begin
    select * into wallet from ledger.wallets w where w.user_id = owner and w.currency = guard.currency for update;
    if not found then
        wallet.user_id := owner;
        wallet.currency := currency;
    end if;
    verdict := ledger.judge(wallet, amount, fee, receiver_wallet, operation);
    if verdict.refused is null then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'ok');
    end if;
    return verdict.refused;
end $$;

revoke execute on all functions in schema ledger from public;
