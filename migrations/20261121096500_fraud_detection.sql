-- fraud-detection: one score for the guard and for whoever asks beforehand; failed logins; suspicion of deposits.
-- Why:       advice that used other factors than the decision would be a guess.
-- Locks:     none on existing tables; ledger.suspect_deposit locks the wallet it may block.
-- Old code:  ledger.guard has called ledger.fraud_decision since it was made; now it is there.
-- Undo:      drop function api.fraud_detection(jsonb), the functions and the table created here.

create table people.failed_logins (
    id      bigint generated always as identity primary key,
    user_id uuid not null references people.profiles (id),
    at      timestamptz not null default now()
);
comment on table people.failed_logins is
    'Written by whoever checks passwords, which also removes a user''s rows older than a day; read by ledger.fraud_score.';
create index failed_logins_user on people.failed_logins (user_id, at);
alter table people.failed_logins enable row level security;

insert into ledger.risk_rules (key, currency, value) select distinct 'failed_logins', r.currency, 3 from ledger.risk_rules r;

create function ledger.fraud_score(wallet ledger.wallets, amount bigint, receiver_wallet uuid, new_recipient boolean,
    hour_count bigint, hour_total bigint) returns ledger.fraud_detection_logs language plpgsql set search_path = '' as $$
declare
    rules jsonb := ledger.risks(wallet.currency, '{high_amount,elevated_amount,high_frequency,elevated_frequency,high_volume,
        failed_logins,block_score,mfa_score,watch_score,mfa_amount}');
    flags text[] := '{}';
    score integer := 0;
    verdict text;
    logged ledger.fraud_detection_logs;
begin
    if amount > (rules ->> 'high_amount')::bigint then   -- Within a line only the higher applies.
        flags := flags || 'high_amount'::text; score := score + 30;
    elsif amount > (rules ->> 'elevated_amount')::bigint then
        flags := flags || 'elevated_amount'::text; score := score + 15;
    end if;
    if hour_count + 1 > (rules ->> 'high_frequency')::bigint then
        flags := flags || 'high_frequency'::text; score := score + 25;
    elsif hour_count + 1 > (rules ->> 'elevated_frequency')::bigint then
        flags := flags || 'elevated_frequency'::text; score := score + 10;
    end if;
    if hour_total + amount > (rules ->> 'high_volume')::bigint then
        flags := flags || 'high_volume'::text; score := score + 40;
    end if;
    if new_recipient then
        flags := flags || 'new_recipient'::text; score := score + 10;
    end if;
    if (select count(*) from people.failed_logins f
         where f.user_id = wallet.user_id and f.at > now() - interval '1 hour') > (rules ->> 'failed_logins')::bigint then
        flags := flags || 'failed_logins'::text; score := score + 20;
    end if;
    if amount * 10 > wallet.balance * 9 then
        flags := flags || 'balance_drain'::text; score := score + 15;
    end if;
    score := least(score, 100);
    verdict := case
        when score >= (rules ->> 'block_score')::bigint then 'block'
        when score >= (rules ->> 'mfa_score')::bigint
          or (score >= (rules ->> 'watch_score')::bigint and amount > (rules ->> 'mfa_amount')::bigint) then 'mfa'
        else 'allow' end;
    insert into ledger.fraud_detection_logs (user_id, recipient_id, amount, score, level, flags, decision, request_id)
    values (wallet.user_id, receiver_wallet, amount, score,
        case when verdict = 'block' then 'critical' when score >= (rules ->> 'mfa_score')::bigint then 'high'
             when score >= (rules ->> 'watch_score')::bigint then 'medium' else 'low' end,
        flags, verdict, core.request_id()) returning * into logged;
    return logged;
end $$;
comment on function ledger.fraud_score is
    'The one table of factors (contracts/wallet, fraud-detection). Answers the row it logged. A rule that is missing: 503.';

create function ledger.fraud_decision(wallet ledger.wallets, amount bigint, receiver_wallet uuid, hour_count bigint,
    hour_total bigint) returns text language plpgsql set search_path = '' as $$
declare
    scored ledger.fraud_detection_logs := ledger.fraud_score(wallet, amount, receiver_wallet, receiver_wallet is not null
        and not exists (select from ledger.known_recipients k
            where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver_wallet), hour_count, hour_total);
begin
    return scored.decision;
end $$;

-- -------------------------------------------------------------------------------------------------------------- advice

create function ledger.advice(scored ledger.fraud_detection_logs) returns jsonb language sql stable set search_path = '' as $$
    select jsonb_build_object('score', scored.score, 'riskLevel', scored.level, 'flags', to_jsonb(scored.flags),
        'requiresMFA', scored.decision <> 'allow',
        'recommendations', coalesce((select jsonb_agg(r.advice order by r.place) from (values
            (1, scored.decision = 'block', 'refuse the operation'),
            (2, scored.decision <> 'allow', 'ask for a second factor'),
            (3, 'high_frequency' = any (scored.flags), 'pause the wallet for an hour'),
            (4, 'high_volume' = any (scored.flags), 'check by hand'),
            (5, 'failed_logins' = any (scored.flags), 'check who is signed in')) as r (place, holds, advice) where r.holds), '[]'))
$$;
comment on function ledger.advice is 'The legacy shape, bare.';

create function ledger.scored_user(ask jsonb) returns uuid language plpgsql stable set search_path = '' as $$
declare
    named uuid := core.uuid_field(ask, 'userId');
begin
    -- The platform itself may ask about anybody; a user about himself, and may say so.
    if core.claim('role') is distinct from 'service_role' then
        if named <> core.caller() then
            perform core.refuse('IDENTITY_MISMATCH', 403, 'the body names another caller than the token');
        end if;
        return core.caller();
    elsif named is null then
        perform core.invalid('userId', 'is required');
    end if;
    return named;
end $$;

create function ledger.fraud_detection(ask jsonb) returns jsonb language plpgsql security definer set search_path = ''
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
    select count(*) as number, coalesce(sum(t.amount), 0)::bigint as total into recent from ledger.transactions t
     where t.sender_wallet_id = wallet.id and t.created_at > now() - interval '1 hour';
    return ledger.advice(ledger.fraud_score(wallet, amount, receiver, not exists (select from ledger.known_recipients k
        where k.sender_wallet_id = wallet.id and k.receiver_wallet_id = receiver), recent.number, recent.total));
end $$;
comment on function ledger.fraud_detection is
    'Advice: the same score the guard would find now, without its lock. Whoever the recipient is, the answer is the same: only
     the asker''s own history counts.';

-- ------------------------------------------------------------------------------------------------------------ deposits

create function ledger.suspect_deposit(owner uuid, currency text, amount bigint) returns jsonb language plpgsql set search_path = '' as $$
declare
    own uuid := ledger.wallet_for(owner, currency);
    wallet ledger.wallets;
    recent record;
begin
    select * into wallet from ledger.wallets w where w.id = own for update;
    select count(*) as number, coalesce(sum(p.credit_amount), 0)::bigint as total into recent from payments.payments p
     where p.user_id = owner and p.created_at > now() - interval '24 hours' and p.purpose = 'wallet_deposit'
       and p.currency = suspect_deposit.currency and p.status not in ('failed', 'cancelled', 'expired')
       -- Begun once more through another provider it is one deposit, until both are paid.
       and not (p.status in ('initiating', 'pending', 'unknown') and exists (select from payments.payments x
           where x.replaces = p.id and x.status not in ('failed', 'cancelled', 'expired')));
    if wallet.status = 'active' and not ledger.suspicion(wallet, amount, recent.number, recent.total) then
        return null;
    end if;
    perform ledger.log(owner, 'deposit', currency, amount, 'WALLET_BLOCKED');
    return ledger.refusal('WALLET_BLOCKED', 403, 'this wallet is blocked');
end $$;
comment on function ledger.suspect_deposit is
    'Asked when a deposit is requested, before its row is written; never when a paid one is settled. Counts the deposits of a day,
     not what then leaves: money that comes in and goes out is not counted twice. Null: go on. Else the refusal to RETURN.';

create function api.fraud_detection(ask jsonb) returns jsonb language sql security invoker set search_path = ''
    return ledger.fraud_detection(ask);
revoke execute on all functions in schema api, ledger from public;
grant execute on function ledger.fraud_detection(jsonb), api.fraud_detection(jsonb) to authenticated, service_role;
