-- A key and a judgement ask less of other functions.
-- Why:       a call of a small function, with its settings, costs as much as ten comparisons. A repeated key asked two of them, the judge
--            one for each thing that it wanted to know.
-- Locks:     none.
-- Old code:  keeps working; answers, refusals, codes and traces are those of before.
-- Undo:      create the functions as 20261121098500_cheaper_steps.sql and 20261121098600_one_judge.sql do.

-- ------------------------------------------------------------------------------------------------------------- same key, once

create or replace function core.replay(fn text, ask jsonb) returns jsonb language plpgsql set search_path = '' as $$
declare
    wanted text := ask ->> 'idempotency_key';
    asker uuid;
    stored core.idempotency_keys;
begin
    if wanted is null then
        return null;
    elsif length(wanted) not between 8 and 255 or wanted ~ '[^!-~]' then
        perform core.idempotency_key(ask);   -- Says no.
    end if;
    asker := auth.uid();
    if not pg_try_advisory_xact_lock(hashtextextended(asker || ':' || fn || ':' || wanted, 0)) then
        perform core.lock_key(asker || ':' || fn || ':' || wanted);   -- Says no, unless the other one has just ended.
    end if;
    select * into stored from core.idempotency_keys k where k.caller = asker and k.function = fn and k.key = wanted;
    if not found then
        return null;
    end if;
    if stored.fingerprint <> core.fingerprint(ask) then
        perform core.refuse('IDEMPOTENCY_MISMATCH', 422, 'this key was used for another request');
    end if;
    perform set_config('response.headers', '[{"Idempotent-Replayed": "true"}]', true);
    return core.answer(stored.body, stored.status);
end $$;

-- --------------------------------------------------------------------------------------------------------------- guard

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
    elsif chosen and not ledger.fits_limits(wallet, amount, terms) then
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
