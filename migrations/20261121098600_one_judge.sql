-- The guard reads once: terms in one row, history in one query, and each rule stands in one function that reads nothing.
-- Why:       six queries and as many calls stood between a wallet's lock and the answer; whoever pays that wallet waits meanwhile.
-- Locks:     none.
-- Old code:  keeps working; order of the checks, refusals, codes, texts and traces are those of before.
-- Undo:      create the replaced functions as their own migrations do; drop type ledger.verdict cascade; drop function
--            ledger.severity, ledger.cannot_check, ledger.fits_limits.

-- ---------------------------------------------------------------------------------------------------- rules, without reading

create type ledger.verdict as (refused jsonb, score integer, level text, flags text[], decision text, new_recipient boolean);

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

create function ledger.fits_limits(wallet ledger.wallets, amount bigint, terms ledger.terms) returns boolean
    language plpgsql stable set search_path = '' as $$
declare
    today date := (now() at time zone 'UTC')::date;
begin
    -- Not before today: who waited for the lock over midnight counts into the day that has begun.
    return case when wallet.spent_on >= today then wallet.spent_today else 0 end + amount
            <= coalesce(wallet.daily_limit, terms.default_daily)
       and case when wallet.spent_on >= date_trunc('month', today)::date then wallet.spent_month else 0 end + amount
            <= coalesce(wallet.monthly_limit, terms.default_monthly);
end $$;

create or replace function ledger.within_limits(wallet ledger.wallets, amount bigint) returns boolean
    language plpgsql stable set search_path = '' as $$
declare
    terms ledger.terms;
begin
    select * into terms from ledger.terms t where t.currency = wallet.currency;
    return ledger.fits_limits(wallet, amount, terms);
end $$;

create function ledger.severity(amount bigint, day_count bigint, day_total bigint, terms ledger.terms) returns text
    language plpgsql stable set search_path = '' as $$
begin
    if num_nulls(terms.suspicious_total, terms.suspicious_amount, terms.suspicious_count) > 0 then
        perform ledger.cannot_check();
    end if;
    return case when day_total + amount > terms.suspicious_total then 'critical'
                when amount > terms.suspicious_amount then 'high'
                when day_count + 1 > terms.suspicious_count then 'medium' end;
end $$;
comment on function ledger.severity is 'Of an operation after this many and this much within 24 hours; null: nothing to record.';

create or replace function ledger.suspicion(wallet ledger.wallets, amount bigint, day_count bigint, day_total bigint)
    returns boolean language plpgsql set search_path = '' as $$
declare
    terms ledger.terms;
    severity text;
begin
    select * into terms from ledger.terms t where t.currency = wallet.currency;
    severity := ledger.severity(amount, day_count, day_total, terms);
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
    failed_logins bigint, terms ledger.terms) returns ledger.verdict language plpgsql stable set search_path = '' as $$
declare
    verdict ledger.verdict;
    flags text[] := '{}';
    points integer := 0;
begin
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
        (select t from ledger.terms t where t.currency = wallet.currency));
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

create function ledger.judge(wallet ledger.wallets, amount bigint, fee bigint, receiver_wallet uuid, operation text, terms ledger.terms)
    returns ledger.verdict language plpgsql set search_path = '' as $$
declare
    chosen boolean := operation in ('transfer', 'withdrawal');
    new_recipient boolean;
    failed_logins bigint;
    first_at timestamptz;
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
    elsif chosen and not ledger.fits_limits(wallet, amount, terms) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'LIMIT_EXCEEDED');
        verdict.refused := ledger.refusal('LIMIT_EXCEEDED', 403, 'the daily or monthly limit of this wallet is reached');
        return verdict;
    elsif wallet.balance < amount + fee then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'INSUFFICIENT_FUNDS');
        verdict.refused := ledger.refusal('INSUFFICIENT_FUNDS', 409, 'the balance is too low');
        return verdict;
    end if;
    -- Under the lock, and after all that needs no history.
    select receiver_wallet is not null and not exists (select from ledger.known_recipients k
               where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver_wallet),
           (select count(*) from people.failed_logins f where f.user_id = wallet.user_id and f.at > now() - interval '1 hour'),
           d.first_at, d.count, d.total
      into new_recipient, failed_logins, first_at, day_count, day_total from ledger.sent_since(wallet, '24 hours') d;
    if ledger.severity(amount, day_count, day_total, terms) is not null and ledger.suspicion(wallet, amount, day_count, day_total) then
        perform ledger.log(wallet.user_id, operation, wallet.currency, amount, 'WALLET_BLOCKED');
        verdict.refused := ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
        return verdict;
    end if;
    if first_at <= now() - interval '1 hour' then   -- Otherwise the day's are the hour's.
        select h.count, h.total into day_count, day_total from ledger.sent_since(wallet, '1 hour') h;
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
comment on function ledger.judge is
    'Steps 1 to 6 of the guard chain, in order, of a wallet whose lock the caller holds. Refused: the answer to RETURN, so that its
     log, block and score are committed while no money moves. Else go on, and write what ledger.note would with outcome ok.';

create or replace function ledger.guard(owner uuid, currency text, amount bigint, fee bigint, receiver_wallet uuid, operation text)
    returns jsonb language plpgsql set search_path = '' as $$
declare
    wallet ledger.wallets;
    terms ledger.terms;
    verdict ledger.verdict;
begin
    select * into terms from ledger.terms t where t.currency = guard.currency;
    select * into wallet from ledger.wallets w where w.user_id = owner and w.currency = guard.currency for update;
    if not found then
        wallet.user_id := owner;
        wallet.currency := currency;
    end if;
    verdict := ledger.judge(wallet, amount, fee, receiver_wallet, operation, terms);
    if verdict.refused is null then
        perform ledger.note(wallet, amount, receiver_wallet, operation, verdict, 'ok');
    end if;
    return verdict.refused;
end $$;

-- ------------------------------------------------------------------------------------------------------------- advice

create or replace function ledger.fraud_detection(ask jsonb) returns jsonb language plpgsql security definer set search_path = ''
    set plan_cache_mode = force_generic_plan as $$
declare
    owner uuid := ledger.scored_user(ask);
    amount bigint := core.amount_field(ask, 'amount');
    recipient uuid := core.uuid_field(ask, 'recipientId');
    cur text := coalesce(core.text_field(coalesce(ask -> 'metadata', '{}'), 'currency', 3, 3), 'GNF');
    wallet ledger.wallets;
    receiver uuid;
    recent record;
begin
    if amount is null or amount > 1000000000 then
        perform core.invalid('amount', 'must be an integer from 1 to 1000000000');
    elsif recipient is null then
        perform core.invalid('recipientId', 'is required');
    elsif core.text_field(ask, 'method', 1, 50) is null then
        perform core.invalid('method', 'is required');
    elsif not exists (select from core.currencies c where c.code = cur) then
        perform core.invalid('metadata.currency', 'is not a currency of ours');
    elsif not exists (select from people.profiles p where p.id = owner) then
        perform core.refuse('NOT_FOUND', 404, 'no such user');
    end if;
    select * into wallet from ledger.wallets w where w.user_id = owner and w.currency = cur;
    if not found then
        -- No wallet yet is an empty wallet; it is made when money moves, not when somebody asks.
        wallet.user_id := owner;
        wallet.currency := cur;
        wallet.balance := 0;
    end if;
    select w.id into receiver from ledger.wallets w where w.user_id = recipient and w.currency = cur;
    select h.count, h.total into recent from ledger.sent_since(wallet, '1 hour') h;
    return ledger.advice(ledger.fraud_score(wallet, amount, receiver, not exists (select from ledger.known_recipients k
        where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver), recent.count, recent.total));
end $$;

revoke execute on all functions in schema ledger from public;
